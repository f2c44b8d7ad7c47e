//! Which loader starts the host, and which file it takes the kernel's parameters from: found by looking.
//!
//! Sources: Raspberry Pi OS since bookworm mounts the boot partition at `/boot/firmware` and leaves a `/boot/cmdline.txt` that
//! only says so; before, it was `/boot` itself
//! (<https://www.raspberrypi.com/documentation/computers/configuration.html#kernel-command-line-cmdline-txt>). Ubuntu for
//! Raspberry Pi mounts it at `/boot/firmware` too; from 25.10 on its boot assets, `cmdline.txt` among them, lie in
//! `/boot/firmware/current`, and those of an upgrade that the next boot tries in `/boot/firmware/new`
//! (<https://canonical-ubuntu-boards.readthedocs-hosted.com/en/latest/explanations/piboot-ab>).

use std::io;
use std::path::Path;

use crate::system::{Kind, Look};

const FIRMWARE: &str = "/boot/firmware";
const BOOT: &str = "/boot";
/// Ubuntu's two sets of boot assets: whichever the next boot takes, it has to find the parameters there.
const SETS: [&str; 2] = ["/boot/firmware/current/cmdline.txt", "/boot/firmware/new/cmdline.txt"];
const GRUB: &str = "/etc/default/grub";

/// What starts the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Loader {
    /// The firmware of a Raspberry Pi.
    Firmware {
        /// The files it reads the kernel's parameters from.
        files: Vec<&'static str>,
        /// Their folder, when nothing is mounted there.
        unmounted: Option<&'static str>,
    },
    /// GRUB, whose generated configuration this version does not touch.
    Grub,
    /// Nothing that is known.
    Unknown,
}

impl Loader {
    /// Looks for it.
    ///
    /// # Errors
    /// When the boot files cannot be looked at.
    pub fn find(look: &dyn Look) -> io::Result<Self> {
        let is_there = |path: &str| {
            let found = look.metadata(Path::new(path))?;
            io::Result::Ok(found.is_some_and(|found| found.kind == Kind::File))
        };
        let mut files = Vec::new();
        for file in SETS {
            if is_there(file)? {
                files.push(file);
            }
        }
        // The set of an upgrade alone would be a layout that nobody makes.
        if files.first() == Some(&SETS[0]) {
            return Ok(Self::firmware(files, FIRMWARE, look));
        }
        if is_there("/boot/firmware/cmdline.txt")? {
            return Ok(Self::firmware(vec!["/boot/firmware/cmdline.txt"], FIRMWARE, look));
        }
        let old = "/boot/cmdline.txt";
        if is_there(old)? && is_mounted(BOOT, look) {
            return Ok(Self::firmware(vec![old], BOOT, look));
        }
        // A Raspberry Pi whose boot partition is not mounted: the files are to be expected, but are not here.
        let model = look.read_text(Path::new("/proc/device-tree/model")).ok().flatten().unwrap_or_default();
        if model.starts_with("Raspberry Pi") && !is_there(GRUB)? {
            return Ok(Self::Firmware {
                files: vec!["/boot/firmware/cmdline.txt"],
                unmounted: Some(FIRMWARE),
            });
        }
        Ok(if is_there(GRUB)? { Self::Grub } else { Self::Unknown })
    }

    fn firmware(files: Vec<&'static str>, folder: &'static str, look: &dyn Look) -> Self {
        Self::Firmware { files, unmounted: (!is_mounted(folder, look)).then_some(folder) }
    }
}

/// What the running kernel was started with; empty where that cannot be read.
pub fn running_line(look: &dyn Look) -> String {
    let line = look.read_text(Path::new("/proc/cmdline")).ok().flatten().unwrap_or_default();
    line.trim().to_owned()
}

/// Whether a file system other than a place-holder for one (autofs) is mounted exactly here (`proc(5)`, mountinfo).
fn is_mounted(folder: &str, look: &dyn Look) -> bool {
    let mounts = look.read_text(Path::new("/proc/self/mountinfo")).ok().flatten().unwrap_or_default();
    mounts.lines().any(|mount| {
        let kind = mount.split_once(" - ").and_then(|(_, rest)| rest.split(' ').next());
        mount.split(' ').nth(4) == Some(folder) && kind != Some("autofs")
    })
}
