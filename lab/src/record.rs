//! What a lab consists of, as kept in its folder (`lab.json`).

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::base::{self, Release};
use crate::home;
use crate::machine::Machine;
use crate::{Error, Result};

/// What a host is for; the field's own words, as the inventory has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Carries the control plane.
    ControlPlane,
    /// Carries workloads only.
    Worker,
}

impl Role {
    /// As the inventory spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ControlPlane => "control_plane",
            Self::Worker => "worker",
        }
    }

    fn prefix(self) -> &'static str {
        match self {
            Self::ControlPlane => "cp",
            Self::Worker => "w",
        }
    }
}

/// The part of a lab's network that a host stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Segment {
    /// Where the laptop is too.
    #[default]
    Lan,
    /// Behind another port of the router: what the internet reaches.
    Dmz,
}

/// One host of a lab.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostRecord {
    /// `cp1`, `w1`, …
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// What it is made of.
    #[serde(default)]
    pub os: Release,
    /// What it is.
    #[serde(default)]
    pub machine: Machine,
    /// Where it stands.
    #[serde(default)]
    pub segment: Segment,
    /// Its address in the lab's network.
    pub address: Ipv4Addr,
}

/// How many hosts of each role a lab shall have, and what those are made of that it lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Hosts for the control plane.
    pub control_planes: usize,
    /// Hosts for workloads.
    pub workers: usize,
    /// Whether they stand in a home: with a router, an internet behind it, and a worker more in a DMZ.
    pub edge: bool,
    /// The release of the hosts that are added.
    pub os: Release,
    /// What the hosts that are added are.
    pub machine: Machine,
}

/// A lab, as its folder tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The lab's name.
    pub name: String,
    /// The third number of its addresses: `10.66.N.x`, in a home's DMZ `10.67.N.x`.
    pub network: u8,
    /// The content addresses of the base images its hosts are made from, one a release, and one a kind of virtual machine.
    pub bases: BTreeMap<String, String>,
    /// The folder of the upstream mirror it serves.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub mirror: Option<PathBuf>,
    /// What is around its hosts, if they stand in a home.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub home: Option<home::Record>,
    /// Its hosts, control planes first.
    pub hosts: Vec<HostRecord>,
}

