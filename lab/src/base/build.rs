//! Building a base image with mmdebstrap.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use super::{EARLY_SERVICE, LOGIND_CONF, Release, apt, packages};
use crate::{Error, Result, program};

/// Builds the image of a release into `root`, which must not exist. Folders beside it are the build's own.
pub(super) fn build(root: &Path, release: Release, progress: &dyn Fn(&str)) -> Result<()> {
    let work = root.with_file_name("keyring");
    let sources = apt::sources(release, &work)?;
    progress(&format!(
        "base image: building {} with mmdebstrap; about a minute, kept in the cache",
        release.title()
    ));
    debootstrap(root, release, &packages(release), &[], &sources, progress)?;
    // Keys that were fetched for the build are the host's own there.
    let list = root.join("etc/apt/sources.list");
    let fetched = work.join("root");
    let own = fs_err::read_to_string(&list)?.replace(&*fetched.to_string_lossy(), "");
    fs_err::write(list, own)?;
    if work.exists() {
        fs_err::remove_dir_all(work)?;
    }
    // See `packages.txt`; a package may come by another one's wish.
    if root.join("usr/bin/udevadm").exists() {
        return Err(Error::Refused {
            message: format!(
                "the image of {} holds udev, which would act on this machine's devices; leave out the package that brings it",
                release.title()
            ),
        });
    }
    let units = root.join("usr/lib/systemd/system");
    fs_err::write(units.join("garboard-lab-early.service"), EARLY_SERVICE)?;
    fs_err::create_dir_all(units.join("sysinit.target.wants"))?;
    fs_err::os::unix::fs::symlink(
        "../garboard-lab-early.service",
        units.join("sysinit.target.wants/garboard-lab-early.service"),
    )?;
    let settings = root.join("usr/lib/systemd/logind.conf.d");
    fs_err::create_dir_all(&settings)?;
    fs_err::write(settings.join("garboard-lab.conf"), LOGIND_CONF)?;
    forget_the_builder(root)
}

/// Removes what belongs to one machine.
pub(super) fn forget_the_builder(root: &Path) -> Result<()> {
    // Keys belong to a host, not to an image.
    for entry in fs_err::read_dir(root.join("etc/ssh"))? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with("ssh_host_") {
            fs_err::remove_file(entry.path())?;
        }
    }
    // What mmdebstrap leaves of the machine it ran on.
    for name in ["etc/resolv.conf", "etc/hostname"] {
        match fs_err::remove_file(root.join(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}

/// Runs mmdebstrap with options of the caller's beside those that all roots have.
pub(super) fn debootstrap(
    root: &Path,
    release: Release,
    packages: &[&str],
    more: &[String],
    sources: &str,
    progress: &dyn Fn(&str),
) -> Result<()> {
    let include = format!("--include={}", packages.join(","));
    let mut argv: Vec<String> = [
        "setpriv",
        "--pdeathsig=KILL",
        "mmdebstrap",
        "--mode=root",
        "--format=directory",
        "--variant=apt",
        &include,
    ]
    .map(str::to_owned)
    .to_vec();
    argv.push("--aptopt=Acquire::Languages \"none\"".into());
    argv.extend(apt::options()?.into_iter().map(|option| format!("--aptopt={option}")));
    // Documentation and translations are a third of the image and no program reads them.
    for path in ["doc", "man", "locale", "info"] {
        argv.push(format!("--dpkgopt=path-exclude=/usr/share/{path}/*"));
    }
    argv.extend_from_slice(more);
    argv.push(release.as_str().into());
    argv.push(root.to_string_lossy().into_owned());
    argv.push("-".into());

    let began = Instant::now();
    let spawn = |source| Error::Spawn { command: argv.join(" "), source };
    let mut child = Command::new(&argv[0])
        .args(&argv[1..])
        .env("LC_ALL", "C")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(spawn)?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(sources.as_bytes())?;
    }
    let mut said = String::new();
    if let Some(stderr) = child.stderr.take() {
        for line in BufReader::new(stderr).lines() {
            let line = line?;
            if let Some(step) = line.strip_prefix("I: ") {
                progress(&format!("base image: {step} ({} s)", began.elapsed().as_secs()));
            }
            said.push_str(&line);
            said.push('\n');
        }
    }
    let status = child.wait()?;
    if status.success() {
        return Ok(());
    }
    Err(Error::Program { command: argv.join(" "), status, stderr: program::tail(&said, 8) })
}
