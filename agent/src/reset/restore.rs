//! One entry of the baseline: giving its earlier value back, and telling whether it is back.

use std::path::Path;
use std::time::Duration;

use garboard_protocol::reset::Leftover;

use super::modules;
use crate::packages::{State, Status};
use crate::steps::path::failed;
use crate::steps::swap::COMMENT;
use crate::steps::sysctl::{live, path_of};
use crate::steps::unit::{is_running, state};
use crate::steps::{Baseline, Content, Entry, PathBefore, StepError};
use crate::steps::{boot_config, nft, sshd};
use crate::system::{Command, CommandError, Kind, Look, System, temporary};

const JOB: Duration = Duration::from_mins(2);

/// Whether an entry waits until all that the software made is gone: folders that are still in use until then, and what
/// stands for all of it.
pub(crate) fn is_late(entry: &Entry, look: &dyn Look) -> bool {
    match entry {
        // Swap is turned on again only when nothing masks its unit; sshd reads its configuration when all of it is what it was.
        // A module goes after the links and mounts that need it.
        Entry::Member { .. } | Entry::Swap { .. } | Entry::Sshd {} | Entry::KernelModule { .. } => true,
        Entry::Path { path, before: None } => {
            matches!(look.metadata(Path::new(path)), Ok(Some(found)) if found.kind == Kind::Directory)
        }
        // Started again only when its files are what they were.
        Entry::Unit { active, .. } => *active,
        _ => false,
    }
}

/// Gives the earlier value back. Does nothing where it is back already.
pub(crate) fn restore(entry: &Entry, baseline: &dyn Baseline, system: &dyn System) -> Result<(), StepError> {
    match entry {
        Entry::Path { path, before: None } => remove(path, system),
        Entry::Path { path, before: Some(before) } => put_back(path, before, baseline, system),
        Entry::Sysctl { key, before } => {
            let file = path_of(key);
            match live(key, system.look())? {
                // A setting that went away with its module.
                None => Ok(()),
                Some(now) if now == *before => Ok(()),
                Some(_) => {
                    system.poke(&file, before.as_bytes()).map_err(failed("set", &file.to_string_lossy()))
                }
            }
        }
        Entry::KernelModule { name } => modules::give_back(name, system),
        Entry::Swap { path, unit } => turn_swap_on(path, unit.as_deref(), system),
        Entry::Unit { name, enabled, active, configured } => {
            restore_unit(name, enabled, *active, *configured, system)
        }
        Entry::Hostname { before } => {
            system.set_hostname(before).map_err(failed("set the host name in", "/proc/sys/kernel/hostname"))
        }
        Entry::Line { path, line } => remove_line(path, line, system),
        Entry::NftTable { table } => nft::remove(table, system),
        Entry::Sshd {} => sshd::reload(system),
        Entry::KernelParameter { path, parameter } => boot_config::remove(path, parameter, system),
        // Packages all at once, by `super::work`: they need each other.
        Entry::Package { .. } | Entry::Member { .. } => Ok(()),
    }
}

