//! Where a playbook runs.

use std::fmt;

use garboard_inventory::{Host, Role};

/// The value of `hosts:`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// Every host.
    All,
    /// The control plane a run works through.
    Leader,
    /// Every control plane.
    ControlPlane,
    /// Every worker.
    Worker,
    /// The host that faces the internet.
    Edge,
    /// No host: the cluster itself, through its API.
    Cluster,
    /// The host of this name.
    Host(String),
}

impl Selector {
    /// The words; every other text is a host's name.
    pub(crate) const WORDS: [&str; 6] = ["all", "leader", "control_plane", "worker", "edge", "cluster"];
    /// Words and keys of the design that nothing acts on yet.
    pub(crate) const LATER: [&str; 3] = ["other_control_planes", "zone", "label"];

    pub(crate) fn of(word: &str) -> Self {
        match word {
            "all" => Self::All,
            "leader" => Self::Leader,
            "control_plane" => Self::ControlPlane,
            "worker" => Self::Worker,
            "edge" => Self::Edge,
            "cluster" => Self::Cluster,
            name => Self::Host(name.to_owned()),
        }
    }

    /// Whether it takes this host, which leads or does not.
    pub(crate) fn takes(&self, host: &Host, leader: bool) -> bool {
        let control_plane = host.role == Role::ControlPlane;
        match self {
            Self::All => true,
            Self::Leader => leader,
            Self::ControlPlane => control_plane,
            Self::Worker => !control_plane,
            Self::Edge => host.edge,
            Self::Cluster => false,
            Self::Host(own) => *own == host.name,
        }
    }

    /// Whether more than one host can be meant.
    pub(crate) fn is_many(&self) -> bool {
        matches!(self, Self::All | Self::ControlPlane | Self::Worker)
    }

    /// Whether some host can be meant by both. What the cluster's playbooks make appears on every host.
    pub(crate) fn meets(&self, other: &Self) -> bool {
        use Selector::{ControlPlane, Edge, Host, Leader, Worker};
        match (self, other) {
            // An edge host is a worker.
            (Worker | Edge, Leader | ControlPlane) | (Leader | ControlPlane, Worker | Edge) => false,
            (Host(one), Host(other)) => one == other,
            _ => true,
        }
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::All => "all",
            Self::Leader => "leader",
            Self::ControlPlane => "control_plane",
            Self::Worker => "worker",
            Self::Edge => "edge",
            Self::Cluster => "cluster",
            Self::Host(name) => name,
        })
    }
}
