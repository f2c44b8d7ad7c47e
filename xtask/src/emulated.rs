//! The agent's tests for the architecture this machine does not have, under user emulation.

use std::path::Path;
use std::process::Command;

use crate::product::{cargo, root};
use crate::program;
use crate::stopwatch::say;

/// What Raspberry Pis are.
const TARGET: &str = "aarch64-unknown-linux-musl";
const RUNNER: &str = "qemu-aarch64-static";

/// Runs them all, those of the protocol too. On an aarch64 machine the tests of the workspace are these.
pub(crate) fn test() -> anyhow::Result<()> {
    if std::env::consts::ARCH == "aarch64" {
        return Ok(());
    }
    let mut question = Command::new("rustc");
    question.current_dir(root()).args(["--print", "target-libdir", "--target", TARGET]);
    if !Path::new(&program::output(&mut question)?).is_dir() {
        say(&format!("left out: this Rust has no standard library for {TARGET} (rustup would bring it)"));
        return Ok(());
    }
    let mut tests = cargo();
    tests
        .current_dir(root())
        .args([
            "test",
            "--quiet",
            "--target",
            TARGET,
            "--package",
            "garboard-agent",
            "--package",
            "garboard-protocol",
        ])
        .env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_LINKER", "rust-lld")
        .env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_RUNNER", RUNNER)
        // Tests that start the program by themselves.
        .env("GARBOARD_AGENT_RUNNER", RUNNER);
    Ok(program::run(&mut tests)?)
}