/// What is still not as it was; `None` when it is.
pub(super) fn leftover(entry: &Entry, look: &dyn Look) -> Result<Option<Leftover>, StepError> {
    let of = |kind: &str, subject: &str, detail: String| {
        Ok(Some(Leftover { kind: kind.to_owned(), subject: subject.to_owned(), detail }))
    };
    match entry {
        Entry::Path { path, before } => {
            let found = look.metadata(Path::new(path)).map_err(failed("read", path))?;
            match (found, before) {
                (None, None) => Ok(None),
                (Some(found), None) if found.kind == Kind::Directory => {
                    let names = look.list(Path::new(path)).map_err(failed("read", path))?;
                    of("directory", path, format!("was not there before; holds {} entries", names.len()))
                }
                (Some(_), None) => of("file", path, "was not there before".to_owned()),
                (None, Some(_)) => of("file", path, "was there before and is gone".to_owned()),
                (Some(_), Some(before)) if is_back(path, before, look)? => Ok(None),
                (Some(_), Some(_)) => of("file", path, "is not what it was before".to_owned()),
            }
        }
        Entry::Sysctl { key, before } => match live(key, look)? {
            Some(now) if now != *before => of("sysctl", key, format!("was {before}, is {now}")),
            _ => Ok(None),
        },
        Entry::Swap { path, .. } => {
            let on = look
                .read_text(Path::new("/proc/swaps"))
                .map_err(failed("read", "/proc/swaps"))?
                .unwrap_or_default();
            if on.lines().any(|line| line.split_whitespace().next() == Some(path)) {
                return Ok(None);
            }
            of("swap", path, "was on before, is off".to_owned())
        }
        Entry::Unit { name, enabled, active, .. } => {
            let now = state(name, look)?;
            if now.enabled != *enabled {
                return of("unit", name, format!("was `{enabled}`, is `{}`", now.enabled));
            }
            if is_running(&now) != *active {
                let word = |active| if active { "running" } else { "stopped" };
                return of("unit", name, format!("was {}, is {}", word(*active), word(!*active)));
            }
            Ok(None)
        }
        Entry::Hostname { before } => {
            let now = look.read_text(Path::new("/proc/sys/kernel/hostname"));
            let now = now.map_err(failed("read", "/proc/sys/kernel/hostname"))?.unwrap_or_default();
            if now.trim() == before {
                return Ok(None);
            }
            of("hostname", now.trim(), format!("was {before}"))
        }
        Entry::Line { path, line } => {
            let text = look.read_text(Path::new(path)).map_err(failed("read", path))?.unwrap_or_default();
            if text.lines().any(|found| found == line) {
                return of("line", path, format!("still holds `{line}`"));
            }
            Ok(None)
        }
        Entry::Package { name, had_configuration } => {
            let status =
                Status::read(look).map_err(failed("read", "/var/lib/dpkg/status"))?.unwrap_or_default();
            match status.state(name) {
                None => Ok(None),
                Some(State::Configuration) if *had_configuration => Ok(None),
                Some(State::Configuration) => {
                    of("package", name, "its configuration was not there before".to_owned())
                }
                Some(_) => of("package", name, "was not installed before".to_owned()),
            }
        }
        Entry::NftTable { table } => {
            if nft::is_there(table, look)? {
                return of("nft table", table, "was not there before".to_owned());
            }
            Ok(None)
        }
        Entry::KernelParameter { path, parameter } => {
            if boot_config::is_there(path, parameter, look)? {
                return of("kernel parameter", parameter, format!("is still in `{path}`"));
            }
            Ok(None)
        }
        Entry::KernelModule { .. } | Entry::Member { .. } | Entry::Sshd {} => Ok(None),
    }
}

/// Whether the unit of an entry went away with the package that had brought it: it was noted after one came, and systemd
/// knows no such unit any more.
pub(super) fn went_with_package(
    entry: &Entry,
    entries: &[Entry],
    look: &dyn Look,
) -> Result<bool, StepError> {
    let Entry::Unit { name, enabled, .. } = entry else { return Ok(false) };
    let mut earlier = entries.iter().take_while(|other| *other != entry);
    if enabled.is_empty() || !earlier.any(|other| matches!(other, Entry::Package { .. })) {
        return Ok(false);
    }
    let now = state(name, look)?;
    Ok(now.enabled.is_empty() && !is_running(&now))
}

fn remove(path: &str, system: &dyn System) -> Result<(), StepError> {
    let file = Path::new(path);
    match system.metadata(file).map_err(failed("read", path))?.map(|found| found.kind) {
        None => Ok(()),
        Some(Kind::Directory) => {
            if !system.list(file).map_err(failed("read", path))?.is_empty() {
                return Err(StepError::Failed {
                    message: format!("`{path}` was not there before, but holds files that are not ours"),
                    help: Some(format!("look at `{path}`; it is safe to remove when nothing in it is yours")),
                });
            }
            system.remove_directory(file).map_err(failed("remove", path))
        }
        Some(_) => system.remove_file(file).map_err(failed("remove", path)),
    }
}

fn put_back(
    path: &str,
    before: &PathBefore,
    baseline: &dyn Baseline,
    system: &dyn System,
) -> Result<(), StepError> {
    let file = Path::new(path);
    if is_back(path, before, system.look())? {
        return Ok(());
    }
    let found = system.metadata(file).map_err(failed("read", path))?.map(|found| found.kind);
    let content = match &before.content {
        None => Vec::new(),
        Some(Content::Text(text)) => text.clone().into_bytes(),
        Some(Content::Kept(digest)) => {
            baseline.content(*digest).map_err(failed("read the earlier content of", path))?
        }
    };
    match before.kind.as_str() {
        "file" => system.write(file, &content, before.mode & 0o7777).map_err(failed("write", path))?,
        "symlink" => {
            if found.is_some() {
                system.remove_file(file).map_err(failed("remove", path))?;
            }
            let target = String::from_utf8_lossy(&content).into_owned();
            return system.symlink(Path::new(&target), file).map_err(failed("link", path));
        }
        "directory" if found.is_none() => {
            system.create_directory(file, before.mode & 0o7777).map_err(failed("make", path))?;
        }
        _ => {}
    }
    system.set_owner(file, before.user, before.group).map_err(failed("set the owner of", path))?;
    system.set_mode(file, before.mode & 0o7777).map_err(failed("set the mode of", path))
}

