//! `swap`: off now and after a reboot. Boot-time swap comes from `/etc/fstab`, from generators (zram, GPT partitions) that
//! make `.swap` units, or from services of their own; each is switched off where it stands and comes back with reset.

use std::path::Path;

use garboard_protocol::Observation;
use garboard_protocol::change::{Change, Field};
use garboard_protocol::step::{Outputs, Swap};

use super::path::{failed, unescape};
use super::unit::{self, State};
use super::{Context, Entry, Kind, ProbeContext, StepError};
use crate::system::{Command, Look};

const FSTAB: &str = "/etc/fstab";
/// Put before a line of `/etc/fstab` that we switched off; reset takes it away again.
pub(crate) const COMMENT: &str = "# garboard: ";

/// Services that make swap by themselves: Raspberry Pi OS up to bookworm, Debian's zram-tools, Ubuntu's zram-config.
const SERVICES: [&str; 3] = ["dphys-swapfile.service", "zramswap.service", "zram-config.service"];

impl Kind for Swap {
    fn probe(&self, context: &ProbeContext<'_>) -> Result<Observation, StepError> {
        let look = context.look;
        // In a container `/proc/swaps` shows the machine's swap, which is not this host's to switch off.
        if shared_kernel(look)? {
            return Ok(Observation::converged());
        }
        let off = || Some("off".to_owned());
        let mut changes = Vec::new();
        for path in active(look)? {
            changes.push(Change::new(path, Field::Swap, Some("on".to_owned()), off()));
        }
        for line in fstab_lines(look)? {
            changes.push(Change::new(
                FSTAB,
                Field::Value,
                Some(line.clone()),
                Some(format!("{COMMENT}{line}")),
            ));
        }
        for service in SERVICES {
            if service_exists(service, look)? {
                let state = unit::state(service, look)?;
                if state.enabled == "enabled" {
                    changes.push(Change::new(
                        service,
                        Field::Enabled,
                        Some(state.enabled),
                        Some("disabled".to_owned()),
                    ));
                }
            }
        }
        Ok(Observation::from_changes(changes))
    }

    fn apply(&self, _changes: &[Change], context: &Context<'_>) -> Result<Outputs, StepError> {
        let look = context.system.look();
        for service in SERVICES {
            if !service_exists(service, look)? {
                continue;
            }
            let State { enabled, active, .. } = unit::state(service, look)?;
            if enabled == "enabled" {
                context.baseline.note(Entry::Unit {
                    name: service.to_owned(),
                    enabled,
                    active: active == "active",
                })?;
                context.system.run(&Command::new("systemctl", ["disable", "--now", service]))?;
            }
        }
        comment_fstab(context)?;
        for path in active(look)? {
            let unit = unit_name(&path);
            let mask = format!("/etc/systemd/system/{unit}");
            // Masked, so that no generator turns it on at the next boot.
            let masked = look.metadata(Path::new(&mask)).map_err(failed("read", &mask))?.is_some();
            if !masked {
                context.note_path(&mask)?;
                context
                    .system
                    .symlink(Path::new("/dev/null"), Path::new(&mask))
                    .map_err(failed("mask", &mask))?;
            }
            context.baseline.note(Entry::Swap { path: path.clone(), unit: (!masked).then_some(unit) })?;
            (context.progress)(&format!("swapoff {path}"));
            let long = std::time::Duration::from_mins(10);
            context.system.run(&Command::new("swapoff", [path.as_str()]).timeout(long))?;
        }
        context.system.run(&Command::new("systemctl", ["daemon-reload"]))?;
        Ok(Outputs::new())
    }
}

