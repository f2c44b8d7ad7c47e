//! `cargo xtask agents`: the static agents as files of their own, their size, and that they are the same wherever they are built.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::Context as _;
use clap::Args;
use sha2::{Digest as _, Sha256};

use crate::product::{self, Product, root};
use crate::program;
use crate::stopwatch::{Stopwatch, say};

#[path = "../../bootstrap/build/agent.rs"]
mod build;

/// As `uname -m` says them.
pub(crate) const ARCHITECTURES: [&str; 2] = ["x86_64", "aarch64"];
/// An agent travels to every host: bytes, each architecture.
const LARGEST: u64 = 2_000_000;

/// Build the agents for both architectures into `dist/agents`; fails where one is larger than 2 MB
#[derive(Args)]
pub(crate) struct Agents {
    /// Build them once more from a copy of the sources in another folder, and fail where a byte differs
    #[arg(long)]
    twice: bool,
}

pub(crate) fn run(agents: &Agents) -> anyhow::Result<ExitCode> {
    let mut watch = Stopwatch::new(if agents.twice { 2 } else { 1 });
    let built = watch.stage("the agents", all)?;
    if agents.twice {
        watch.stage("the agents once more, from a copy elsewhere", || same_from_a_copy(&built))?;
    }
    watch.table();
    Ok(ExitCode::SUCCESS)
}

impl Agent {
    /// The program.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// One as the command carries it.
pub(crate) fn packed(agent: &Agent) -> anyhow::Result<Vec<u8>> {
    Ok(build::compressed(&agent.bytes)?)
}

/// Small enough, in the command as they are, and the same from a copy of the sources.
pub(crate) fn test(product: &Product) -> anyhow::Result<()> {
    let sources = build_in(root(), product::target());
    for architecture in ARCHITECTURES {
        if target(&sources, architecture)?.is_none() {
            say(&format!(
                "left out: this Rust has no standard library for {architecture} and musl (rustup would bring it)"
            ));
            return Ok(());
        }
    }
    let built = all()?;
    are_in(&built, product.path())?;
    same_from_a_copy(&built)
}

/// An agent that was built.
pub(crate) struct Agent {
    pub(crate) architecture: &'static str,
    /// `dist/agents/ARCHITECTURE/garboard-agent`.
    pub(crate) path: PathBuf,
    bytes: Vec<u8>,
}

/// Builds both beside those of the CLI, which are the same, and writes them to `dist/agents`.
pub(crate) fn all() -> anyhow::Result<Vec<Agent>> {
    let mut built = Vec::new();
    let mut too_large = Vec::new();
    for (architecture, bytes) in built_in(root(), product::target().join("agent-build"))? {
        let path = root().join("dist/agents").join(architecture).join("garboard-agent");
        write(&path, &bytes)?;
        say(&format!("{:>10} bytes  {}  {}", bytes.len(), digest(&bytes), path.display()));
        if u64::try_from(bytes.len())? > LARGEST {
            too_large.push(format!("the agent for {architecture} has {} bytes", bytes.len()));
        }
        built.push(Agent { architecture, path, bytes });
    }
    anyhow::ensure!(too_large.is_empty(), "{}; {LARGEST} are the most", too_large.join(", "));
    Ok(built)
}

/// How agents are built from the sources in a folder.
fn build_in(workspace: PathBuf, folder: PathBuf) -> build::Build {
    build::Build {
        package: build::PACKAGE,
        cargo: PathBuf::from(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())),
        rustc: PathBuf::from(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())),
        workspace,
        folder,
        profile: build::PROFILE.to_owned(),
    }
}

/// What it is built for; none where this Rust has no standard library for it. A release carries agents for musl or none.
fn target(build: &build::Build, architecture: &str) -> anyhow::Result<Option<String>> {
    build.target(architecture, "").map_err(|error| anyhow::anyhow!("{error}"))
}

