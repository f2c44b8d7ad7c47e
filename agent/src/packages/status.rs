//! What dpkg has noted of packages: `/var/lib/dpkg/status`, and its journal beside it (`dpkg(1)`, `deb-control(5)`).

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use crate::system::Look;

const STATUS: &str = "/var/lib/dpkg/status";
/// What a dpkg at work, or one that was cut off, has not yet merged into the status: files named by a number.
const JOURNAL: &str = "/var/lib/dpkg/updates";

/// How far a package is installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    /// Wholly.
    Installed,
    /// It was removed; its configuration is there.
    Configuration,
    /// Work on it was cut off: dpkg's own word for where.
    Broken(String),
}

/// One package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Installed {
    pub(super) state: State,
    version: String,
    /// Its own name, and what else it is by its `Provides`.
    pub(super) is: Vec<String>,
    /// Of each dependency the packages that satisfy it.
    pub(super) needs: Vec<Vec<String>>,
}

/// Every package that is not wholly absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Status {
    /// By name; with `:ARCHITECTURE` behind it where that is not the host's own.
    pub(super) packages: BTreeMap<String, Installed>,
    /// Whether the journal holds anything.
    has_journal: bool,
}

impl Status {
    /// Reads a host's; `None` where there is no dpkg.
    pub(crate) fn read(look: &dyn Look) -> io::Result<Option<Self>> {
        let Some(mut text) = look.read_text(Path::new(STATUS))? else { return Ok(None) };
        let journal = match look.list(Path::new(JOURNAL)) {
            Ok(names) => names,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        let mut has_journal = false;
        for name in journal.iter().filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())) {
            has_journal = true;
            // Merged and gone by now: then the status has it, at the next look.
            if let Some(update) = look.read_text(&Path::new(JOURNAL).join(name))? {
                text.push('\n');
                text.push_str(&update);
            }
        }
        Ok(Some(Self { has_journal, ..Self::parse(&text) }))
    }

    /// Of paragraphs about one package the last one holds.
    fn parse(text: &str) -> Self {
        // dpkg's own architecture is the host's.
        let own = paragraphs(text)
            .find(|fields| fields.get("Package") == Some(&"dpkg"))
            .and_then(|fields| fields.get("Architecture").copied())
            .unwrap_or("all");
        let mut packages = BTreeMap::new();
        for fields in paragraphs(text) {
            let Some(package) = fields.get("Package") else { continue };
            let architecture = fields.get("Architecture").copied().unwrap_or("all");
            let name = match architecture {
                "all" => (*package).to_owned(),
                native if native == own => (*package).to_owned(),
                foreign => format!("{package}:{foreign}"),
            };
            match state(fields.get("Status").copied().unwrap_or_default()) {
                Some(state) => packages.insert(name, installed(state, package, &fields)),
                None => packages.remove(&name),
            };
        }
        Self { packages, has_journal: false }
    }

    /// How far a package is installed; `None`: not at all.
    pub(crate) fn state(&self, name: &str) -> Option<&State> {
        self.packages.get(name).map(|package| &package.state)
    }

    /// Whether it is installed, wholly.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.state(name) == Some(&State::Installed)
    }

    /// The version that is installed, wholly.
    pub(crate) fn version(&self, name: &str) -> Option<&str> {
        let package = self.packages.get(name)?;
        (package.state == State::Installed).then_some(package.version.as_str())
    }

    /// Packages on which work was cut off, each with dpkg's word for where.
    pub(crate) fn broken(&self) -> Vec<(&str, &str)> {
        let broken = self.packages.iter().filter_map(|(name, package)| match &package.state {
            State::Broken(word) => Some((name.as_str(), word.as_str())),
            _ => None,
        });
        broken.collect()
    }

    /// Whether a dpkg was cut off, or is at work.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.has_journal || self.packages.values().any(|package| matches!(package.state, State::Broken(_)))
    }
}