fn comment_fstab(context: &Context<'_>) -> Result<(), StepError> {
    let lines = fstab_lines(context.system.look())?;
    if lines.is_empty() {
        return Ok(());
    }
    let path = Path::new(FSTAB);
    let text = context.system.read(path).map_err(failed("read", FSTAB))?;
    let text = String::from_utf8(text).map_err(|_| StepError::NeedsPerson {
        message: "`/etc/fstab` is not UTF-8 text".to_owned(),
        help: "comment its swap lines out by hand, and run again".to_owned(),
    })?;
    let mode = context
        .system
        .metadata(path)
        .map_err(failed("read", FSTAB))?
        .map_or(0o644, |found| found.mode & 0o7777);
    for line in &lines {
        context.baseline.note(Entry::Line { path: FSTAB.to_owned(), line: format!("{COMMENT}{line}") })?;
    }
    let commented: String = text
        .split_inclusive('\n')
        .map(|line| if is_swap(line) { format!("{COMMENT}{line}") } else { line.to_owned() })
        .collect();
    context.system.write(path, commented.as_bytes(), mode).map_err(failed("write", FSTAB))
}

fn active(look: &dyn Look) -> Result<Vec<String>, StepError> {
    let text =
        look.read_text(Path::new("/proc/swaps")).map_err(failed("read", "/proc/swaps"))?.unwrap_or_default();
    Ok(text.lines().skip(1).filter_map(|line| line.split_whitespace().next()).map(unescape).collect())
}

fn fstab_lines(look: &dyn Look) -> Result<Vec<String>, StepError> {
    let text = look.read_text(Path::new(FSTAB)).map_err(failed("read", FSTAB))?.unwrap_or_default();
    Ok(text.lines().filter(|line| is_swap(line)).map(str::to_owned).collect())
}

fn is_swap(line: &str) -> bool {
    let line = line.trim_start();
    !line.starts_with('#') && line.split_whitespace().nth(2) == Some("swap")
}

/// The `.swap` unit of a path, as systemd-escape(1) `--path` names it.
fn unit_name(path: &str) -> String {
    use std::fmt::Write as _;
    let mut name = String::new();
    for (index, byte) in path.trim_matches('/').bytes().enumerate() {
        match byte {
            b'/' => name.push('-'),
            b'.' if index == 0 => name.push_str("\\x2e"),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b':' | b'_' | b'.' => name.push(char::from(byte)),
            _ => {
                let _ = write!(name, "\\x{byte:02x}");
            }
        }
    }
    name.push_str(".swap");
    name
}

fn service_exists(name: &str, look: &dyn Look) -> Result<bool, StepError> {
    for folder in ["/etc/systemd/system", "/lib/systemd/system", "/usr/lib/systemd/system"] {
        let path = format!("{folder}/{name}");
        if look.metadata(Path::new(&path)).map_err(failed("read", &path))?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether this is a container: its kernel, with all that is not namespaced, is shared with others.
pub(crate) fn shared_kernel(look: &dyn Look) -> Result<bool, StepError> {
    for path in ["/run/systemd/container", "/run/.containerenv", "/.dockerenv"] {
        if look.metadata(Path::new(path)).map_err(failed("read", path))?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::{is_swap, unescape, unit_name};

    #[test]
    fn swap_units_are_named_as_systemd_names_them() {
        // From `systemd-escape --path --suffix=swap`.
        for (path, unit) in [
            ("/dev/zram0", "dev-zram0.swap"),
            ("/swap.img", "swap.img.swap"),
            ("/var/swap file", "var-swap\\x20file.swap"),
            ("/dev/disk/by-uuid/1-2", "dev-disk-by\\x2duuid-1\\x2d2.swap"),
        ] {
            assert_eq!(unit_name(path), unit);
        }
    }

    #[test]
    fn only_live_swap_lines_of_fstab_count() {
        assert!(is_swap("UUID=1 none swap sw 0 0"));
        assert!(is_swap("  /swapfile\tswap\tswap defaults 0 0"));
        assert!(!is_swap("# /swapfile swap swap defaults 0 0"));
        assert!(!is_swap("/dev/sda1 /swap ext4 defaults 0 1"));
        assert_eq!(unescape("/var/swap\\040file"), "/var/swap file");
    }
}
