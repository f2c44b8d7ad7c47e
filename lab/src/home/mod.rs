//! A home around a lab's hosts: a router that leads to their two segments, and behind it a small internet.
//!
//! Router and internet are network namespaces with this machine's own kernel and daemons in them: they need no system of their
//! own, are there in a moment, and nothing of what is tested runs on them.

mod daemon;
mod internet;
mod router;

use std::net::Ipv4Addr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{Lab, Places, Result, network};

pub(crate) use internet::{resolver_file, run_files};

/// The name of the host that stands in the DMZ.
pub(crate) const EDGE: &str = "edge1";

/// What a home remembers (in the lab's record).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The address that the router has on the internet.
    pub public: Ipv4Addr,
}

impl Record {
    /// A home with the provider's first address.
    pub(crate) fn new() -> Self {
        Self { public: router::FIRST_PUBLIC }
    }
}

/// A home in a few words, as `lab up` and `lab status` print it.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// The address that the router has on the internet; every port of it leads to the host in the DMZ.
    pub public: Ipv4Addr,
    /// The address with which programs come that `lab run --from internet` starts.
    pub client: Ipv4Addr,
    /// The DNS server on the internet; the router passes the questions of those at home on to it.
    pub name_server: Ipv4Addr,
    /// The zone that it serves.
    pub zone: &'static str,
    /// The file with the TSIG key that may change the zone: `ALGORITHM:NAME:SECRET`, as `knsupdate -k` reads it.
    pub key: PathBuf,
}

/// Makes what a lab's home lacks, and starts those of its daemons that do not run. Nothing to do where there is no home.
pub(crate) fn start(lab: &Lab) -> Result<()> {
    let Some(home) = &lab.record.home else { return Ok(()) };
    fs_err::create_dir_all(folder(&lab.places, lab.name()))?;
    network::make_dmz(&lab.record)?;
    internet::make(lab.name())?;
    router::make(&lab.record, home)?;
    internet::serve_names(lab)?;
    router::answer(lab)
}

/// A lab's home in a few words.
pub(crate) fn summary(lab: &Lab) -> Option<Summary> {
    let home = lab.record.home.as_ref()?;
    Some(Summary {
        public: home.public,
        client: internet::CLIENT,
        name_server: internet::NAME_SERVER,
        zone: internet::ZONE,
        key: internet::key_file(&lab.places, lab.name()),
    })
}

impl Lab {
    /// Has the provider give the router another public address, while all runs.
    ///
    /// # Errors
    /// When the lab has no home, or the address is not one that the provider could give.
    pub fn set_public_address(&self, address: Ipv4Addr) -> Result<()> {
        let _lock = crate::lab::lock(self.name())?;
        router::set_public(self, address)
    }
}

/// Where a home keeps the files of its daemons.
fn folder(places: &Places, lab: &str) -> PathBuf {
    places.lab(lab).join("home")
}
