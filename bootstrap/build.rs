//! Builds the static agent and `garboard-ddns` and hands them, compressed, to the CLI, which embeds them: a plain `cargo build`
//! gives a whole product.
//!
//! `build/agent.rs` says how. `GARBOARD_AGENT_PROFILE` chooses another profile than `agent` (for example `dev`, for quick
//! tries); `GARBOARD_AGENT_AMD64` and `GARBOARD_AGENT_ARM64` name agents built elsewhere; an empty file leaves one out. The same
//! for `GARBOARD_DDNS_AMD64` and `GARBOARD_DDNS_ARM64`.
//!
//! `garboard-ddns` needs a C compiler for each architecture (`build/c_compiler.rs`). Where there is none the CLI carries none, and
//! says so where one is wanted.

#[path = "build/agent.rs"]
mod agent;
#[path = "build/c_compiler.rs"]
mod c_compiler;

use std::error::Error;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The names Rust and Kubernetes have for an architecture.
const ARCHITECTURES: [(&str, &str); 2] = [("x86_64", "AMD64"), ("aarch64", "ARM64")];

/// Package, and profile, of the service of dynamic DNS.
const DDNS: (&str, &str) = ("garboard-ddns", "ddns");

fn main() -> Result<(), Box<dyn Error>> {
    let manifest = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let workspace = manifest.parent().ok_or("the crate has no folder above it")?.to_owned();
    for path in [
        "agent/src",
        "agent/Cargo.toml",
        "protocol/src",
        "protocol/Cargo.toml",
        "ddns/src",
        "ddns/Cargo.toml",
        "Cargo.toml",
        "Cargo.lock",
    ] {
        println!("cargo::rerun-if-changed={}", workspace.join(path).display());
    }
    println!("cargo::rerun-if-env-changed=GARBOARD_AGENT_PROFILE");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=build/agent.rs");
    println!("cargo::rerun-if-changed=build/c_compiler.rs");

    let out = PathBuf::from(variable("OUT_DIR")?);
    let host = variable("HOST")?.to_string_lossy().into_owned();
    let agent = agent::Build {
        package: agent::PACKAGE,
        cargo: PathBuf::from(variable("CARGO")?),
        rustc: PathBuf::from(variable("RUSTC")?),
        workspace,
        folder: agent_folder(&out)?,
        profile: std::env::var("GARBOARD_AGENT_PROFILE").unwrap_or_else(|_| agent::PROFILE.to_owned()),
    };
    let ddns = agent::Build { package: DDNS.0, profile: DDNS.1.to_owned(), ..agent.clone() };
    for (architecture, key) in ARCHITECTURES {
        let own = |build: &agent::Build| build.target(architecture, &host);
        embed(&out, "agent", key, || match own(&agent)? {
            Some(target) => Ok(Some(fs_err::read(agent.run(&target, None)?)?)),
            None => Ok(None),
        })?;
        embed(&out, "ddns", key, || {
            let Some(target) = own(&ddns)? else { return Ok(None) };
            for name in c_compiler::variables(&target) {
                println!("cargo::rerun-if-env-changed={name}");
            }
            match c_compiler::find(architecture, &target) {
                Some(compiler) => Ok(Some(fs_err::read(ddns.run(&target, Some(&compiler))?)?)),
                None => Ok(None),
            }
        })?;
    }
    Ok(())
}

/// Hands a program to the CLI: the one that was built elsewhere, or what `build` gives. `GARBOARD_WHAT_KEY` names the former to us,
/// and the file to the CLI; it is empty where there is none.
fn embed(
    out: &Path,
    what: &str,
    key: &str,
    build: impl FnOnce() -> Result<Option<Vec<u8>>, Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    let embedded = out.join(format!("garboard-{what}-{}.zlib", key.to_lowercase()));
    let given = format!("GARBOARD_{}_{key}", what.to_uppercase());
    println!("cargo::rerun-if-env-changed={given}");
    let program = if let Some(path) = std::env::var_os(&given).filter(|path| !path.is_empty()) {
        println!("cargo::rerun-if-changed={}", Path::new(&path).display());
        fs_err::read(path)?
    } else {
        build()?.unwrap_or_default()
    };
    write(&embedded, &if program.is_empty() { program } else { agent::compressed(&program)? })?;
    println!("cargo::rustc-env={given}={}", embedded.display());
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
