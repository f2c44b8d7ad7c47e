//! The boot partition of a virtual machine that starts as a Raspberry Pi does: FAT, mounted at `/boot/firmware`, with the line that
//! its firmware reads. A disk of its own here, read and written by mtools(1) while the machine is off.

use std::path::Path;

use crate::{Result, program};

/// Its name in a host's folder.
pub(crate) const NAME: &str = "boot.vfat";
/// What mounts it, as on Raspberry Pi OS. The second disk, behind that of `/`.
pub(crate) const FSTAB_LINE: &str = "/dev/vdb /boot/firmware vfat defaults 0 2\n";
/// The line of a new Raspberry Pi, without the names of disk and console, which are the firmware's here.
pub(crate) const FIRST_LINE: &str = "rootfstype=ext4 fsck.repair=yes rootwait quiet\n";

/// Room for the line, and for what is written beside it.
const KIBIBYTES: &str = "32768";
/// The file, as mtools calls it.
const LINE: &str = "::cmdline.txt";

/// Makes it, with the line of a new machine.
pub(crate) fn make(folder: &Path) -> Result<()> {
    let (partition, line) = (folder.join(NAME), folder.join("cmdline.txt"));
    fs_err::write(&line, FIRST_LINE)?;
    let (at, from) = (partition.to_string_lossy(), line.to_string_lossy());
    program::run(&["mkfs.vfat", "-C", "-n", "bootfs", &at, KIBIBYTES])?;
    program::run(&["mcopy", "-i", &at, &from, LINE])?;
    fs_err::remove_file(&line)?;
    Ok(())
}

/// The line file's text; empty where it is gone, as a firmware takes it.
pub(super) fn line(folder: &Path) -> Result<String> {
    let at = folder.join(NAME).to_string_lossy().into_owned();
    let output = program::output(&["mcopy", "-n", "-i", &at, LINE, "-"], "")?;
    Ok(if output.status.success() {
        String::from_utf8_lossy(&output.stdout).into_owned()
    } else {
        String::new()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_partition_has_the_line_of_a_new_machine() {
        let work = tempfile::tempdir().unwrap();
        make(work.path()).unwrap();
        assert_eq!(line(work.path()).unwrap(), FIRST_LINE);
        let at = work.path().join(NAME).to_string_lossy().into_owned();
        program::run(&["mdel", "-i", &at, LINE]).unwrap();
        assert_eq!(line(work.path()).unwrap(), "");
    }
}
