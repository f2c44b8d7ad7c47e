//! Builds the static agent and hands it, compressed, to the CLI, which embeds it: a plain `cargo build` gives a whole product.
//!
//! `build/agent.rs` says how. `GARBOARD_AGENT_PROFILE` chooses another profile than `agent` (for example `dev`, for quick
//! tries); `GARBOARD_AGENT_AMD64` and `GARBOARD_AGENT_ARM64` name agents built elsewhere; an empty file leaves one out.

#[path = "build/agent.rs"]
mod agent;

use std::error::Error;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

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
    println!("cargo::rerun-if-changed=build/agent.rs");

    let out = PathBuf::from(variable("OUT_DIR")?);
    let host = variable("HOST")?.to_string_lossy().into_owned();
    let build = agent::Build {
        cargo: PathBuf::from(variable("CARGO")?),
        rustc: PathBuf::from(variable("RUSTC")?),
        workspace,
        folder: agent_folder(&out)?,
        profile: std::env::var("GARBOARD_AGENT_PROFILE").unwrap_or_else(|_| agent::PROFILE.to_owned()),
    };
    for (architecture, key) in ARCHITECTURES {
        let embedded = out.join(format!("garboard-agent-{}.zlib", key.to_lowercase()));
        let given = format!("GARBOARD_AGENT_{key}");
        println!("cargo::rerun-if-env-changed={given}");
        let program = if let Some(path) = std::env::var_os(&given).filter(|path| !path.is_empty()) {
            println!("cargo::rerun-if-changed={}", Path::new(&path).display());
            fs_err::read(path)?
        } else if let Some(target) = build.target(architecture, &host)? {
            fs_err::read(build.run(&target)?)?
        } else {
            // Empty: the CLI says that it carries no agent for such hosts.
            Vec::new()
        };
        write(&embedded, &if program.is_empty() { program } else { agent::compressed(&program)? })?;
        println!("cargo::rustc-env={given}={}", embedded.display());
    }
    Ok(())
}

/// `agent-build` in the outer target folder: `OUT_DIR` is `…/PROFILE/build/NAME-HASH/out` in it, below a target's own folder
/// where one was asked for. It lies beside the profiles and is shared by them.
fn agent_folder(out: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let profile = out.ancestors().nth(3).ok_or("OUT_DIR is not where cargo puts it")?;
    let above = profile.parent().unwrap_or(profile);
    let target = variable("TARGET")?;
    let of_a_target = above.file_name() == Some(target.as_os_str());
    Ok(if of_a_target { above.parent().unwrap_or(above) } else { above }.join("agent-build"))
}

/// Writes only what differs, so that what includes it is not compiled again for nothing.
fn write(path: &Path, content: &[u8]) -> Result<(), Box<dyn Error>> {
    if fs_err::read(path).is_ok_and(|there| there == content) {
        return Ok(());
    }
    Ok(fs_err::write(path, content)?)
}

fn variable(name: &str) -> Result<OsString, Box<dyn Error>> {
    std::env::var_os(name).ok_or_else(|| format!("cargo did not set {name}").into())
}
