//! `cargo xtask dist`: what a release is made of. Each archive is verified as it is: unpacked, its sums checked, its command run.

mod archive;
mod command;
mod verify;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::Args;

use crate::product::root;
use crate::stopwatch::{Stopwatch, say};
use crate::{agents, packages, program, toolchain};
use archive::{Entry, Packed};
use command::Release;

/// Build the release archives for Linux, both architectures, with their SHA-256 sums into `dist`, and verify them
#[derive(Args)]
pub(crate) struct Dist {
    /// Install missing Debian packages without asking
    #[arg(short, long)]
    yes: bool,
    /// Only for this architecture; may be given several times
    #[arg(long, value_name = "ARCHITECTURE", value_parser = clap::builder::PossibleValuesParser::new(agents::ARCHITECTURES))]
    architecture: Vec<String>,
}

/// Completions, as the shells' own folders call them.
const COMPLETIONS: [(&str, &str); 3] =
    [("bash", "garboard.bash"), ("zsh", "_garboard"), ("fish", "garboard.fish")];
/// From the workspace as they are.
const TEXTS: [&str; 4] = ["CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT", "README.md"];
const SUMS: &str = "SHA256SUMS";

pub(crate) fn run(dist: &Dist) -> anyhow::Result<ExitCode> {
    let mut watch = Stopwatch::new(7);
    let ended = stages(dist, &mut watch);
    watch.table();
    ended.map(|()| ExitCode::SUCCESS)
}

fn stages(dist: &Dist, watch: &mut Stopwatch) -> anyhow::Result<()> {
    watch.stage("Debian packages", || packages::ensure(packages::DIST, dist.yes))?;
    watch.stage("Rust's standard libraries", || {
        let triples = agents::ARCHITECTURES.map(|architecture| format!("{architecture}-unknown-linux-gnu"));
        toolchain::ensure()?;
        toolchain::bring(&triples.each_ref().map(String::as_str));
        Ok::<_, anyhow::Error>(())
    })?;
    let agents = watch.stage("the agents", agents::all)?;
    let releases = watch.stage("the command for each architecture", || {
        let all = agents::ARCHITECTURES.into_iter();
        let wanted = all
            .filter(|one| dist.architecture.is_empty() || dist.architecture.iter().any(|name| name == one));
        wanted.map(Release::build).collect::<anyhow::Result<Vec<_>>>()
    })?;
    let packed = watch.stage("archives", || pack(&releases))?;
    watch.stage("the same archives once more", || {
        let again = pack(&releases)?;
        anyhow::ensure!(packed == again, "the archives of the same files differ");
        Ok::<_, anyhow::Error>(())
    })?;
    let folder = root().join("dist");
    write(&folder, &packed)?;
    watch.stage("what came out of it", || {
        for (release, packed) in releases.iter().zip(&packed) {
            agents::are_in(&agents, release.path())?;
            verify::archive(&folder, packed, release)?;
        }
        verify::sums(&folder)
    })?;
    for packed in &packed {
        say(&folder.join(&packed.name).display().to_string());
    }
    Ok(())
}

/// The archives of all releases, in memory.
fn pack(releases: &[Release]) -> anyhow::Result<Vec<Packed>> {
    let entries = shared(releases)?;
    let time = commit_time()?;
    let archive = |release: &Release| {
        let mut entries = entries.clone();
        entries.push(Entry {
            path: "garboard".to_owned(),
            mode: 0o755,
            content: fs_err::read(release.path())?,
        });
        archive::pack(&release.name(), entries, time)
    };
    releases.iter().map(archive).collect()
}

/// What every archive has: a command that was built writes its pages and completions, best one that needs no emulator.
fn shared(releases: &[Release]) -> anyhow::Result<Vec<Entry>> {
    let text = |path: String, content: Vec<u8>| Entry { path, mode: 0o644, content };
    let mut entries = Vec::new();
    for name in TEXTS {
        entries.push(text(name.to_owned(), fs_err::read(root().join(name))?));
    }
    let own = releases.iter().find(|release| release.is_of_this_machine());
    let own = own.or(releases.first()).ok_or_else(|| anyhow::anyhow!("no release was built"))?;
    for (shell, name) in COMPLETIONS {
        let script = program::output(own.call().args(["completions", shell]))?;
        entries.push(text(format!("completions/{name}"), (script + "\n").into_bytes()));
    }
    let folder = tempfile::tempdir()?;
    program::run(own.call().arg("man").arg(folder.path()))?;
    for page in fs_err::read_dir(folder.path())? {
        let page = page?;
        let name = page.file_name().to_string_lossy().into_owned();
        entries.push(text(format!("man/{name}"), fs_err::read(page.path())?));
    }
    Ok(entries)
}

/// Archives and their sums; what an earlier version left there is taken away.
fn write(folder: &Path, packed: &[Packed]) -> anyhow::Result<()> {
    fs_err::create_dir_all(folder)?;
    for entry in fs_err::read_dir(folder)? {
        let path: PathBuf = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with("garboard-") && name.ends_with(".tar.gz") {
            fs_err::remove_file(path)?;
        }
    }
    let mut sums = String::new();
    for packed in packed {
        fs_err::write(folder.join(&packed.name), &packed.bytes)?;
        // As `sha256sum` writes and reads it.
        writeln!(sums, "{}  {}", agents::digest(&packed.bytes), packed.name)?;
    }
    Ok(fs_err::write(folder.join(SUMS), sums)?)
}

/// Seconds since 1970 of the commit: no file of an archive is younger, wherever and whenever it is built.
fn commit_time() -> anyhow::Result<u64> {
    let mut git = Command::new("git");
    Ok(program::output(git.current_dir(root()).args(["log", "-1", "--format=%ct"]))?.parse()?)
}
