//! Running another architecture's programs while a base disk is built: the kernel is told which program emulates them.

use std::path::Path;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use crate::machine::Architecture;
use crate::{Error, Result};

const FOLDER: &str = "/proc/sys/fs/binfmt_misc";

/// Where programs of an architecture are emulated, until it goes.
pub(super) struct Emulation {
    is_needed: bool,
    /// What we told the kernel, to be taken back.
    registered: Option<&'static str>,
}

/// Name, first bytes and emulator of an architecture's programs, as `binfmt.d(5)` has them: little-endian ELF files of
/// 64 bits, of which the eighteenth byte is the machine.
fn format_of(architecture: Architecture) -> (&'static str, u8) {
    match architecture {
        Architecture::Amd64 => ("qemu-x86_64", 0x3e),
        Architecture::Arm64 => ("qemu-aarch64", 0xb7),
    }
}

impl Emulation {
    /// Sees to it that this process and its children run such programs. Where the machine has been told already (the
    /// package `qemu-user-static` does, where systemd runs), that is used; else it is told, and forgets it at the end.
    pub(super) fn of(architecture: Architecture) -> Result<Self> {
        if Architecture::own() == Some(architecture) {
            return Ok(Self { is_needed: false, registered: None });
        }
        let (name, machine) = format_of(architecture);
        // The kernel's table is shown to this thread alone where nobody has mounted it.
        if !Path::new(FOLDER).join("register").exists() {
            unshare(CloneFlags::CLONE_NEWNS).map_err(Error::system("make a mount namespace"))?;
            let none: Option<&str> = None;
            mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_SLAVE, none)
                .map_err(Error::system("detach the mounts"))?;
            mount(Some("binfmt_misc"), FOLDER, Some("binfmt_misc"), MsFlags::empty(), none)
                .map_err(Error::system("mount the kernel's table of emulators (binfmt_misc)"))?;
        }
        if Path::new(FOLDER).join(name).exists() {
            return Ok(Self { is_needed: true, registered: None });
        }
        fs_err::write(Path::new(FOLDER).join("register"), rule(name, machine))?;
        Ok(Self { is_needed: true, registered: Some(name) })
    }

    /// Whether programs are emulated.
    pub(super) fn is_needed(&self) -> bool {
        self.is_needed
    }
}

impl Drop for Emulation {
    fn drop(&mut self) {
        if let Some(name) = self.registered
            && let Err(error) = fs_err::write(Path::new(FOLDER).join(name), "-1")
        {
            tracing::debug!(%error, "the kernel still knows the emulator");
        }
    }
}

/// A line for the kernel. `F`: the emulator is opened now, so that it need not be in the new root; `O` and `C`: as the
/// package's own registration has them.
fn rule(name: &str, machine: u8) -> String {
    let magic = format!(
        "\\x7fELF\\x02\\x01\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x02\\x00\\x{machine:02x}\\x00"
    );
    let mask = "\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x00\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xfe\\xff\\xff\\xff";
    format!(":{name}:M::{magic}:{mask}:/usr/bin/{name}-static:OCF")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_is_the_one_that_the_package_registers() {
        let rule = rule("qemu-aarch64", 0xb7);
        assert!(rule.starts_with(":qemu-aarch64:M::\\x7fELF\\x02"), "{rule}");
        assert!(rule.contains("\\x02\\x00\\xb7\\x00:\\xff"), "{rule}");
        assert!(rule.ends_with(":/usr/bin/qemu-aarch64-static:OCF"), "{rule}");
    }
}