/// `install ok installed`: what is wanted, whether it needs to be installed again, how far it is (`dpkg-query(1)`).
fn state(status: &str) -> Option<State> {
    let mut words = status.split_ascii_whitespace();
    let (_wanted, error, state) = (words.next(), words.next(), words.next()?);
    match state {
        _ if error == Some("reinstreq") => Some(State::Broken("to be installed again".to_owned())),
        // Waiting for another package's work at the end of a run: it is whole.
        "installed" | "triggers-pending" | "triggers-awaited" => Some(State::Installed),
        "config-files" => Some(State::Configuration),
        "not-installed" => None,
        word => Some(State::Broken(word.to_owned())),
    }
}

fn installed(state: State, package: &str, fields: &BTreeMap<&str, &str>) -> Installed {
    let field = |name: &str| fields.get(name).copied().unwrap_or_default();
    let provided = relations(field("Provides")).into_iter().flatten();
    let needs = ["Pre-Depends", "Depends"].into_iter().flat_map(|name| relations(field(name))).collect();
    let version = field("Version").to_owned();
    Installed { state, version, is: std::iter::once(package.to_owned()).chain(provided).collect(), needs }
}

/// `a (>= 1) | b, c:any` as names alone.
fn relations(text: &str) -> Vec<Vec<String>> {
    let name = |one: &str| {
        let name = one.trim().split([' ', '(', ':', '[', '\n']).next().unwrap_or_default();
        (!name.is_empty()).then(|| name.to_owned())
    };
    let all = text.split(',').map(|one| one.split('|').filter_map(name).collect::<Vec<_>>());
    all.filter(|one| !one.is_empty()).collect()
}

/// Paragraphs of `Name: value` lines; a line that begins with a blank goes on with the value before it, of which only the
/// first line is of use here, but for lists, which dpkg writes on one line.
fn paragraphs(text: &str) -> impl Iterator<Item = BTreeMap<&str, &str>> {
    text.split("\n\n").filter(|paragraph| !paragraph.trim().is_empty()).map(|paragraph| {
        let lines = paragraph.lines().filter(|line| !line.starts_with([' ', '\t']));
        lines.filter_map(|line| line.split_once(':')).map(|(name, value)| (name, value.trim())).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::{State, Status};
    use crate::system::fake::Fake;

    const TEXT: &str = "Package: dpkg\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.21\n\n\
        Package: openvpn\nStatus: deinstall ok config-files\nArchitecture: amd64\nDescription: a\n b: c\n\n\
        Package: libc6\nStatus: install ok installed\nArchitecture: i386\n\n\
        Package: ufw\nStatus: install ok half-configured\nArchitecture: all\n\
        Depends: iptables (>= 1.2) | nftables, python3:any\nProvides: firewall (= 1)\n\n\
        Package: gone\nStatus: purge ok not-installed\nArchitecture: amd64\n";

    #[test]
    fn each_package_has_the_state_that_dpkg_noted() {
        let status = Status::parse(TEXT);
        assert!(status.has("dpkg") && status.has("libc6:i386") && !status.has("libc6"));
        assert_eq!(status.state("openvpn"), Some(&State::Configuration));
        assert_eq!(status.state("gone"), None);
        assert_eq!(status.broken(), [("ufw", "half-configured")]);
        assert_eq!((status.version("dpkg"), status.version("openvpn")), (Some("1.21"), None));
        let ufw = &status.packages["ufw"];
        assert_eq!(ufw.is, ["ufw", "firewall"]);
        assert_eq!(ufw.needs, [vec!["iptables", "nftables"], vec!["python3"]]);
    }

    #[test]
    fn the_journal_of_a_dpkg_that_was_cut_off_wins_over_the_status() {
        let update = "Package: dpkg\nStatus: install reinstreq half-installed\nArchitecture: amd64\n";
        let whole = Fake::with(&[("/var/lib/dpkg/status", TEXT), ("/var/lib/dpkg/updates/tmp.i", "")]);
        assert!(Status::read(&whole).unwrap().unwrap().has("dpkg"));
        whole.put("/var/lib/dpkg/updates/0001", update.as_bytes(), 0o644);
        let status = Status::read(&whole).unwrap().unwrap();
        assert!(!status.has("dpkg") && status.is_interrupted());
        assert_eq!(Status::read(&Fake::with(&[])).unwrap(), None);
    }
}
