//! The disk of a virtual machine: a copy of the base disk, with what makes it a machine of its own written into it.
//!
//! While the machine is off its disk is read and written by debugfs(8): nothing is mounted, so that nothing is left mounted.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::{Error, Result, program};

/// The disk's name in a host's folder.
pub(crate) const NAME: &str = "disk.ext4";
/// Copies the base disk, without the room that nothing fills.
pub(crate) fn copy(base: &Path, disk: &Path) -> Result<()> {
    let (base, disk) = (base.to_string_lossy(), disk.to_string_lossy());
    program::run(&["cp", "--sparse=always", "--reflink=auto", "--", &base, &disk]).map(drop)
}

/// Writes all below `folder` into the disk, owned by root, with the modes that it has there. `present` are the folders
/// that the disk has already; those keep their modes.
pub(crate) fn fill(disk: &Path, folder: &Path, present: &dyn Fn(&Path) -> bool) -> Result<()> {
    let mut commands = String::new();
    write_commands(folder, Path::new(""), present, &mut commands)?;
    let argv = ["debugfs", "-w", "-f", "-", &disk.to_string_lossy()];
    let output = program::output(&argv, &commands)?;
    match complaint(&String::from_utf8_lossy(&output.stderr)) {
        Some(complaint) => Err(Error::Refused {
            message: format!("cannot write into the disk `{}`: {complaint}", disk.display()),
        }),
        None => Ok(()),
    }
}

fn write_commands(
    folder: &Path,
    below: &Path,
    present: &dyn Fn(&Path) -> bool,
    commands: &mut String,
) -> Result<()> {
    use std::os::unix::fs::MetadataExt as _;
    let mut entries: Vec<PathBuf> = Vec::new();
    for entry in fs_err::read_dir(folder.join(below))? {
        entries.push(below.join(entry?.file_name()));
    }
    entries.sort();
    for entry in entries {
        let (source, target) = (folder.join(&entry), Path::new("/").join(&entry));
        let (shown, mode) = (target.display(), fs_err::symlink_metadata(&source)?.mode());
        if source.is_dir() {
            if !present(&target) {
                let _ = writeln!(commands, "mkdir \"{shown}\"\nset_inode_field \"{shown}\" mode 0{mode:o}");
            }
            write_commands(folder, &entry, present, commands)?;
        } else {
            if present(&target) {
                let _ = writeln!(commands, "rm \"{shown}\"");
            }
            let _ = writeln!(
                commands,
                "write \"{}\" \"{shown}\"\nset_inode_field \"{shown}\" mode 0{mode:o}\n\
                 set_inode_field \"{shown}\" uid 0\nset_inode_field \"{shown}\" gid 0",
                source.display()
            );
        }
    }
    Ok(())
}

/// debugfs ends well whatever happened. On standard error it says its version, and what went wrong.
fn complaint(said: &str) -> Option<String> {
    let lines: Vec<&str> = said
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with("debugfs 1"))
        .collect();
    (!lines.is_empty()).then(|| lines.join(" | "))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn files_written_into_a_disk_are_read_back_and_faults_are_told() {
        let work = tempfile::tempdir().unwrap();
        let (root, own, disk) =
            (work.path().join("root"), work.path().join("own"), work.path().join("disk.ext4"));
        fs_err::create_dir_all(root.join("etc")).unwrap();
        fs_err::write(root.join("etc/hostname"), "image\n").unwrap();
        let (root, at) = (root.to_string_lossy().into_owned(), disk.to_string_lossy().into_owned());
        program::run(&["mke2fs", "-q", "-t", "ext4", "-d", &root, &at, "16M"]).unwrap();
        fs_err::create_dir_all(own.join("etc/ssh")).unwrap();
        fs_err::write(own.join("etc/hostname"), "cp1\n").unwrap();
        fs_err::write(own.join("etc/ssh/key"), "secret\n").unwrap();
        fs_err::set_permissions(own.join("etc/ssh/key"), std::fs::Permissions::from_mode(0o600)).unwrap();
        let present = |path: &Path| ["/etc", "/etc/hostname"].iter().any(|one| Path::new(one) == path);
        fill(&disk, &own, &present).unwrap();
        let look = |request: &str| program::run(&["debugfs", "-R", request, &at]).unwrap();
        assert_eq!(look("cat /etc/hostname"), "cp1\n");
        let shown = look("stat /etc/ssh/key");
        assert!(shown.contains("Type: regular    Mode:  0600"), "{shown}");
        // What the disk is said to have and has not is no silent success.
        fs_err::write(own.join("etc/new"), "").unwrap();
        let error = fill(&disk, &own, &|_| true).unwrap_err().to_string();
        assert!(error.contains("File not found"), "{error}");
    }
}
