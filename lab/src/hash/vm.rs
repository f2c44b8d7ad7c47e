//! The state of a virtual machine, as its own programs show it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use super::image::{ImageFile, image_files};
use super::mounts::{self, Mount};
use super::{Fact, Run, firewall, links, says, units};
use crate::process::look_again_after;
use crate::{Lab, Result, base, machine_settings};

/// Where systemd mounts cgroups.
const CGROUPS: &str = "/sys/fs/cgroup";
/// File systems whose content the machine keeps, or makes at each boot; all others are the kernel's.
const KINDS: [&str; 4] = ["ext4", "vfat", "tmpfs", "devtmpfs"];
/// A session's end takes its manager of user services with it within this time, also on an emulated machine.
const LOGINS: Duration = Duration::from_mins(1);
const LOOK: Duration = Duration::from_millis(200);

/// All facts of a virtual machine.
pub(super) fn read(lab: &Lab, host: &str) -> Result<Vec<Fact>> {
    let run = |argv: &[&str]| lab.exec(host, argv);
    wait_gone(&run)?;
    let mounts = mounts::listed(&says(&run, &["cat", "/proc/1/mountinfo"])?);
    let image = image_files(&base::folder(&lab.places, lab.record.base(lab.host(host)?)?))?;
    let mut facts = tree(&run, &mounts, &image)?;
    facts.extend(mounts::facts(&mounts));
    facts.extend(units::read(lab, host)?);
    facts.extend(cgroups(&run)?);
    facts.extend(settings(&run)?);
    facts.extend(links::read(&run)?);
    facts.extend(firewall::read(&run)?);
    facts.extend(listed("swap", &says(&run, &["cat", "/proc/swaps"])?, swap));
    // After the firewall: to look at it loads its modules.
    facts.extend(listed("module", &says(&run, &["cat", "/proc/modules"])?, module));
    Ok(facts)
}

/// Waits while a login is ending.
fn wait_gone(run: &Run) -> Result<()> {
    let deadline = Instant::now() + LOGINS;
    let user = format!("{CGROUPS}/user.slice");
    while run(&["find", &user, "-maxdepth", "1", "-name", "user-*.slice"])?.stdout.len() > 1 {
        if Instant::now() > deadline {
            break;
        }
        look_again_after(LOOK);
    }
    Ok(())
}

/// One fact a file: kind, mode, owner, and the digest of its content or its target.
fn tree(run: &Run, mounts: &[Mount], image: &BTreeMap<String, ImageFile>) -> Result<Vec<Fact>> {
    // The last mount at a place is the one that is seen there.
    let seen: BTreeMap<&str, &Mount> = mounts.iter().map(|mount| (mount.point.as_str(), mount)).collect();
    let own = seen.values().filter(|mount| KINDS.contains(&mount.kind.as_str()) && mount.is_whole());
    let points: Vec<&str> = own.map(|mount| mount.point.as_str()).collect();
    let mut argv = vec!["find"];
    argv.extend(&points);
    argv.extend(["-xdev", "-printf", "%y\\0%m\\0%U:%G\\0%C@\\0%s\\0%p\\0%l\\0\\n\\0"]);
    // A file that goes while it is looked at is a complaint of find, and no fact.
    let output = run(&argv)?;
    let text = String::from_utf8_lossy(&output.stdout);
    let files: Vec<File> = text.split("\0\n\0").filter_map(File::parse).collect();
    let unknown: Vec<&str> =
        files.iter().filter(|file| file.kind == "f" && !file.is_of(image)).map(|file| file.path).collect();
    let digests = digests(run, &unknown)?;
    let fact = |file: &File| {
        let content = match (file.kind, image.get(file.path)) {
            ("l", _) => file.target,
            ("f", Some(known)) if file.is_of(image) => known.digest.as_deref().unwrap_or_default(),
            ("f", _) => digests.get(file.path).map_or("", String::as_str),
            _ => "",
        };
        let word = match file.kind {
            "d" => "folder",
            "l" => "link",
            "f" => "file",
            "p" => "fifo",
            "s" => "socket",
            _ => "device",
        };
        Fact::new("tree", file.path, format!("{word} {:0>4} {} {content}", file.mode, file.owner))
    };
    // A mount point is shown by the file system above it and by its own.
    Ok(files.iter().map(fact).collect())
}

/// A file as find shows it.
struct File<'a> {
    kind: &'a str,
    mode: &'a str,
    owner: &'a str,
    /// Seconds since 1970.
    changed: i64,
    size: u64,
    path: &'a str,
    target: &'a str,
}

impl<'a> File<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut fields = text.split('\0');
        let (kind, mode, owner) = (fields.next()?, fields.next()?, fields.next()?);
        let changed = fields.next()?.split('.').next()?.parse().ok()?;
        let size = fields.next()?.parse().ok()?;
        Some(Self { kind, mode, owner, changed, size, path: fields.next()?, target: fields.next()? })
    }

    /// Whether it is as the base disk had it.
    fn is_of(&self, image: &BTreeMap<String, ImageFile>) -> bool {
        image.get(self.path).is_some_and(|known| {
            known.changed == self.changed && known.size == self.size && known.digest.is_some()
        })
    }
}