impl Record {
    /// Reads a lab's record; none when there is no such lab.
    pub(crate) fn read(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join("lab.json");
        match fs_err::read(&path) {
            Ok(bytes) => {
                serde_json::from_slice(&bytes).map(Some).map_err(|source| Error::Damaged { path, source })
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes it, all or nothing.
    pub(crate) fn write(&self, folder: &Path) -> Result<()> {
        write_json(&folder.join("lab.json"), self)
    }

    /// The content address of the base image a host is made from.
    pub(crate) fn base(&self, host: &HostRecord) -> Result<&str> {
        self.bases.get(&base::key(host.os, host.machine)).map(String::as_str).ok_or_else(|| Error::Refused {
            message: format!(
                "the record of lab `{0}` does not say what `{1}` is made of; remove the lab with `garboard lab down {0}`",
                self.name, host.name
            ),
        })
    }

    /// Where the lab's own programs stand in the hosts' network (SSH comes from here): the bridge's address.
    pub(crate) fn laptop(&self) -> Ipv4Addr {
        self.address(Segment::Lan, if self.home.is_some() { 2 } else { 1 })
    }

    /// The address that hosts of a segment send to what is elsewhere: a home's router, else the laptop, which passes nothing on.
    pub(crate) fn gateway(&self, segment: Segment) -> Ipv4Addr {
        self.address(segment, 1)
    }

    /// An address of a segment, each of which has a /24 of its own.
    pub(crate) fn address(&self, segment: Segment, last: u8) -> Ipv4Addr {
        let second = match segment {
            Segment::Lan => 66,
            Segment::Dmz => 67,
        };
        Ipv4Addr::new(10, second, self.network, last)
    }

    /// Adds the hosts that `shape` asks for and that are not there yet; gives the new ones. Never takes one away.
    pub(crate) fn grow(&mut self, shape: Shape) -> Vec<HostRecord> {
        let mut added = Vec::new();
        for (role, wanted) in [(Role::ControlPlane, shape.control_planes), (Role::Worker, shape.workers)] {
            for number in 1..=wanted {
                let name = format!("{}{number}", role.prefix());
                added.extend(self.add(name, role, Segment::Lan, shape));
            }
        }
        if shape.edge {
            added.extend(self.add(home::EDGE.into(), Role::Worker, Segment::Dmz, shape));
        }
        self.hosts.sort_by_key(|host| (host.role, host.address));
        added
    }

    /// Adds a host, unless it is there.
    fn add(&mut self, name: String, role: Role, segment: Segment, shape: Shape) -> Option<HostRecord> {
        if self.hosts.iter().any(|host| host.name == name) {
            return None;
        }
        let address = self.free_address(segment);
        let host = HostRecord { name, role, os: shape.os, machine: shape.machine, segment, address };
        self.hosts.push(host.clone());
        Some(host)
    }

    fn free_address(&self, segment: Segment) -> Ipv4Addr {
        let taken = |address| self.hosts.iter().any(|host| host.address == address);
        (11..=254)
            .map(|last| self.address(segment, last))
            .find(|address| !taken(*address))
            .unwrap_or(self.address(segment, 255))
    }
}

/// Writes a value as JSON, all or nothing: a reader sees the old or the new file.
pub(crate) fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let mut text =
        serde_json::to_vec_pretty(value).map_err(|source| Error::Damaged { path: path.into(), source })?;
    text.push(b'\n');
    write_whole(path, &text)
}

/// Writes a file, all or nothing.
pub(crate) fn write_whole(path: &Path, content: &[u8]) -> Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let temporary = path.with_file_name(name);
    fs_err::write(&temporary, content)?;
    fs_err::rename(&temporary, path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn empty() -> Record {
        let (bases, hosts) = (BTreeMap::new(), Vec::new());
        Record { name: "lab".into(), network: 3, bases, mirror: None, home: None, hosts }
    }

    fn shape(control_planes: usize, workers: usize, os: Release) -> Shape {
        Shape { control_planes, workers, edge: false, os, machine: Machine::Container }
    }

    #[test]
    fn growing_keeps_names_and_addresses_of_hosts_that_exist() {
        let mut record = empty();
        record.grow(shape(1, 1, Release::Bookworm));
        let before = record.hosts.clone();
        let added = record.grow(shape(2, 2, Release::Trixie));
        assert_eq!(added.iter().map(|host| host.name.as_str()).collect::<Vec<_>>(), ["cp2", "w2"]);
        assert!(before.iter().all(|host| host.os == Release::Bookworm && record.hosts.contains(host)));
        assert!(added.iter().all(|host| host.os == Release::Trixie));
        assert_eq!(
            record.hosts.iter().map(|host| format!("{} {}", host.name, host.address)).collect::<Vec<_>>(),
            ["cp1 10.66.3.11", "cp2 10.66.3.13", "w1 10.66.3.12", "w2 10.66.3.14"]
        );
    }

    #[test]
    fn growing_to_fewer_takes_none_away() {
        let mut record = empty();
        record.grow(shape(1, 2, Release::Bookworm));
        assert_eq!(record.grow(shape(1, 1, Release::Bookworm)), []);
        assert_eq!(record.hosts.len(), 3);
    }

    #[test]
    fn the_edge_host_stands_in_a_network_of_its_own_and_comes_last() {
        let mut record = empty();
        record.grow(Shape { edge: true, ..shape(1, 1, Release::Bookworm) });
        let last = record.hosts.last().unwrap();
        assert_eq!((last.name.as_str(), last.role), (home::EDGE, Role::Worker));
        assert_eq!(last.address.to_string(), "10.67.3.11");
        assert_eq!(record.gateway(last.segment).to_string(), "10.67.3.1");
        assert_eq!(record.gateway(Segment::Lan).to_string(), "10.66.3.1");
    }
}
