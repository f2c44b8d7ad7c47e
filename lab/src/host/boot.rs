//! The last steps before a host's container starts, in a process that then becomes systemd-nspawn.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;

use super::identity::VOLUMES;
use crate::{Error, Lab, Places, Result, base, cgroup, namespace};

/// System calls that container engines and kubelet make and that systemd-nspawn refuses by default.
const SYSTEM_CALLS: &str = "@keyring bpf perf_event_open @mount @raw-io @module @clock @pkey @resources @swap kcmp open_by_handle_at";

/// Becomes the container of a host; comes back only when that fails.
///
/// # Errors
/// When one of the steps fails.
pub(crate) fn boot(places: &Places, lab: &str, host: &str) -> Result<std::convert::Infallible> {
    // The supervisor's end is a power cut: nobody would be left to restart the host.
    set_pdeathsig(Signal::SIGKILL).map_err(Error::system("tie the host to its supervisor"))?;
    let opened = Lab::open(places, lab)?;
    let base = base::root(places, opened.record.base(opened.host(host)?)?);
    let folder = places.host(lab, host);
    let name = namespace::of_host(lab, host);
    cgroup::join(&name)?;
    // The root is mounted for this container alone: with its last process it is gone, also after a crash.
    unshare(CloneFlags::CLONE_NEWNS).map_err(Error::system("make a mount namespace"))?;
    let none: Option<&str> = None;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_SLAVE, none)
        .map_err(Error::system("detach the mounts"))?;
    mount_root(&base, &folder)?;
    // Entered before nspawn starts, not by its own option: /sys then shows this namespace's links.
    namespace::enter(&name)?;

    let mut command = Command::new("systemd-nspawn");
    command
        .env("SYSTEMD_NSPAWN_API_VFS_WRITABLE", "yes")
        .args(["--quiet", "--register=no", "--keep-unit", "--boot", "--notify-ready=yes", "--console=pipe"])
        .args(["--capability=all", "--resolv-conf=off", "--timezone=off", "--link-journal=no"])
        .arg(format!("--system-call-filter={SYSTEM_CALLS}"))
        .arg(format!("--machine={name}"))
        .arg(format!("--hostname={host}"))
        .arg(format!("--directory={}", folder.join("root").display()));
    for (volume, _) in VOLUMES {
        command.arg(format!("--bind={}:/var/lib/{volume}", folder.join(volume).display()));
    }
    for device in ["/dev/net/tun", "/dev/kmsg"] {
        if Path::new(device).exists() {
            command.arg(format!("--bind={device}"));
        }
    }
    Err(Error::Spawn { command: "systemd-nspawn".into(), source: command.exec() })
}

fn mount_root(lower: &Path, folder: &Path) -> Result<()> {
    // With the index an overlay's files have handles, which an observer needs to name what changed.
    let options = format!(
        "lowerdir={},upperdir={},workdir={},index=on,nfs_export=on",
        lower.display(),
        folder.join("upper").display(),
        folder.join("work").display()
    );
    mount(Some("overlay"), &folder.join("root"), Some("overlay"), MsFlags::empty(), Some(options.as_str()))
        .map_err(Error::system(format!("mount the overlay `{}`", folder.join("root").display())))
}
