//! `cargo xtask fuzz`: arbitrary input for everything that reads what others wrote, with cargo-fuzz.

use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use clap::Args;

use crate::product::{cargo, root, target};
use crate::stopwatch::say;
use crate::{cache, program};

/// The version whose command line is known here.
const CARGO_FUZZ: &str = "0.13.2";

/// A reader of foreign input, and what it gets to begin with.
struct Reader {
    name: &'static str,
    /// Folders of the checkout.
    seeds: &'static [&'static str],
    /// Longest input tried, in bytes.
    longest: u32,
}

const READERS: [Reader; 4] = [
    Reader { name: "frames", seeds: &["fuzz/seeds/frames"], longest: 16 * 1024 },
    Reader {
        name: "inventory",
        seeds: &["inventory/examples", "inventory/tests/ok", "inventory/tests/fails"],
        longest: 8 * 1024,
    },
    Reader { name: "known_hosts", seeds: &["fuzz/seeds/known_hosts"], longest: 4 * 1024 },
    Reader { name: "playbooks", seeds: &["playbooks/tests/ok", "playbooks/tests/fails"], longest: 8 * 1024 },
];

/// Try arbitrary input on everything that reads what others wrote: frames, inventories, playbooks, known hosts
#[derive(Args)]
pub(crate) struct Fuzz {
    /// Only this one
    #[arg(value_parser = READERS.map(|reader| reader.name))]
    reader: Option<String>,
    /// For how long each
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    seconds: u32,
}

pub(crate) fn run(fuzz: &Fuzz) -> anyhow::Result<ExitCode> {
    build()?;
    for reader in READERS.iter().filter(|one| fuzz.reader.as_deref().is_none_or(|name| one.name == name)) {
        reader.run(fuzz.seconds)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// All readers, each for so many seconds.
pub(crate) fn all(seconds: u32) -> anyhow::Result<()> {
    run(&Fuzz { reader: None, seconds }).map(drop)
}

/// Builds all of them. Without a sanitizer, which would need an unreleased compiler: this code has no `unsafe` to watch.
fn build() -> anyhow::Result<()> {
    ensure_cargo_fuzz()?;
    Ok(program::run(cargo_fuzz("build").env("CARGO_TERM_QUIET", "true"))?)
}

fn ensure_cargo_fuzz() -> anyhow::Result<()> {
    let installed = program::output(cargo().args(["fuzz", "--version"])).unwrap_or_default();
    if installed.ends_with(CARGO_FUZZ) {
        return Ok(());
    }
    say(&format!("cargo-fuzz {CARGO_FUZZ} is not installed; installing it"));
    Ok(program::run(cargo().args(["install", "--quiet", "--locked", "cargo-fuzz", "--version", CARGO_FUZZ]))?)
}

fn cargo_fuzz(command: &str) -> Command {
    let mut fuzz = cargo();
    fuzz.current_dir(root().join("fuzz"))
        .args(["fuzz", command, "--sanitizer", "none"])
        .arg("--target-dir")
        .arg(target().join("fuzz"))
        // The command is read here, not run: it carries no agent.
        .env("GARBOARD_AGENT_AMD64", "/dev/null")
        .env("GARBOARD_AGENT_ARM64", "/dev/null")
        .env("GARBOARD_DDNS_AMD64", "/dev/null")
        .env("GARBOARD_DDNS_ARM64", "/dev/null");
    fuzz
}

/// From where the reader gave up, or from the fuzzer's own complaint.
fn cause(said: &str) -> String {
    let lines: Vec<&str> = said.lines().collect();
    let begins = |line: &&str| line.contains("panicked at ") || line.contains("ERROR: libFuzzer: ");
    let first = lines.iter().position(begins).unwrap_or(lines.len().saturating_sub(10));
    lines[first..].iter().take(10).copied().collect::<Vec<_>>().join("\n")
}

impl Reader {
    fn run(&self, seconds: u32) -> anyhow::Result<()> {
        let (corpus, found) = (self.folder("corpus")?, self.folder("found")?);
        let mut command = cargo_fuzz("run");
        command.arg(self.name).arg(&corpus);
        command.args(self.seeds.iter().map(|folder| root().join(folder)));
        command.arg("--").args([
            format!("-max_total_time={seconds}"),
            format!("-max_len={}", self.longest),
            // Seconds a single input may take, and MiB it may use.
            "-timeout=10".to_owned(),
            "-rss_limit_mb=2048".to_owned(),
            format!("-artifact_prefix={}/", found.display()),
            "-print_final_stats=1".to_owned(),
        ]);
        let output = command.env("RUST_BACKTRACE", "0").stdin(Stdio::null()).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        if output.status.success() {
            let tried = said.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
            let tried = tried.map_or("", str::trim);
            anyhow::ensure!(!tried.is_empty(), "the fuzzer of {} tried nothing:\n{said}", self.name);
            say(&format!("{}: {tried} inputs in {seconds} s, nothing found", self.name));
            return Ok(());
        }
        anyhow::bail!(
            "an input that `{}` cannot take; it lies in `{}`, and `cargo fuzz run --sanitizer none {} FILE` in `fuzz` \
             shows it again:\n{}",
            self.name,
            found.display(),
            self.name,
            cause(&said)
        )
    }

    /// What is kept from run to run, outside the checkout.
    fn folder(&self, kind: &str) -> anyhow::Result<PathBuf> {
        let folder = cache::of_user()?.join("fuzz").join(kind).join(self.name);
        fs_err::create_dir_all(&folder)?;
        Ok(folder)
    }
}
