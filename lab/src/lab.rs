//! A lab, by name.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Output;

use serde::Serialize;

use crate::base::Release;
use crate::leader::Boot;
use crate::lock::Lock;
use crate::machine::Machine;
use crate::places::run_folder;
use crate::record::{HostRecord, Record, Role, Segment, Shape};
use crate::supervisor::OFF;
use crate::{
    Error, Places, Result, base, exec, home, host, inventory, limits, machine_settings, mirror_service,
    missing_packages, network, remains, vm,
};

/// A lab that exists.
#[derive(Debug, Clone)]
pub struct Lab {
    pub(crate) places: Places,
    pub(crate) record: Record,
}

/// A lab in a few words, as `lab up` and `lab status` print it.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// The lab's name.
    pub name: String,
    /// Its inventory.
    pub inventory: PathBuf,
    /// Where its mirror is served, if it has one: what `--upstream` takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream: Option<String>,
    /// What is around its hosts, if they stand in a home.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub home: Option<home::Summary>,
    /// Its hosts, control planes first.
    pub hosts: Vec<HostSummary>,
}

/// A host in a few words.
#[derive(Debug, Clone, Serialize)]
pub struct HostSummary {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// What it is made of.
    pub os: Release,
    /// What it is.
    #[serde(flatten)]
    pub machine: Machine,
    /// Where it stands.
    pub segment: Segment,
    /// Its address in the lab's network.
    pub address: std::net::Ipv4Addr,
    /// `on`, `booting` or `off`.
    pub power: &'static str,
}

