//! The `garboard` command for one architecture, as it is released: linked with glibc, since musl's resolver knows neither
//! `nsswitch.conf(5)` nor the `.local` names of a home network (docs/adr/0012).

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::product::{cargo, root, target};
use crate::program;

/// A release build.
pub(super) struct Release {
    architecture: &'static str,
    path: PathBuf,
}

impl Release {
    /// Builds it, agents included.
    pub(super) fn build(architecture: &'static str) -> anyhow::Result<Self> {
        let triple = format!("{architecture}-unknown-linux-gnu");
        let mut question = Command::new("rustc");
        question.current_dir(root()).args(["--print", "target-libdir", "--target", &triple]);
        anyhow::ensure!(
            Path::new(&program::output(&mut question)?).is_dir(),
            "this Rust has no standard library for {triple}; `rustup target add {triple}` brings it"
        );
        let mut build = cargo();
        build
            .current_dir(root())
            .args(["build", "--quiet", "--locked", "--release", "--package", "garboard", "--target", &triple])
            .arg("--target-dir")
            .arg(target())
            .env("CARGO_ENCODED_RUSTFLAGS", without_folders()?);
        if architecture != std::env::consts::ARCH {
            // `ring` is C and assembly in part.
            let compiler = format!("{architecture}-linux-gnu-gcc");
            let name = triple.replace('-', "_");
            build.env(format!("CC_{name}"), &compiler);
            build.env(format!("CARGO_TARGET_{}_LINKER", name.to_uppercase()), &compiler);
        }
        program::run(&mut build)?;
        let path = target().join(triple).join("release/garboard");
        anyhow::ensure!(path.is_file(), "the build left no `{}`", path.display());
        Ok(Self { architecture, path })
    }

    /// `garboard-VERSION-ARCHITECTURE-linux`: the archive and the folder in it.
    pub(super) fn name(&self) -> String {
        format!("garboard-{}-{}-linux", env!("CARGO_PKG_VERSION"), self.architecture)
    }

    /// Where it was built.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn is_of_this_machine(&self) -> bool {
        self.architecture == std::env::consts::ARCH
    }

    /// A call of it.
    pub(super) fn call(&self) -> Command {
        self.call_of(&self.path)
    }

    /// A call of the same command at another place, emulated where this machine is of another architecture.
    pub(super) fn call_of(&self, path: &Path) -> Command {
        if self.is_of_this_machine() {
            return Command::new(path);
        }
        // With the libraries of Debian's packages for cross compilers (`libc6-arm64-cross` and its like).
        let mut command = Command::new(format!("qemu-{}-static", self.architecture));
        command.args(["-L", &format!("/usr/{}-linux-gnu", self.architecture)]).arg(path);
        command
    }
}

/// The flags that keep the names of this machine's folders out of the program.
fn without_folders() -> anyhow::Result<String> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    let home = home.ok_or_else(|| anyhow::anyhow!("neither CARGO_HOME nor HOME is set"))?;
    let flags = [(root(), "/garboard"), (home, "/cargo")];
    let flags = flags.map(|(path, name)| format!("--remap-path-prefix={}={name}", path.display()));
    Ok(flags.join("\u{1f}"))
}
