//! Every event of a run. This is the stable interface of `--output json`: fields and kinds are added, never renamed.
//! `docs/events.md` tells it to those who read events; a test keeps the two equal.

use garboard_protocol::Change;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::outside::OutsideView;
use crate::problem::{Exit, Problem};

/// An event. `host` is a host's name, or `cluster` for what the laptop does through the Kubernetes API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A command begins.
    RunStarted {
        /// The run's id.
        run: String,
        /// The command's name.
        command: String,
        /// The cluster's name.
        cluster: String,
        /// All hosts it works on.
        hosts: Vec<String>,
    },
    /// Something worth saying that belongs to no host.
    Note {
        /// One line.
        text: String,
    },
    /// A host is called.
    HostConnecting {
        /// The host.
        host: String,
        /// Where it is called, as the inventory says.
        address: String,
    },
    /// A host answered, its agent is at work.
    HostConnected {
        /// The host.
        host: String,
        /// Whether the agent had to be sent.
        agent_sent: bool,
        /// Since the run began.
        milliseconds: u64,
    },
    /// The connection to a host is lost in the middle. What the host is at goes on there; meanwhile it is tried again.
    HostLost {
        /// The host.
        host: String,
        /// How it was noticed.
        cause: String,
        /// How long it is tried.
        seconds: u64,
    },
    /// A host whose connection was lost is there again, and the run goes on where it was.
    HostBack {
        /// The host.
        host: String,
        /// How long it was gone.
        milliseconds: u64,
    },
    /// A host goes down for a reboot that a step needs. It is waited for.
    HostRebooting {
        /// The host.
        host: String,
        /// What the reboot brings: kernel parameters, or `/run/reboot-required`.
        reasons: Vec<String>,
        /// How long it may take.
        seconds: u64,
    },
    /// A host is there again after its reboot. What is left to do on it is looked at and planned anew.
    HostRebooted {
        /// The host.
        host: String,
        /// How long it took.
        milliseconds: u64,
    },
    /// What there is to do on a host is known, and work on it begins.
    HostPlanned {
        /// The host.
        host: String,
        /// All its steps.
        steps: u64,
        /// Steps that differ, or that cannot be told yet.
        pending: u64,
    },
    /// Files come from upstream into the store.
    Fetching {
        /// What.
        name: String,
        /// Bytes so far.
        done: u64,
        /// Bytes in all, 0 when not known.
        total: u64,
    },
    /// Blobs go to a host.
    Sending {
        /// The host.
        host: String,
        /// Bytes so far.
        done: u64,
        /// Bytes in all.
        total: u64,
    },
    /// A step cannot begin before others give these signals.
    StepWaiting {
        /// The host.
        host: String,
        /// `PLAYBOOK/NUMBER`.
        step: String,
        /// Those that are still missing.
        signals: Vec<String>,
    },
    /// A step begins.
    StepStarted {
        /// The host.
        host: String,
        /// `PLAYBOOK/NUMBER`.
        step: String,
        /// What it does.
        doing: String,
    },
    /// News from inside a long step.
    StepProgress {
        /// The host.
        host: String,
        /// `PLAYBOOK/NUMBER`.
        step: String,
        /// One line.
        text: String,
        /// Whether the step stands still until another program on the host is done.
        waits: bool,
    },
    /// A step ended well.
    StepFinished {
        /// The host.
        host: String,
        /// `PLAYBOOK/NUMBER`.
        step: String,
        /// What it changed; empty: nothing had to be done.
        changes: Vec<Change>,
        /// How long it took.
        milliseconds: u64,
    },
    /// The work on a host was stopped, as somebody asked for: the step at work has ended, no further one begins.
    HostStopped {
        /// The host.
        host: String,
        /// Steps that ended well in this run.
        done: u64,
        /// Steps that are still to be done, or to be looked at.
        left: u64,
        /// The first of those, `PLAYBOOK/NUMBER`.
        next: String,
    },
    /// Something failed.
    Failed {
        /// Told completely.
        problem: Problem,
    },
    /// Where the cluster is found from outside; at the end of an `up` that has made everything so.
    FrontDoor {
        /// The edge host.
        host: String,
        /// Its address in the network at home: where the router's forwards lead.
        address: String,
        /// What can be opened in a browser once the names lead to the router.
        urls: Vec<String>,
        /// What the router has to let through.
        forwards: Vec<Forward>,
        /// The certificate of the authority that devices have to be told to trust; left out where they know it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        authority: Option<String>,
    },
    /// How the names of the front door look from outside; at the end of an `up`, after `front_door`. What is wrong there fails nothing.
    Outside {
        /// All of it.
        view: OutsideView,
    },
    /// All work on a host is done.
    HostFinished {
        /// The host.
        host: String,
        /// Steps that changed something.
        changed: u64,
        /// All its steps.
        steps: u64,
        /// Bytes sent to it so far, encryption included; 0 for the cluster, whose requests travel with the leader's.
        bytes_sent: u64,
    },
    /// The command ends; always the last event.
    RunFinished {
        /// Steps that changed something, on all hosts and in the cluster.
        changes: u64,
        /// Since the run began.
        milliseconds: u64,
        /// How it ended.
        exit: Exit,
        /// The run's report, a JSON document; left out where it could not be written.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        report: Option<String>,
        /// The same report as a page for a browser.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        page: Option<String>,
    },
}

/// A port that a router forwards to the edge host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Forward {
    /// `tcp` or `udp`.
    pub protocol: String,
    /// The port, the same on both sides.
    pub port: u16,
    /// What it is for.
    pub what: String,
}

impl Event {
    /// The host it is about.
    pub fn host(&self) -> Option<&str> {
        match self {
            Self::HostConnecting { host, .. }
            | Self::HostConnected { host, .. }
            | Self::HostLost { host, .. }
            | Self::HostBack { host, .. }
            | Self::HostRebooting { host, .. }
            | Self::HostRebooted { host, .. }
            | Self::HostStopped { host, .. }
            | Self::HostPlanned { host, .. }
            | Self::Sending { host, .. }
            | Self::StepWaiting { host, .. }
            | Self::StepStarted { host, .. }
            | Self::StepProgress { host, .. }
            | Self::StepFinished { host, .. }
            | Self::HostFinished { host, .. } => Some(host),
            // About the cluster as a whole: nothing is done on the host any more.
            Self::Failed { problem } => problem.host.as_deref(),
            Self::RunStarted { .. }
            | Self::FrontDoor { .. }
            | Self::Outside { .. }
            | Self::Note { .. }
            | Self::Fetching { .. }
            | Self::RunFinished { .. } => None,
        }
    }
}

/// The JSON Schema (draft 2020-12) of one line of `--output json`.
pub fn schema() -> serde_json::Value {
    let settings = schemars::generate::SchemaSettings::draft2020_12();
    settings.into_generator().into_root_schema_for::<Event>().to_value()
}
