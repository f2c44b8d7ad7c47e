//! A run: from the command line to hosts and back, one file a stage.

mod alone;
mod apply;
mod chain;
mod clock;
mod cluster_chain;
mod cluster_client;
mod cluster_step;
mod comparison;
mod ddns;
pub mod difference;
mod disk;
mod handover;
mod host_work;
mod ingress;
mod interrupt;
mod lacking;
mod mesh;
mod outside;
mod planning;
mod reach;
mod reboot;
mod reset;
mod restart;
mod router;
mod serving;
mod signal;
pub mod status;
mod survey;
mod token;
mod transfer;
pub mod vpn;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use garboard_inventory::{Host, Inventory, Role};

pub use mesh::Ways;
pub use planning::{Plan, Writing};
pub use reach::Reached;

use crate::invocation::{Global, Patience};
use crate::output::{Event, Events, Format, Listener, human::Human, json::Json, report::Report};
use crate::person::Person;
use crate::problem::{Ended, Exit, Problem};
use crate::secrets::Secrets;
use crate::session::Session;
use crate::state::ClusterState;
use interrupt::Stop;

/// One invocation's context.
pub struct Run {
    inventory: Inventory,
    inventory_path: PathBuf,
    limit: BTreeSet<String>,
    upstream: Option<String>,
    state: ClusterState,
    handle: Handle,
    report: Arc<Report>,
}

/// The parts of a run that its tasks carry along.
#[derive(Clone)]
pub(crate) struct Handle {
    pub(crate) id: String,
    pub(crate) owner: String,
    pub(crate) events: Events,
    /// Whoever can be asked, if there is somebody.
    person: Option<Arc<Person>>,
    pub(crate) secrets: Arc<Secrets>,
    pub(crate) patience: Patience,
    stop: Stop,
    /// All that are open: each is ended in the end, or by Ctrl-C.
    sessions: Arc<Mutex<Vec<Session>>>,
    begun: Instant,
}

impl Handle {
    /// Of an invocation that no cluster's memory on this laptop is about.
    pub(crate) fn without_memory(
        id: String,
        events: Events,
        person: Option<Arc<Person>>,
        patience: Patience,
    ) -> Self {
        let secrets = Arc::new(Secrets::with_person(person.clone()));
        Self {
            id,
            owner: owner(),
            events,
            person,
            secrets,
            patience,
            stop: Stop::default(),
            sessions: Arc::default(),
            begun: Instant::now(),
        }
    }