/// The programs for both architectures, from the sources in a folder.
fn built_in(workspace: PathBuf, folder: PathBuf) -> anyhow::Result<Vec<(&'static str, Vec<u8>)>> {
    let build = build_in(workspace, folder);
    let agent = |architecture: &'static str| {
        let target = target(&build, architecture)?.with_context(|| {
            format!(
                "this Rust has no standard library for {architecture} and musl; \
                 `rustup target add {architecture}-unknown-linux-musl` brings it"
            )
        })?;
        let program = build.run(&target, None).map_err(|error| anyhow::anyhow!("{error}"))?;
        Ok((architecture, fs_err::read(program)?))
    };
    ARCHITECTURES.into_iter().map(agent).collect()
}

/// Copies the sources to a folder of another name and length, builds there with nothing that was built before, and compares.
pub(crate) fn same_from_a_copy(agents: &[Agent]) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let copy = folder.path().join("a copy of the sources, elsewhere");
    let mut listing = Command::new("git");
    listing.current_dir(root()).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    for name in program::output(&mut listing)?.split('\0').filter(|name| !name.is_empty()) {
        let from = root().join(name);
        // Deleted and not yet committed.
        if from.is_file() {
            write(&copy.join(name), &fs_err::read(from)?)?;
        }
    }
    let again = built_in(copy, folder.path().join("target"))?;
    for (agent, (_, bytes)) in agents.iter().zip(&again) {
        if let Some(at) = difference(&agent.bytes, bytes) {
            anyhow::bail!(
                "two builds of the agent for {} differ from byte {at} on: {} and {} bytes, SHA-256 {} and {}",
                agent.architecture,
                agent.bytes.len(),
                bytes.len(),
                digest(&agent.bytes),
                digest(bytes)
            );
        }
        say(&format!("{}: the same byte for byte", agent.architecture));
    }
    Ok(())
}

/// What the CLI carries is these agents.
pub(crate) fn are_in(agents: &[Agent], path: &Path) -> anyhow::Result<()> {
    let command = fs_err::read(path)?;
    for agent in agents {
        let packed = packed(agent)?;
        anyhow::ensure!(
            contains(&command, &packed),
            "`{}` does not carry the agent for {} that `{}` is",
            path.display(),
            agent.architecture,
            agent.path.display()
        );
        say(&format!("{}: in the command, {} bytes compressed", agent.architecture, packed.len()));
    }
    Ok(())
}

/// Where the first difference is.
fn difference(one: &[u8], other: &[u8]) -> Option<usize> {
    let shared = one.iter().zip(other).position(|(one, other)| one != other);
    shared.or_else(|| (one.len() != other.len()).then(|| one.len().min(other.len())))
}

fn contains(whole: &[u8], part: &[u8]) -> bool {
    let Some(first) = part.get(..16) else { return false };
    // Windows of sixteen bytes are quick to compare; few are equal.
    whole.windows(16).enumerate().any(|(at, window)| window == first && whole[at..].starts_with(part))
}

fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    if let Some(folder) = path.parent() {
        fs_err::create_dir_all(folder)?;
    }
    fs_err::write(path, bytes)?;
    Ok(fs_err::set_permissions(path, std::fs::Permissions::from_mode(0o755))?)
}

/// SHA-256, in hexadecimal.
pub(crate) fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::{contains, difference};

    #[test]
    fn the_first_difference_is_found_at_the_end_too() {
        assert_eq!(difference(b"abc", b"abc"), None);
        assert_eq!(difference(b"abc", b"abd"), Some(2));
        assert_eq!(difference(b"abc", b"ab"), Some(2));
        assert_eq!(difference(b"", b"a"), Some(0));
    }

    #[test]
    fn a_part_is_found_only_whole() {
        let part: Vec<u8> = (0..64).collect();
        let whole: Vec<u8> = [&[9; 40][..], &part, &[9; 3]].concat();
        assert!(contains(&whole, &part));
        assert!(!contains(&whole[..whole.len() - 4], &part), "its last byte is missing");
        assert!(!contains(&part, &whole));
    }
}