impl Lab {
    /// A lab that was made earlier.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn open(places: &Places, name: &str) -> Result<Self> {
        check_name(name)?;
        let record = Record::read(&places.lab(name))?.ok_or_else(|| Error::NoLab { lab: name.into() })?;
        Ok(Self { places: places.clone(), record })
    }

    /// Makes a lab, or adds to it what it lacks of `shape`; boots all new hosts at once and waits until sshd answers on each.
    ///
    /// Hosts that were switched off stay off. With `mirror`, that folder is served to this machine's programs until [`Lab::down`].
    ///
    /// # Errors
    /// When packages are missing, the base image cannot be built, or a host does not come up. What was made stays, for
    /// another attempt or for `down`.
    pub fn up(
        places: &Places,
        name: &str,
        shape: Shape,
        mirror: Option<PathBuf>,
        progress: &dyn Fn(&str),
    ) -> Result<Self> {
        check_name(name)?;
        check_machine(shape)?;
        let folder = places.lab(name);
        let _lock = lock(name)?;
        let mut record = match Record::read(&folder)? {
            Some(record) => record,
            None if remains::exist(name)? => {
                return Err(Error::Refused {
                    message: format!(
                        "something named after lab `{name}` exists on this machine, but no record of it; \
                         remove it with `garboard lab down {name}`"
                    ),
                });
            }
            None => Self::new_record(places, name)?,
        };
        if shape.edge && record.home.is_none() {
            // Who stands where, and by which way, is decided before the first host.
            if !record.hosts.is_empty() {
                return Err(Error::Refused {
                    message: format!(
                        "lab `{name}` has hosts without a home around them; remove it with `garboard lab down {name}`, or give the new one another name"
                    ),
                });
            }
            record.home = Some(home::Record::new());
        }
        let added = record.grow(shape);
        let key = base::key(shape.os, shape.machine);
        if !added.is_empty() && !record.bases.contains_key(&key) {
            let base = base::ensure(places, shape.os, shape.machine, progress)?;
            record.bases.insert(key, base);
        }
        // Hosts of one release are made from one image, also those that are added after an update of this program.
        for one in &record.hosts {
            if !base::folder(places, record.base(one)?).exists() {
                return Err(Error::Refused {
                    message: format!(
                        "the base image of lab `{name}` is gone from the cache; remove the lab with `garboard lab down {name}`"
                    ),
                });
            }
        }
        if let Some(warning) = limits::warning(&added)? {
            progress(&warning);
        }
        if let Some(mirror) = mirror {
            record.mirror = Some(std::path::absolute(mirror)?);
        }
        record.write(&folder)?;
        host::make_login_key(places, name)?;
        for one in &record.hosts {
            if !places.host(name, &one.name).exists() {
                host::make(places, &record, one)?;
            }
        }
        inventory::write(places, &record)?;

        let lab = Self { places: places.clone(), record };
        network::make_bridge(&lab.record)?;
        home::start(&lab)?;
        let is_wanted = |one: &&HostRecord| !places.host(name, &one.name).join(OFF).exists();
        let hosts: Vec<String> =
            lab.record.hosts.iter().filter(is_wanted).map(|one| one.name.clone()).collect();
        let shares_kernel = |host: &String| lab.host(host).is_ok_and(|one| one.machine.vm().is_none());
        let containers: Vec<String> = hosts.iter().filter(|host| shares_kernel(host)).cloned().collect();
        machine_settings::note(name, &containers)?;
        mirror_service::start(&lab)?;
        progress(&format!("lab {name}: {} hosts boot", hosts.len()));
        lab.power_on(&hosts)?;
        Ok(lab)
    }

    /// Removes a lab with all that carries its name, recorded or not, running or crashed; nothing there is fine.
    ///
    /// # Errors
    /// When something does not go away.
    pub fn down(places: &Places, name: &str) -> Result<()> {
        check_name(name)?;
        check_root()?;
        let _lock = lock(name)?;
        remains::remove(places, name)?;
        machine_settings::restore(name)
    }

    /// The names of all labs of this user, and of those that left something on this machine.
    ///
    /// # Errors
    /// When the folder of the labs cannot be read.
    pub fn names(places: &Places) -> Result<Vec<String>> {
        let mut names = remains::lab_names()?;
        match fs_err::read_dir(places.labs()) {
            Ok(entries) => {
                for entry in entries {
                    let name = entry?.file_name().to_string_lossy().into_owned();
                    if check_name(&name).is_ok() {
                        names.insert(name);
                    }
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
        Ok(names.into_iter().collect())
    }

    /// Puts a fresh machine in a host's place: same name and address, new root, machine-id and host keys.
    ///
    /// # Errors
    /// When the old one does not go or the new one does not come up.
    pub fn replace(&self, host: &str) -> Result<()> {
        let one = self.host(host)?.clone();
        let _lock = lock(self.name())?;
        let folder = self.places.host(self.name(), host);
        if Boot::read(&folder)?.is_some() {
            self.power_cut(host)?;
        }
        fs_err::remove_dir_all(&folder)?;
        host::make(&self.places, &self.record, &one)?;
        inventory::write(&self.places, &self.record)?;
        self.power_on(&[one.name])
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.record.name
    }

    /// Its hosts, control planes first.
    pub fn hosts(&self) -> &[HostRecord] {
        &self.record.hosts
    }

    /// Its inventory.
    pub fn inventory(&self) -> PathBuf {
        inventory::path(&self.places, self.name())
    }

    /// One of its hosts.
    ///
    /// # Errors
    /// When it has none of that name.
    pub fn host(&self, name: &str) -> Result<&HostRecord> {
        self.record.hosts.iter().find(|host| host.name == name).ok_or_else(|| Error::NoHost {
            lab: self.name().into(),
            host: name.into(),
            hosts: self.record.hosts.iter().map(|host| host.name.clone()).collect(),
        })
    }

    /// Runs a program on a host, not through SSH, and waits for it.
    ///
    /// # Errors
    /// When the host is off or the program cannot be started; its own failure is in the output's status.
    pub fn exec(&self, host: &str, argv: &[&str]) -> Result<Output> {
        let argv: Vec<String> = argv.iter().map(|word| (*word).to_owned()).collect();
        if self.host(host)?.machine.vm().is_some() {
            return exec::on_vm(self, host, &argv, &[]).map(vm::guest::Ended::into_output);
        }
        let mut command = exec::on_host(self, host, &argv)?;
        command.output().map_err(|source| Error::Spawn { command: argv.join(" "), source })
    }

    /// The lab in a few words.
    ///
    /// # Errors
    /// When its folder cannot be read.
    pub fn summary(&self) -> Result<Summary> {
        let mut hosts = Vec::new();
        for host in &self.record.hosts {
            let power = match Boot::read(&self.places.host(self.name(), &host.name))? {
                Some(boot) if boot.ready => "on",
                Some(_) => "booting",
                None => "off",
            };
            hosts.push(HostSummary {
                name: host.name.clone(),
                role: host.role,
                os: host.os,
                machine: host.machine,
                segment: host.segment,
                address: host.address,
                power,
            });
        }
        let upstream = mirror_service::address(self)?;
        let home = home::summary(self);
        Ok(Summary { name: self.name().into(), inventory: self.inventory(), upstream, home, hosts })
    }

    /// The record of a new lab, with a network number that no other lab of this user has.
    fn new_record(places: &Places, name: &str) -> Result<Record> {
        let _lock = Lock::wait(&run_folder().join("networks.lock"))?;
        let mut taken = Vec::new();
        for other in Self::names(places)? {
            taken.extend(Record::read(&places.lab(&other))?.map(|record| record.network));
        }
        // Networks of different labs never meet, so that more than 256 labs would share numbers, no more.
        let network = (0..=255).find(|number| !taken.contains(number)).unwrap_or(0);
        let bases = BTreeMap::new();
        let hosts = Vec::new();
        let record = Record { name: name.into(), network, bases, mirror: None, home: None, hosts };
        fs_err::create_dir_all(places.lab(name).join("hosts"))?;
        record.write(&places.lab(name))?;
        Ok(record)
    }
}

/// One invocation at a time changes what a lab consists of.
pub(crate) fn lock(lab: &str) -> Result<Lock> {
    Lock::wait(&run_folder().join(format!("lab-{lab}.lock")))
}

fn check_root() -> Result<()> {
    if nix::unistd::geteuid().is_root() { Ok(()) } else { Err(Error::NotRoot) }
}

fn check_machine(shape: Shape) -> Result<()> {
    check_root()?;
    let packages = missing_packages(shape.machine, shape.edge);
    if packages.is_empty() { Ok(()) } else { Err(Error::MissingPackages { packages }) }
}

/// A lab's name becomes part of the names of namespaces, containers and a cluster.
pub(crate) fn check_name(name: &str) -> Result<()> {
    let fine = name.len() <= 24
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && !name.ends_with('-')
        && name.chars().all(|one| one.is_ascii_lowercase() || one.is_ascii_digit() || one == '-');
    if fine { Ok(()) } else { Err(Error::Name { name: name.into() }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_not_fit_a_namespace_are_refused() {
        for name in ["lab", "t-second-up", "a1"] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        for name in ["", "Lab", "1lab", "lab.cp1", "../lab", "lab-", "a234567890123456789012345", "läb"] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