fn is_back(path: &str, before: &PathBefore, look: &dyn Look) -> Result<bool, StepError> {
    let file = Path::new(path);
    let Some(found) = look.metadata(file).map_err(failed("read", path))? else { return Ok(false) };
    let kind = match found.kind {
        Kind::File => "file",
        Kind::Directory => "directory",
        Kind::Symlink => "symlink",
        Kind::Other => "other",
    };
    if kind != before.kind {
        return Ok(false);
    }
    let same_content = match (&before.content, found.kind) {
        (Some(Content::Text(text)), Kind::Symlink) => {
            look.read_link(file).map_err(failed("read", path))? == Path::new(text)
        }
        (Some(Content::Text(text)), _) => {
            found.size == text.len() as u64
                && look.read(file).map_err(failed("read", path))? == text.as_bytes()
        }
        (Some(Content::Kept(digest)), _) => look.digest(file).map_err(failed("read", path))?.0 == *digest,
        (None, _) => true,
    };
    let same_attributes = found.kind == Kind::Symlink
        || (found.mode & 0o7777, found.user, found.group)
            == (before.mode & 0o7777, before.user, before.group);
    Ok(same_content && same_attributes)
}

fn restore_unit(
    name: &str,
    enabled: &str,
    active: bool,
    configured: bool,
    system: &dyn System,
) -> Result<(), StepError> {
    let now = state(name, system.look())?;
    if is_running(&now) && !active {
        run(&Command::new("systemctl", ["stop", "--", name]).timeout(JOB), system, &[0])?;
    }
    let verb = match (enabled, now.enabled.as_str()) {
        ("enabled", "enabled") => None,
        ("enabled", _) => Some("enable"),
        (_, "enabled") => Some("disable"),
        _ => None,
    };
    if let Some(verb) = verb {
        // Without its own reload of systemd: one follows when all is restored.
        system.run(&Command::new("systemctl", [verb, "--no-reload", "--", name]).timeout(JOB))?;
    }
    let verb = match (active, is_running(&now)) {
        (true, false) => Some("start"),
        // It still goes by files of ours, which are gone by now.
        (true, true) if configured => Some("restart"),
        _ => None,
    };
    if let Some(verb) = verb {
        system.run(&Command::new("systemctl", [verb, "--", name]).timeout(JOB))?;
    }
    Ok(())
}

/// By its unit, where a generator makes one: after a reboot a device of zram is empty, and the unit sets it up first.
fn turn_swap_on(path: &str, unit: Option<&str>, system: &dyn System) -> Result<(), StepError> {
    if crate::facts::swap::active(system.look()).iter().any(|active| active == path) {
        return Ok(());
    }
    // What was masked a moment ago, systemd knows as masked; generators run again.
    system.run(&Command::new("systemctl", ["daemon-reload"]).timeout(JOB))?;
    for folder in ["/run/systemd/generator", "/run/systemd/generator.late"] {
        let Some(unit) = unit else { break };
        let generated = format!("{folder}/{unit}");
        if system.metadata(Path::new(&generated)).map_err(failed("read", &generated))?.is_some() {
            system.run(&Command::new("systemctl", ["start", "--", unit]).timeout(JOB))?;
            return Ok(());
        }
    }
    system.run(&Command::new("swapon", [path]))?;
    Ok(())
}

fn remove_line(path: &str, line: &str, system: &dyn System) -> Result<(), StepError> {
    let file = Path::new(path);
    // What a crash left of a write.
    let unfinished = temporary(file);
    if system.metadata(&unfinished).map_err(failed("read", path))?.is_some() {
        system.remove_file(&unfinished).map_err(failed("remove", &unfinished.to_string_lossy()))?;
    }
    let Some(found) = system.metadata(file).map_err(failed("read", path))? else { return Ok(()) };
    let text = system.read(file).map_err(failed("read", path))?;
    let mut is_gone = false;
    let mut content = Vec::with_capacity(text.len());
    for piece in text.split_inclusive(|byte| *byte == b'\n') {
        let bare = piece.strip_suffix(b"\n").unwrap_or(piece);
        if is_gone || bare != line.as_bytes() {
            content.extend_from_slice(piece);
            continue;
        }
        is_gone = true;
        // A line that was commented out by us comes back; one that was added goes.
        if line.starts_with(COMMENT) {
            content.extend_from_slice(&piece[COMMENT.len()..]);
        }
    }
    if is_gone {
        system.write(file, &content, found.mode & 0o7777).map_err(failed("write", path))?;
        system.set_owner(file, found.user, found.group).map_err(failed("set the owner of", path))?;
    }
    Ok(())
}

/// Runs a command; an exit code not in `expected` is an error only when `expected` names any.
fn run(command: &Command, system: &dyn System, expected: &[i32]) -> Result<(), StepError> {
    match system.run(command) {
        Ok(_) => Ok(()),
        Err(CommandError::Exit { .. }) if expected.is_empty() => Ok(()),
        Err(CommandError::Start { source, .. })
            if source.kind() == std::io::ErrorKind::NotFound && expected.is_empty() =>
        {
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}
