//! Building a base image with mmdebstrap.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use super::{EARLY_SERVICE, LOGIND_CONF, RELEASE, apt, packages};
use crate::{Error, Result, program};

/// Builds the image into `root`, which must not exist.
pub(super) fn build(root: &Path, progress: &dyn Fn(&str)) -> Result<()> {
    debootstrap(root, progress)?;
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
    // Keys belong to a host, not to an image.
    for entry in fs_err::read_dir(root.join("etc/ssh"))? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with("ssh_host_") {
            fs_err::remove_file(entry.path())?;
        }
    }
    // What mmdebstrap leaves of the machine it ran on.
    for name in ["etc/resolv.conf", "etc/hostname"] {
        fs_err::remove_file(root.join(name))?;
    }
    Ok(())
}

fn debootstrap(root: &Path, progress: &dyn Fn(&str)) -> Result<()> {
    let include = format!("--include={}", packages().join(","));
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
    argv.push(RELEASE.into());
    argv.push(root.to_string_lossy().into_owned());
    argv.push("-".into());

    let began = Instant::now();
    progress(&format!(
        "base image: building Debian {RELEASE} with mmdebstrap; about a minute, kept in the cache"
    ));
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
        stdin.write_all(apt::sources(RELEASE)?.as_bytes())?;
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
