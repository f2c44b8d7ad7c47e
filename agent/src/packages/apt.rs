//! Orders to apt, and what it says of them beforehand.

use std::path::Path;
use std::time::Duration;

use crate::system::{Command, Look};

/// Longest apt may take for what can be cut off without harm.
const READING: Duration = Duration::from_mins(30);

/// `apt-get` with settings under which it asks nobody, keeps files that a person changed, and leaves no cache behind.
pub(crate) fn apt_get(arguments: &[&str]) -> Command {
    let settings = [
        // Somebody may come between our look and apt's own.
        "DPkg::Lock::Timeout=60",
        "Dpkg::Options::=--force-confdef",
        "Dpkg::Options::=--force-confold",
        "Dpkg::Use-Pty=0",
        "APT::Install-Recommends=false",
        "APT::Keep-Downloaded-Packages=false",
        "Dir::Cache::pkgcache=",
        "Dir::Cache::srcpkgcache=",
    ];
    let mut words = vec!["--quiet", "--yes"];
    words.extend(settings.iter().flat_map(|setting| ["-o", setting]));
    let mut command = Command::new("apt-get", words.iter().chain(arguments).copied()).timeout(READING);
    let environment = [
        ("DEBIAN_FRONTEND", "noninteractive"),
        ("UCF_FORCE_CONFFOLD", "1"),
        ("APT_LISTCHANGES_FRONTEND", "none"),
        // On Ubuntu it would restart services that use an older library, containerd and the kubelet among them.
        ("NEEDRESTART_SUSPEND", "1"),
    ];
    command.environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    command
}

/// What apt would do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Packages that would come, upgrades of others not among them.
    pub(crate) comes: Vec<String>,
    /// Packages that would go.
    pub(crate) goes: Vec<String>,
}

/// Reads what `apt-get --simulate` prints: `Inst NAME [OLD] (NEW …)`, `Remv NAME [OLD]`.
pub(crate) fn parse_plan(text: &str) -> Plan {
    let mut plan = Plan::default();
    for line in text.lines() {
        let mut words = line.split(' ');
        match (words.next(), words.next(), words.next()) {
            (Some("Inst"), Some(name), Some(version)) if version.starts_with('(') => {
                plan.comes.push(name.to_owned());
            }
            (Some("Remv" | "Purg"), Some(name), _) => plan.goes.push(name.to_owned()),
            _ => {}
        }
    }
    plan
}

/// Whether apt has nowhere to get packages from.
pub(crate) fn has_no_sources(look: &dyn Look) -> bool {
    const LIST: &str = "/etc/apt/sources.list";
    const FOLDER: &str = "/etc/apt/sources.list.d";
    let beside = look.list(Path::new(FOLDER)).unwrap_or_default();
    let is_read = |name: &&String| {
        Path::new(name).extension().is_some_and(|extension| extension == "list" || extension == "sources")
    };
    let files = beside.iter().filter(is_read);
    let paths = files.map(|name| format!("{FOLDER}/{name}")).chain([LIST.to_owned()]);
    let names_one = |path: String| {
        let text = look.read_text(Path::new(&path)).ok().flatten().unwrap_or_default();
        text.lines().map(str::trim_start).any(|line| line.starts_with("deb ") || line.starts_with("Types:"))
    };
    !paths.into_iter().any(names_one)
}

#[cfg(test)]
mod tests {
    use super::{Plan, has_no_sources, parse_plan};
    use crate::system::fake::Fake;

    #[test]
    fn what_comes_is_told_from_what_is_upgraded_and_what_goes() {
        let text = "Reading package lists...\nInst libfoo:i386 (1.0 Debian:12/stable [i386])\n\
            Inst libc6 [2.36-9] (2.36-10 Debian:12/stable [amd64])\nRemv exim4 [4.96]\n\
            Inst foo (1.0 Debian:12/stable [amd64]) []\nConf foo (1.0 Debian:12/stable [amd64])\n";
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(parse_plan(text), Plan { comes: names(&["libfoo:i386", "foo"]), goes: names(&["exim4"]) });
    }

    #[test]
    fn sources_that_are_comments_are_none() {
        let list = "/etc/apt/sources.list";
        assert!(has_no_sources(&Fake::with(&[(list, "# deb http://x y main\n\n")])));
        assert!(!has_no_sources(&Fake::with(&[(list, "deb http://x y main\n")])));
        let beside = "/etc/apt/sources.list.d/debian";
        assert!(!has_no_sources(&Fake::with(&[(
            &format!("{beside}.sources"),
            "Types: deb\nURIs: http://x\n"
        )])));
        assert!(has_no_sources(&Fake::with(&[(&format!("{beside}.disabled"), "Types: deb\n")])));
    }
}
