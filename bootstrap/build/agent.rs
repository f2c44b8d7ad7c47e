//! How the static agent is built: by `build.rs`, which embeds it in the CLI, and by `cargo xtask agents`, which writes it to
//! a file. Both compile this very file, so there is one way. `garboard-ddns` is built in the same way, with a C compiler
//! beside it.
//!
//! The agent is built by a cargo of its own, with an explicit target (so that `+crt-static` reaches no build script or
//! macro) and a target folder of its own beside the outer one (whose lock the outer cargo holds).
//!
//! It is built for musl, by Rust's own linker: that needs neither a C compiler nor a machine of that kind, and gives the
//! smallest program. Where Rust has no standard library for musl (a Linux distribution's Rust), the agent is built with this
//! machine's own libc, for this machine's architecture alone.

use std::error::Error;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use flate2::Compression;
use flate2::write::ZlibEncoder;

/// The profile of agents that travel.
pub(crate) const PROFILE: &str = "agent";

/// The agent's package, and its program.
pub(crate) const PACKAGE: &str = "garboard-agent";

/// What is built, where and with what.
#[derive(Clone)]
pub(crate) struct Build {
    /// The package; its program has the same name.
    pub(crate) package: &'static str,
    /// The program `cargo`.
    pub(crate) cargo: PathBuf,
    /// The program `rustc`.
    pub(crate) rustc: PathBuf,
    /// The folder of the workspace's `Cargo.toml`.
    pub(crate) workspace: PathBuf,
    /// The target folder of the inner cargo.
    pub(crate) folder: PathBuf,
    /// [`PROFILE`], or `dev` for quick tries.
    pub(crate) profile: String,
}

impl Build {
    /// What a program for an architecture (`x86_64`, `aarch64`) is built for, if this machine can build it. `host` is the
    /// target of programs that run here.
    pub(crate) fn target(&self, architecture: &str, host: &str) -> Result<Option<String>, Box<dyn Error>> {
        let musl = format!("{architecture}-unknown-linux-musl");
        let asked = Command::new(&self.rustc)
            .current_dir(&self.workspace)
            .args(["--print", "target-libdir", "--target", &musl])
            .output()?;
        let standard_library = String::from_utf8(asked.stdout)?;
        if asked.status.success() && Path::new(standard_library.trim()).is_dir() {
            return Ok(Some(musl));
        }
        let own = host.starts_with(architecture) && host.contains("-linux-");
        Ok(own.then(|| host.to_owned()))
    }

    /// Runs the inner cargo; gives the program it built. `c_compiler` is for what in it is C.
    pub(crate) fn run(&self, target: &str, c_compiler: Option<&str>) -> Result<PathBuf, Box<dyn Error>> {
        let mut cargo = Command::new(&self.cargo);
        cargo
            .current_dir(&self.workspace)
            .args(["build", "--quiet", "--locked", "--package", self.package, "--bin", self.package])
            .args(["--profile", &self.profile, "--target", target])
            .arg("--target-dir")
            .arg(&self.folder);
        // What the outer cargo set for its crate and its own target means something else for the agent.
        for (name, _) in std::env::vars_os() {
            if is_outer(&name.to_string_lossy()) {
                cargo.env_remove(name);
            }
        }
        let mut flags = vec!["-Ctarget-feature=+crt-static".to_owned()];
        if target.ends_with("-musl") {
            flags.push("-Clinker=rust-lld".to_owned());
        }
        if let Some(compiler) = c_compiler {
            let name = target.replace('-', "_");
            cargo.env(format!("CC_{name}"), compiler);
            // Some distributions' compilers check sizes by functions that only glibc has.
            cargo.env(format!("CFLAGS_{name}"), "-U_FORTIFY_SOURCE");
        }
        // Nobody's folders stand in the agent, and it is the same wherever it is built.
        for (path, name) in [(self.workspace.clone(), "/garboard"), (cargo_home()?, "/cargo")] {
            flags.push(format!("--remap-path-prefix={}={name}", path.display()));
        }
        cargo.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
        let status = cargo.status()?;
        if !status.success() {
            return Err(
                format!("`{}` could not be built: {cargo:?} ended with {status}", self.package).into()
            );
        }
        // Cargo's `dev` profile is the one whose folder has another name.
        let profile = if self.profile == "dev" { "debug" } else { &self.profile };
        Ok(self.folder.join(target).join(profile).join(self.package))
    }
}

/// As the CLI embeds it: a zlib stream, whose checksum notices damage. Deflate halves an agent; the next better methods save
/// a tenth of the CLI's size more, and each would be a library more in it.
pub(crate) fn compressed(program: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(program)?;
    encoder.finish()
}

fn is_outer(name: &str) -> bool {
    let prefixes = ["CARGO_CFG_", "CARGO_FEATURE_", "CARGO_PKG_", "CARGO_MANIFEST_"];
    let names = [
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
    ];
    prefixes.iter().any(|prefix| name.starts_with(prefix)) || names.contains(&name)
}

/// Where cargo keeps the sources of dependencies.
fn cargo_home() -> Result<PathBuf, Box<dyn Error>> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    Ok(home.ok_or("neither CARGO_HOME nor HOME is set")?)
}
