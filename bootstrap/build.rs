//! Builds the static agent and hands it to the CLI, which embeds it: a plain `cargo build` gives a whole product.
//!
//! The agent is built by a cargo of its own, with an explicit target (so that `+crt-static` reaches no build script or
//! macro) and a target folder of its own beside the outer one (whose lock the outer cargo holds).
//!
//! `GARBOARD_AGENT_PROFILE` chooses another profile than `agent` (for example `dev`, for quick tries); `GARBOARD_AGENT_AMD64`
//! and `GARBOARD_AGENT_ARM64` name agents built elsewhere, for an architecture that is not this machine's.

use std::error::Error;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The names Kubernetes and Rust have for an architecture.
const TARGETS: [(&str, &str); 2] = [("x86_64", "AMD64"), ("aarch64", "ARM64")];

fn main() -> Result<(), Box<dyn Error>> {
    let manifest = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let workspace = manifest.parent().ok_or("the crate has no folder above it")?.to_owned();
    for path in
        ["agent/src", "agent/Cargo.toml", "protocol/src", "protocol/Cargo.toml", "Cargo.toml", "Cargo.lock"]
    {
        println!("cargo::rerun-if-changed={}", workspace.join(path).display());
    }
    println!("cargo::rerun-if-env-changed=GARBOARD_AGENT_PROFILE");
    println!("cargo::rerun-if-changed=build.rs");

    let out = PathBuf::from(variable("OUT_DIR")?);
    let host = variable("HOST")?.to_string_lossy().into_owned();
    let architecture = host.split('-').next().unwrap_or_default();
    for (name, key) in TARGETS {
        let embedded = out.join(format!("garboard-agent-{}", key.to_lowercase()));
        let given = format!("GARBOARD_AGENT_{key}");
        println!("cargo::rerun-if-env-changed={given}");
        if let Some(path) = std::env::var_os(&given).filter(|path| !path.is_empty()) {
            println!("cargo::rerun-if-changed={}", Path::new(&path).display());
            copy(Path::new(&path), &embedded)?;
        } else if name == architecture {
            copy(&build(&workspace, &agent_folder(&out)?, &host)?, &embedded)?;
        } else {
            // Empty: the CLI says that it carries no agent for such hosts.
            write(&embedded, &[])?;
        }
        println!("cargo::rustc-env={given}={}", embedded.display());
    }
    Ok(())
}

/// Runs the inner cargo; gives the program it built.
fn build(workspace: &Path, folder: &Path, target: &str) -> Result<PathBuf, Box<dyn Error>> {
    let profile = std::env::var("GARBOARD_AGENT_PROFILE").unwrap_or_else(|_| "agent".to_owned());
    let mut cargo = Command::new(variable("CARGO")?);
    cargo
        .current_dir(workspace)
        .args(["build", "--quiet", "--locked", "--package", "garboard-agent", "--bin", "garboard-agent"])
        .args(["--profile", &profile, "--target", target])
        .arg("--target-dir")
        .arg(folder);
    // What the outer cargo set for this crate and its own target means something else for the agent.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let is_outer = text.starts_with("CARGO_CFG_")
            || text.starts_with("CARGO_FEATURE_")
            || text.starts_with("CARGO_PKG_")
            || text.starts_with("CARGO_MANIFEST_")
            || [
                "CARGO_ENCODED_RUSTFLAGS",
                "RUSTFLAGS",
                "TARGET",
                "HOST",
                "PROFILE",
                "OUT_DIR",
                "OPT_LEVEL",
                "DEBUG",
                "NUM_JOBS",
                "RUSTC_WORKSPACE_WRAPPER",
                "CLIPPY_ARGS",
                "CARGO_BUILD_TARGET",
                "CARGO_TARGET_DIR",
            ]
            .contains(&&*text);
        if is_outer {
            cargo.env_remove(name);
        }
    }
    cargo.env("RUSTFLAGS", "-C target-feature=+crt-static");
    let status = cargo.status()?;
    if !status.success() {
        return Err(format!("the agent could not be built: {cargo:?} ended with {status}").into());
    }
    // Cargo's `dev` profile is the one whose folder has another name.
    let folder_of_profile = if profile == "dev" { "debug" } else { &profile };
    Ok(folder.join(target).join(folder_of_profile).join("garboard-agent"))
}

/// `agent-build` in the outer target folder: `OUT_DIR` is `…/PROFILE/build/NAME-HASH/out` in it, so it lies beside the
/// profiles and is shared by them.
fn agent_folder(out: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let profile = out.ancestors().nth(3).ok_or("OUT_DIR is not where cargo puts it")?;
    Ok(profile.parent().unwrap_or(profile).join("agent-build"))
}

/// Copies only what differs, so that what includes it is not compiled again for nothing.
fn copy(from: &Path, to: &Path) -> Result<(), Box<dyn Error>> {
    let content = fs_err::read(from)?;
    write(to, &content)
}

fn write(path: &Path, content: &[u8]) -> Result<(), Box<dyn Error>> {
    if fs_err::read(path).is_ok_and(|there| there == content) {
        return Ok(());
    }
    Ok(fs_err::write(path, content)?)
}

fn variable(name: &str) -> Result<OsString, Box<dyn Error>> {
    std::env::var_os(name).ok_or_else(|| format!("cargo did not set {name}").into())
}
