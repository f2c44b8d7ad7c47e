//! Builds the static agent and hands it to the CLI, which embeds it: a plain `cargo build` gives a whole product.
//!
//! The agent is built by a cargo of its own, with an explicit target (so that `+crt-static` reaches no build script or
//! macro) and a target folder of its own beside the outer one (whose lock the outer cargo holds).
//!
//! It is built for musl, by Rust's own linker: that needs neither a C compiler nor a machine of that kind, and gives the
//! smallest program. Where Rust has no standard library for musl (a Linux distribution's Rust), the agent is built with this
//! machine's own libc, for this machine's architecture alone.
//!
//! `GARBOARD_AGENT_PROFILE` chooses another profile than `agent` (for example `dev`, for quick tries); `GARBOARD_AGENT_AMD64`
//! and `GARBOARD_AGENT_ARM64` name agents built elsewhere; an empty file leaves one out.

use std::error::Error;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The names Rust and Kubernetes have for an architecture.
const ARCHITECTURES: [(&str, &str); 2] = [("x86_64", "AMD64"), ("aarch64", "ARM64")];

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
    for (architecture, key) in ARCHITECTURES {
        let embedded = out.join(format!("garboard-agent-{}", key.to_lowercase()));
        let given = format!("GARBOARD_AGENT_{key}");
        println!("cargo::rerun-if-env-changed={given}");
        if let Some(path) = std::env::var_os(&given).filter(|path| !path.is_empty()) {
            println!("cargo::rerun-if-changed={}", Path::new(&path).display());
            copy(Path::new(&path), &embedded)?;
        } else if let Some(target) = target(architecture, &host)? {
            copy(&build(&workspace, &agent_folder(&out)?, &target)?, &embedded)?;
        } else {
            // Empty: the CLI says that it carries no agent for such hosts.
            write(&embedded, &[])?;
        }
        println!("cargo::rustc-env={given}={}", embedded.display());
    }
    Ok(())
}

/// What the agent for an architecture is built for, if this machine can build it.
fn target(architecture: &str, host: &str) -> Result<Option<String>, Box<dyn Error>> {
    let musl = format!("{architecture}-unknown-linux-musl");
    let asked =
        Command::new(variable("RUSTC")?).args(["--print", "target-libdir", "--target", &musl]).output()?;
    let standard_library = String::from_utf8(asked.stdout)?;
    if asked.status.success() && Path::new(standard_library.trim()).is_dir() {
        return Ok(Some(musl));
    }
    let own = host.starts_with(architecture) && host.contains("-linux-");
    Ok(own.then(|| host.to_owned()))
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
    let mut flags = vec!["-Ctarget-feature=+crt-static".to_owned()];
    if target.ends_with("-musl") {
        flags.push("-Clinker=rust-lld".to_owned());
    }
    // Nobody's folders stand in the agent, and it is the same wherever it is built.
    for (path, name) in [(workspace.to_owned(), "/garboard"), (cargo_home()?, "/cargo")] {
        flags.push(format!("--remap-path-prefix={}={name}", path.display()));
    }
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
    let status = cargo.status()?;
    if !status.success() {
        return Err(format!("the agent could not be built: {cargo:?} ended with {status}").into());
    }
    // Cargo's `dev` profile is the one whose folder has another name.
    let folder_of_profile = if profile == "dev" { "debug" } else { &profile };
    Ok(folder.join(target).join(folder_of_profile).join("garboard-agent"))
}

/// Where cargo keeps the sources of dependencies.
fn cargo_home() -> Result<PathBuf, Box<dyn Error>> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    Ok(home.ok_or("neither CARGO_HOME nor HOME is set")?)
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
