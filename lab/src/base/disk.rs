//! Building the base disk of virtual machines.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use fs_err::os::unix::fs::symlink;

use super::{DIGESTS, DISK, INITRD, KERNEL, Release, apt, build, emulation, vm_packages};
use crate::hash::{ImageFile, digest};
use crate::machine::Architecture;
use crate::record::write_json;
use crate::{Error, Result, program};

/// Room for a node: images, containers and logs. The file holds only what is written to it.
const SIZE: &str = "12G";
/// The drivers below and no others; packed at the least expense, which counts where that is emulated.
const INITRAMFS: &str = "MODULES=list\nCOMPRESSLEVEL=1\n";
/// What the kernel needs to find its disk.
const MODULES: &str = "virtio_pci\nvirtio_blk\next4\ncrc32c\n";
/// Folders that a host's own files come into.
const FOLDERS: [(&str, u32); 2] = [("root/.ssh", 0o700), ("etc/systemd/network", 0o755)];

/// Builds disk, kernel, initial RAM disk and the digests of its files into `folder`.
pub(super) fn build(
    folder: &Path,
    release: Release,
    architecture: Architecture,
    progress: &dyn Fn(&str),
) -> Result<()> {
    let (said, heard) = std::sync::mpsc::channel::<String>();
    std::thread::scope(|scope| {
        // On a thread of its own: it may get other mounts for the time of the build.
        let thread = scope.spawn(move || {
            // Nobody listens any more when this fails, and nobody misses it.
            build_here(folder, release, architecture, &|line| drop(said.send(line.to_owned())))
        });
        for line in heard {
            progress(&line);
        }
        match thread.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

fn build_here(
    folder: &Path,
    release: Release,
    architecture: Architecture,
    progress: &dyn Fn(&str),
) -> Result<()> {
    let (root, stage, work) = (folder.join("root"), folder.join("stage"), folder.join("keyring"));
    fs_err::create_dir_all(stage.join("etc/initramfs-tools/conf.d"))?;
    fs_err::write(stage.join("etc/initramfs-tools/conf.d/garboard-lab.conf"), INITRAMFS)?;
    fs_err::write(stage.join("etc/initramfs-tools/modules"), MODULES)?;
    let sources = apt::sources(release, &work)?;
    let packages = vm_packages(release, architecture);
    let more = [
        format!("--architectures={}", architecture.as_str()),
        // It would look for the machine's own registration of another architecture's programs, which we see to.
        "--skip=check/qemu".into(),
        format!("--essential-hook=sync-in {} /", stage.display()),
    ];
    let emulation = emulation::Emulation::of(architecture)?;
    let minutes = if emulation.is_needed() { "ten minutes or more" } else { "about a minute" };
    progress(&format!(
        "base disk: building {} for {} with mmdebstrap; {minutes}, kept in the cache",
        release.title(),
        architecture.as_str()
    ));
    build::debootstrap(&root, release, &packages, &more, &sources, progress)?;
    drop(emulation);
    progress("base disk: writing it");
    finish(&root)?;
    take_kernel(&root, folder)?;
    let disk = folder.join(DISK);
    let (from, to) = (root.to_string_lossy(), disk.to_string_lossy());
    program::run(&["mke2fs", "-q", "-F", "-t", "ext4", "-L", "root", "-d", &from, &to, SIZE])?;
    write_json(&folder.join(DIGESTS), &files(&root)?)?;
    for used in [&root, &stage, &work] {
        if used.exists() {
            fs_err::remove_dir_all(used)?;
        }
    }
    Ok(())
}

/// What an installer does after the packages.
fn finish(root: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs_err::write(root.join("etc/fstab"), super::FSTAB)?;
    // The network by systemd, as in the vendor's cloud images.
    let units = root.join("etc/systemd/system");
    for (unit, wanted_by) in [
        ("systemd-networkd.service", "multi-user.target"),
        ("systemd-networkd-wait-online.service", "network-online.target"),
    ] {
        let wants = units.join(format!("{wanted_by}.wants"));
        fs_err::create_dir_all(&wants)?;
        symlink(format!("/usr/lib/systemd/system/{unit}"), wants.join(unit))?;
    }
    let settings = root.join("usr/lib/systemd/logind.conf.d");
    fs_err::create_dir_all(&settings)?;
    fs_err::write(settings.join("garboard-lab.conf"), super::LOGIND_CONF)?;
    for (name, mode) in FOLDERS {
        fs_err::create_dir_all(root.join(name))?;
        fs_err::set_permissions(root.join(name), std::fs::Permissions::from_mode(mode))?;
    }
    build::forget_the_builder(root)
}

fn take_kernel(root: &Path, folder: &Path) -> Result<()> {
    for (prefix, name) in [("vmlinuz-", KERNEL), ("initrd.img-", INITRD)] {
        let mut found = None;
        for entry in fs_err::read_dir(root.join("boot"))? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(prefix) {
                found = Some(entry.path());
            }
        }
        let Some(found) = found else {
            return Err(Error::Refused {
                message: format!("the base disk has no `/boot/{prefix}…` to start"),
            });
        };
        fs_err::copy(found, folder.join(name))?;
    }
    Ok(())
}

/// All files of the root, by path, as the disk has them.
fn files(root: &Path) -> Result<BTreeMap<String, ImageFile>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs_err::read_dir(folder)? {
            let entry = entry?;
            let (path, metadata) = (entry.path(), entry.metadata()?);
            let shown = format!("/{}", path.strip_prefix(root).unwrap_or(&path).display());
            let digest = match metadata.file_type() {
                kind if kind.is_file() => Some(digest(&path)?),
                _ => None,
            };
            if metadata.is_dir() {
                folders.push(path);
            }
            files.insert(shown, ImageFile { changed: metadata.ctime(), size: metadata.size(), digest });
        }
    }
    Ok(files)
}