/// Digests by path. As many files at once as a command line takes.
fn digests(run: &Run, paths: &[&str]) -> Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    for some in paths.chunks(500) {
        let argv: Vec<&str> = ["sha256sum", "--zero", "--"].iter().chain(some).copied().collect();
        let output = run(&argv)?;
        for line in String::from_utf8_lossy(&output.stdout).split('\0') {
            if let Some((digest, path)) = line.split_once("  ") {
                found.insert(path.to_owned(), digest.to_owned());
            }
        }
    }
    Ok(found)
}

/// One fact a cgroup, and one for each program that runs in it.
fn cgroups(run: &Run) -> Result<Vec<Fact>> {
    let listed = says(run, &["find", CGROUPS, "-type", "d", "-printf", "/%P\\n"])?;
    let mut facts: Vec<Fact> = listed.lines().map(|group| Fact::new("cgroup", group, "")).collect();
    let find = ["find", "/proc", "-maxdepth", "2"];
    let groups = run(&[&find[..], &["-name", "cgroup", "-exec", "grep", "-sH", "^0::", "{}", "+"]].concat())?;
    let programs = run(&[&find[..], &["-name", "exe", "-printf", "%h %l\\n"]].concat())?;
    let programs = String::from_utf8_lossy(&programs.stdout).into_owned();
    let programs: BTreeMap<&str, &str> = programs.lines().filter_map(|line| line.split_once(' ')).collect();
    let mut running = BTreeSet::new();
    for line in String::from_utf8_lossy(&groups.stdout).lines() {
        let Some((process, group)) = line.split_once("/cgroup:0::") else { continue };
        // The kernel's own have no program; and the one that looks is part of the looking.
        match programs.get(process) {
            Some(program) if !program.is_empty() && !is_looking(program) => {
                running.insert((group.to_owned(), (*program).to_owned()));
            }
            _ => {}
        }
    }
    facts.extend(running.into_iter().map(|(group, program)| Fact::new("process", group, program)));
    Ok(facts)
}

fn is_looking(program: &str) -> bool {
    ["find", "grep"].iter().any(|name| Path::new(program).file_name().is_some_and(|own| own == *name))
}

/// One fact a setting of the kernel that can be written.
fn settings(run: &Run) -> Result<Vec<Fact>> {
    // To look into that one mounts it.
    let mut argv = vec!["find", "/proc/sys", "-path", "/proc/sys/fs/binfmt_misc", "-prune"];
    argv.extend(["-o", "-type", "f", "-perm", "/222", "-exec", "grep", "-sH", "", "{}", "+"]);
    // Some can only be written; of those grep complains.
    let output = run(&argv)?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let fact = |line: &str| {
        let (path, value) = line.split_once(':')?;
        let name = path.strip_prefix("/proc/sys/")?;
        let moves = machine_settings::OTHERS.iter().any(|other| Path::new(name).starts_with(other));
        (!moves).then(|| Fact::new("sysctl", name, value.replace('\t', " ")))
    };
    Ok(text.lines().filter_map(fact).collect())
}

fn listed(section: &'static str, text: &str, parse: fn(&str) -> Option<(&str, String)>) -> Vec<Fact> {
    text.lines().filter_map(parse).map(|(key, value)| Fact::new(section, key, value)).collect()
}

/// `/swapfile file 1048572 0 -2`, below a heading: how much of it is used counts not.
fn swap(line: &str) -> Option<(&str, String)> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    match words[..] {
        [path, kind, size, _, priority] if path.starts_with('/') => {
            Some((path, format!("{kind} {size} {priority}")))
        }
        _ => None,
    }
}

/// `vxlan 155648 0 - Live 0x0000000000000000`: how many use it counts not.
fn module(line: &str) -> Option<(&str, String)> {
    Some((line.split_ascii_whitespace().next()?, String::new()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_find_prints_is_read_whatever_a_file_is_called() {
        let text = "f\x00644\x000:0\x001700000000.5000000000\x003\x00/etc/a\nb\x00\x00";
        let file = File::parse(text).unwrap();
        assert_eq!((file.path, file.changed, file.size, file.target), ("/etc/a\nb", 1_700_000_000, 3, ""));
        let image = |changed| {
            let file = ImageFile { changed, size: 3, digest: Some("d".into()) };
            BTreeMap::from([("/etc/a\nb".to_owned(), file)])
        };
        assert!(file.is_of(&image(1_700_000_000)) && !file.is_of(&image(1_700_000_001)));
    }

    #[test]
    fn swaps_and_modules_are_read_without_what_moves() {
        let swaps = "Filename Type Size Used Priority\n/swapfile file 1048572 17 -2\n";
        let lines: Vec<String> = listed("swap", swaps, swap).into_iter().map(Fact::into_line).collect();
        assert_eq!(lines, ["swap /swapfile file 1048572 -2"]);
        let lines: Vec<String> = listed("module", "vxlan 155648 2 a,b Live 0x0\n", module)
            .into_iter()
            .map(Fact::into_line)
            .collect();
        assert_eq!(lines, ["module vxlan "]);
    }
}
