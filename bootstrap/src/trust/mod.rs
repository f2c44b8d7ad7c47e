//! The keys a host offers against those that are pinned for it, and pinning another one.

mod comparison;
mod decision;

use std::path::PathBuf;
use std::sync::Arc;

use garboard_inventory::{Host, Inventory};

pub use comparison::{Comparison, Offer, PinnedKey, Standing, Verdict};

use crate::invocation::Global;
use crate::output::Events;
use crate::person::Person;
use crate::problem::{Ended, Exit, Problem};
use crate::run::host_named;
use crate::secrets::Secrets;
use crate::ssh::{KnownHosts, OfferedKeys, Record, SshError, Target, Transports};
use crate::state::ClusterState;

/// A host of the inventory, and what this machine knows of it.
pub struct Subject {
    host: Host,
    inventory_path: PathBuf,
    state: ClusterState,
    person: Option<Arc<Person>>,
    transports: Transports,
}

impl Subject {
    /// Reads the inventory, opens the laptop's memory of the cluster. No run begins: an unfinished one stays as it is.
    pub fn open(global: &Global, name: &str) -> Result<Self, Ended> {
        let inventory: Inventory = garboard_inventory::load(&global.inventory).map_err(Ended::Inventory)?;
        let host = host_named(&inventory, name)?.clone();
        let failed = |error: &dyn std::error::Error| Problem::from_error(Exit::Failed, error);
        let state = ClusterState::open(global.state.as_deref(), &inventory.cluster.name)
            .map_err(|error| failed(&error))?;
        let person = Person::at_own_terminal(Events::default()).map(Arc::new);
        let secrets = Arc::new(Secrets::with_person(person.clone()));
        let transports = Transports::of_this_machine(state.known_hosts_path(), person.as_ref(), &secrets)
            .map_err(|error| failed(&error))?;
        Ok(Self { host, inventory_path: global.inventory.clone(), state, person, transports })
    }

    /// Asks the host for its keys, and compares them with what is pinned.
    pub async fn compare(&self) -> Result<Comparison, Ended> {
        let offered = self.transports.of(&self.host).host_keys(&Target::of(&self.host)).await;
        let offered = offered.map_err(|error| self.problem(&error))?;
        let known = self.known(&offered)?;
        Ok(Comparison::of(&self.host, &offered, &known, self.pin_of_inventory()))
    }

    /// Makes the key the only one that counts for the host. Gives the lines of other files that say something else.
    pub fn pin(&self, comparison: &Comparison, offer: &Offer) -> Result<Vec<PinnedKey>, Ended> {
        let record = Record::at(self.state.known_hosts_path());
        record
            .pin(&comparison.offered.names, &offer.key.public_key)
            .map_err(|source| self.problem(&SshError::Record { path: record.path().to_owned(), source }))?;
        let known = self.known(&comparison.offered)?;
        Ok(known.outdone.iter().filter(|line| !offer.is(line)).map(PinnedKey::of).collect())
    }

    fn known(&self, offered: &OfferedKeys) -> Result<KnownHosts, Problem> {
        self.transports.known(&offered.names).map_err(|error| self.problem(&error))
    }

    /// What the inventory says, and in which line of it.
    fn pin_of_inventory(&self) -> Option<PinnedKey> {
        let fingerprint = self.host.host_key.clone()?;
        let text = fs_err::read_to_string(&self.inventory_path).unwrap_or_default();
        let line = text.lines().position(|line| line.contains(&fingerprint)).map(|index| index + 1);
        Some(PinnedKey {
            fingerprint,
            algorithm: None,
            path: self.inventory_path.clone(),
            line,
            inventory: true,
        })
    }

    fn problem(&self, error: &SshError) -> Problem {
        error.problem(&self.host.name)
    }
}
