//! The transports that inventories can choose between, as this machine has them.

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;
use std::sync::Arc;

use garboard_inventory::{Host, SshTransport};

use super::{
    Confirmation, Files, KnownHosts, Native, NativeOptions, OpenSsh, OpenSshOptions, Record, SshError,
    Transport,
};
use crate::person::Person;
use crate::secrets::Secrets;

/// The ways to hosts that this version knows.
#[derive(Debug)]
pub struct Transports {
    native: Native,
    openssh: OpenSsh,
}

impl Transports {
    /// With the user's own keys and configuration. Host keys that a person confirms go into `own_known_hosts`; they are
    /// asked only where they see the question too, on standard error.
    pub fn of_this_machine(
        own_known_hosts: PathBuf,
        person: Option<&Arc<Person>>,
        secrets: &Arc<Secrets>,
    ) -> io::Result<Self> {
        let record = Record::at(own_known_hosts.clone());
        let confirmation = person
            .filter(|_| io::stderr().is_terminal())
            .map(|person| Arc::new(Confirmation::new(Arc::clone(person), record)));
        let native = NativeOptions::of_this_machine(own_known_hosts, Arc::clone(secrets), confirmation);
        let openssh = OpenSshOptions::of_this_machine(&native, person.is_some())?;
        Ok(Self { native: Native::new(native), openssh: OpenSsh::new(openssh) })
    }

    /// What the known-hosts files say of a host with these names, as they stand there.
    pub(crate) fn known(&self, names: &[String]) -> Result<KnownHosts, SshError> {
        KnownHosts::named(self.files(), names)
    }

    /// The known-hosts files that count here.
    pub(crate) fn files(&self) -> Files<'_> {
        self.native.files()
    }

    /// The one that the inventory chooses for a host.
    pub fn of(&self, host: &Host) -> &dyn Transport {
        match host.ssh.transport {
            SshTransport::Russh => &self.native,
            SshTransport::Openssh => &self.openssh,
        }
    }
}
