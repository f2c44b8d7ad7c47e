//! The command for macOS: its code is compiled for that system on every test run, without one of its machines.
//!
//! Nothing is linked, so neither Apple's SDK nor a C compiler for it is needed: the C sources of dependencies are passed
//! over. `docs/macos.md` says what that shows and what it does not.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use crate::product::{cargo, root, target};
use crate::program;
use crate::stopwatch::say;

const TARGET: &str = "aarch64-apple-darwin";
/// What a laptop runs; the agent, the lab and this crate run on Linux alone.
const PACKAGES: [&str; 4] = ["garboard", "garboard-inventory", "garboard-playbooks", "garboard-protocol"];
/// Stands in for the C compiler of dependencies' build scripts: leaves an empty object where one is expected.
const NO_COMPILER: &str = include_str!("macos/no_compiler.sh");

/// Lints the laptop's crates as macOS would compile them.
pub(crate) fn lint() -> anyhow::Result<()> {
    if !has_standard_library()? {
        say(&format!("left out: this Rust has no standard library for {TARGET} (rustup would bring it)"));
        return Ok(());
    }
    let folder = target().join("macos");
    fs_err::create_dir_all(&folder)?;
    let compiler = folder.join("no-compiler");
    fs_err::write(&compiler, NO_COMPILER)?;
    fs_err::set_permissions(&compiler, std::fs::Permissions::from_mode(0o755))?;
    let mut lint = cargo();
    lint.current_dir(root())
        .args(["clippy", "--quiet", "--target", TARGET])
        .args(PACKAGES.iter().flat_map(|package| ["--package", package]))
        .args(["--", "--deny", "warnings"])
        .env("CC_aarch64_apple_darwin", &compiler)
        .env("AR_aarch64_apple_darwin", &compiler)
        // Keeps build scripts from asking Xcode's tools for one.
        .env("SDKROOT", "/")
        // The agent is built for Linux, by the other stages.
        .env("GARBOARD_AGENT_AMD64", "/dev/null")
        .env("GARBOARD_AGENT_ARM64", "/dev/null")
        .env("GARBOARD_DDNS_AMD64", "/dev/null")
        .env("GARBOARD_DDNS_ARM64", "/dev/null");
    Ok(program::run(&mut lint)?)
}

/// Whether this toolchain can compile for macOS.
fn has_standard_library() -> anyhow::Result<bool> {
    let mut question = Command::new("rustc");
    question.current_dir(root()).args(["--print", "target-libdir", "--target", TARGET]);
    Ok(Path::new(&program::output(&mut question)?).is_dir())
}