    pub(crate) fn elapsed_milliseconds(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Run {
    /// Reads the inventory, opens the laptop's memory of the cluster.
    pub fn begin(global: &Global, command: &str) -> Result<Self, Ended> {
        let inventory = garboard_inventory::load(&global.inventory).map_err(Ended::Inventory)?;
        let limit: BTreeSet<String> = global.limit.iter().cloned().collect();
        for name in &limit {
            host_named(&inventory, name)?;
        }
        let state = ClusterState::open(global.state.as_deref(), &inventory.cluster.name)
            .map_err(|error| Problem::from_error(Exit::Failed, &error))?;
        let id = state.take_run().map_err(|error| Problem::from_error(Exit::Failed, &error))?;
        let begun = Instant::now();
        let name = format!("{}-{id}", jiff::Zoned::now().strftime("%Y%m%d-%H%M%S"));
        let report = Arc::new(Report::new(state.report_path(&name)));
        let mut listeners: Vec<Box<dyn Listener>> = vec![Box::new(Arc::clone(&report))];
        let prints_document = matches!(
            command,
            "check"
                | "plan"
                | "status"
                | "kubeconfig"
                | "vpn add"
                | "vpn list"
                | "vpn revoke"
                | "ddns status"
                | "ddns update"
                | "ddns resume"
        );
        match global.output {
            Format::Json if prints_document => {
                listeners.push(Box::new(Json::of_failures(std::io::stdout())));
            }
            Format::Json => listeners.push(Box::new(Json::new(std::io::stdout()))),
            Format::Human => listeners.push(Box::new(Human::new(global.verbose > 0, global.terminal()))),
        }
        let events = Events::new(listeners);
        let person = Person::at_own_terminal(events.clone()).map(Arc::new);
        let secrets = Arc::new(Secrets::with_person(person.clone()));
        let handle = Handle {
            id,
            owner: owner(),
            events,
            person,
            secrets,
            patience: global.patience,
            stop: Stop::default(),
            sessions: Arc::default(),
            begun,
        };
        let run = Self {
            inventory,
            inventory_path: global.inventory.clone(),
            limit,
            upstream: global.upstream.clone(),
            state,
            handle,
            report,
        };
        run.events().send(&Event::RunStarted {
            run: run.handle.id.clone(),
            command: command.to_owned(),
            cluster: run.inventory.cluster.name.clone(),
            hosts: run.host_names(),
        });
        interrupt::watch(&run);
        Ok(run)
    }

    /// Says how the run ended. An unfinished run's id is kept, so that the next invocation takes it over.
    pub async fn finish(&self, ended: Result<u64, Ended>) -> Result<Exit, Ended> {
        let exit = match &ended {
            Ok(_) => Exit::Done,
            Err(Ended::Said(exit)) => *exit,
            Err(Ended::Problems(problems)) => problems.exit(),
            Err(Ended::Inventory(_)) => Exit::Usage,
        };
        if let Err(Ended::Problems(problems)) = &ended {
            for problem in &problems.0 {
                self.events().send(&Event::Failed { problem: problem.clone() });
            }
        }
        self.part_all().await;
        if exit != Exit::Failed
            && let Err(error) = self.state.finish_run()
        {
            tracing::warn!("the run's end could not be noted: {error}");
        }
        // A run that failed has changed what its steps say.
        let changes = ended.as_ref().map_or_else(|_| self.report.changes(), |changes| *changes);
        self.events().send(&self.report.finish(changes, self.handle.elapsed_milliseconds(), exit));
        match ended {
            Ok(_) => Ok(exit),
            // All of it was shown as an event.
            Err(Ended::Problems(_) | Ended::Said(_)) => Err(Ended::Said(exit)),
            Err(other) => Err(other),
        }
    }

    /// The inventory.
    pub fn inventory(&self) -> &Inventory {
        &self.inventory
    }

    /// Names of the hosts this run may change.
    pub fn host_names(&self) -> Vec<String> {
        self.inventory
            .hosts
            .iter()
            .filter(|host| self.may_change(&host.name))
            .map(|host| host.name.clone())
            .collect()
    }

    /// Prints a document for a person on standard output, where nothing moves meanwhile.
    pub fn print(&self, document: &str) {
        self.events().rest();
        crate::output::print_harmless(document);
    }

    /// Prints a document for a program.
    pub fn print_json(&self, document: &impl serde::Serialize) {
        crate::output::json::print(document);
    }

    /// Tells a person something.
    pub fn note(&self, text: &str) {
        self.events().note(text);
    }

    pub(crate) fn events(&self) -> &Events {
        &self.handle.events
    }

    pub(crate) fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Whether `--limit` leaves the host in.
    pub(crate) fn may_change(&self, host: &str) -> bool {
        self.limit.is_empty() || self.limit.contains(host)
    }

    /// The hosts to connect to: those of the limit, and the control planes for their signals.
    pub(crate) fn asked_for(&self) -> impl Iterator<Item = &Host> {
        self.inventory
            .hosts
            .iter()
            .filter(|host| self.may_change(&host.name) || host.role == Role::ControlPlane)
    }

    /// Whether the run is about all hosts.
    pub(crate) fn is_unlimited(&self) -> bool {
        self.limit.is_empty()
    }

    pub(crate) fn lock_path(&self) -> PathBuf {
        self.inventory_path.parent().unwrap_or(Path::new("")).join(crate::lock::FILE_NAME)
    }

    fn stop(&self) -> &Stop {
        &self.handle.stop
    }
}

impl Handle {
    /// It is ended with the run, however that ends.
    pub(super) fn remember_session(&self, session: Session) {
        if let Ok(mut known) = self.sessions.lock() {
            known.push(session);
        }
    }
}

/// The host of this name, or what the inventory's hosts are called.
pub(crate) fn host_named<'a>(inventory: &'a Inventory, name: &str) -> Result<&'a Host, Problem> {
    inventory.hosts.iter().find(|host| host.name == name).ok_or_else(|| {
        let names: Vec<&str> = inventory.hosts.iter().map(|host| host.name.as_str()).collect();
        Problem::new(Exit::Usage, format!("the inventory has no host `{name}`"))
            .help(format!("its hosts are {}", names.join(", ")))
    })
}

/// `user@laptop`, for the message another run gets.
fn owner() -> String {
    let user =
        std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).unwrap_or_else(|_| "somebody".to_owned());
    let laptop = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_default();
    format!("{user}@{laptop}")
}
