//! The inventory that a lab writes for its hosts.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::record::{Record, Role, Segment, write_whole};
use crate::{Error, Places, Result, cgroup, host};

/// The Kubernetes version of the inventory where no mirror says another one.
const KUBERNETES: &str = "v1.36.3";

/// Where a lab's inventory is.
pub(crate) fn path(places: &Places, lab: &str) -> PathBuf {
    places.lab(lab).join("garboard.yaml")
}

/// Writes the inventory, and the mirror's lock beside it.
pub(crate) fn write(places: &Places, record: &Record) -> Result<()> {
    let mut kubernetes = KUBERNETES.to_owned();
    let beside = places.lab(&record.name).join("garboard.lock");
    if let Some(mirror) = &record.mirror {
        let lock = mirror.join("garboard.lock");
        kubernetes = version_of(&lock, &fs_err::read_to_string(&lock)?)?;
        // Written once: what a later run adds to it is that run's business.
        if !beside.exists() {
            write_whole(&beside, &fs_err::read(&lock)?)?;
        }
    }
    let mut host_keys = Vec::new();
    for one in &record.hosts {
        host_keys.push(host::host_key_fingerprint(places, &record.name, &one.name)?);
    }
    // A virtual machine's own kernel has version 2, whatever this machine has.
    let cgroup_v1 = cgroup::is_version_1() && record.hosts.iter().any(|host| host.machine.vm().is_none());
    let text = render(places, record, &kubernetes, cgroup_v1, &host_keys);
    write_whole(&path(places, &record.name), text.as_bytes())
}

fn render(
    places: &Places,
    record: &Record,
    kubernetes: &str,
    cgroup_v1: bool,
    host_keys: &[String],
) -> String {
    let name = &record.name;
    let identity = places.lab(name).join("identity");
    let proxy = format!("{} lab connect {name} %h %p", shell_word(&places.program.to_string_lossy()));
    let mut text = format!(
        "# Written by `garboard lab up`: the hosts of lab `{name}`.\n\
         cluster:\n  name: {name}\n  kubernetes: {kubernetes}\n"
    );
    if cgroup_v1 {
        text.push_str("  allow_cgroup_v1: true\n");
    }
    // An emulated processor takes its time over each write, however quick the disk is.
    if record.hosts.iter().any(|host| host.role == Role::ControlPlane && host.machine.vm().is_some()) {
        text.push_str("  allow_slow_disk: true\n");
    }
    let _ = write!(
        text,
        "ssh:\n  user: root\n  identity: {}\n  proxy_command: {}\nhosts:\n",
        quoted(&identity.to_string_lossy()),
        quoted(&proxy)
    );
    for (host, key) in record.hosts.iter().zip(host_keys) {
        let (host_name, address, role) = (&host.name, host.address, host.role.as_str());
        let tier = match (&record.home, host.segment) {
            (None, _) => "",
            (Some(_), Segment::Lan) => "zone: private, ",
            (Some(_), Segment::Dmz) => "zone: public, edge: true, ",
        };
        let _ = writeln!(
            text,
            "  {host_name}: {{ address: {address}, role: {role}, {tier}host_key: {} }}",
            quoted(key)
        );
    }
    if record.home.is_some() {
        let lan = record.address(Segment::Lan, 0);
        let _ = write!(text, "edge:\n  firewall: {{ lan: [{lan}/24] }}\n");
    }
    text
}

fn version_of(path: &Path, lock: &str) -> Result<String> {
    #[derive(Deserialize)]
    struct Head {
        kubernetes: String,
    }
    let head: Head = serde_saphyr::from_str(lock).map_err(|error| Error::Refused {
        message: format!(
            "`{}` does not say its Kubernetes version ({error}); build the mirror again",
            path.display()
        ),
    })?;
    Ok(head.kubernetes)
}

/// A YAML double-quoted scalar; JSON's is one.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// One word of a command line that a shell may read.
fn shell_word(text: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || "/._-+:@".contains(character);
    if text.chars().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Shape;
    use crate::base::Release;
    use crate::machine::{Accelerator, Architecture, Firmware, Machine, Vm};

    #[test]
    fn the_inventory_is_one_that_the_cli_reads() {
        let places = Places {
            state: "/s/garboard".into(),
            cache: "/c/garboard".into(),
            program: "/opt/my tools/garboard".into(),
        };
        let bases = std::collections::BTreeMap::new();
        let hosts = Vec::new();
        let mut record = Record { name: "lab".into(), network: 0, bases, mirror: None, home: None, hosts };
        let shape = Shape {
            control_planes: 1,
            workers: 1,
            edge: false,
            os: Release::Bookworm,
            machine: Machine::Container,
        };
        record.grow(shape);
        let key = format!("SHA256:{}", "a".repeat(43));
        let text = render(&places, &record, KUBERNETES, true, &[key.clone(), key.clone()]);
        assert_eq!(
            text,
            format!(
                "# Written by `garboard lab up`: the hosts of lab `lab`.\n\
                 cluster:\n  name: lab\n  kubernetes: v1.36.3\n  allow_cgroup_v1: true\n\
                 ssh:\n  user: root\n  identity: \"/s/garboard/labs/lab/identity\"\n  \
                 proxy_command: \"'/opt/my tools/garboard' lab connect lab %h %p\"\n\
                 hosts:\n  cp1: {{ address: 10.66.0.11, role: control_plane, host_key: \"{key}\" }}\n  \
                 w1: {{ address: 10.66.0.12, role: worker, host_key: \"{key}\" }}\n"
            )
        );
        let vm = Vm {
            architecture: Architecture::Arm64,
            firmware: Firmware::Plain,
            accelerator: Accelerator::Tcg,
        };
        record.hosts[1].machine = Machine::Vm(vm);
        let text = render(&places, &record, KUBERNETES, false, &[key.clone(), key.clone()]);
        assert!(!text.contains("allow_"), "the worker keeps no etcd: {text}");
        record.hosts[0].machine = Machine::Vm(vm);
        let text = render(&places, &record, KUBERNETES, false, &[key.clone(), key.clone()]);
        assert!(text.contains("\n  allow_slow_disk: true\n"), "{text}");

        record.home = Some(crate::home::Record::new());
        record.grow(Shape { edge: true, ..shape });
        let text = render(&places, &record, KUBERNETES, false, &[key.clone(), key.clone(), key.clone()]);
        let tiers = format!(
            "  w1: {{ address: 10.66.0.12, role: worker, zone: private, host_key: \"{key}\" }}\n  \
             edge1: {{ address: 10.67.0.11, role: worker, zone: public, edge: true, host_key: \"{key}\" }}\n\
             edge:\n  firewall: {{ lan: [10.66.0.0/24] }}\n"
        );
        assert!(text.ends_with(&tiers), "{text}");
        let folder = tempfile::tempdir().unwrap();
        let text = text.replace(&key, &format!("SHA256:{}", "A".repeat(43)));
        fs_err::write(folder.path().join("garboard.yaml"), text).unwrap();
        garboard_inventory::load(&folder.path().join("garboard.yaml")).unwrap();
    }

    #[test]
    fn the_version_is_taken_from_the_lock() {
        assert_eq!(
            version_of(Path::new("l"), "version: 1\nkubernetes: v1.36.1\nfiles: {}\n").unwrap(),
            "v1.36.1"
        );
        assert!(version_of(Path::new("l"), "version: 1\n").is_err());
    }
}
