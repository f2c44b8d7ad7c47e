//! The port mesh: agents open the cluster's ports for a few seconds, and every host probes the others.
//!
//! `MeshListen` on every host, then `MeshProbe` on every host, then `MeshClose`, which also tells whom the host has heard.
//! What was opened is closed on request, when its time is over, and as soon as the client is gone: nothing stays open.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// How packets travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// A port; shown as `tcp 10250`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Port {
    /// How packets travel.
    pub protocol: Protocol,
    /// 1 to 65535.
    pub number: u16,
}

impl fmt::Display for Port {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol = match self.protocol {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        };
        write!(formatter, "{protocol} {}", self.number)
    }
}

/// Ports to listen on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listen {
    /// Known to the hosts of this mesh only: 1 to 64 letters and digits. What comes without it is not answered.
    pub nonce: String,
    /// The name under which this host answers.
    pub host: String,
    /// The address to listen on: the one the cluster knows the host by.
    pub address: IpAddr,
    /// At most [`crate::limits::MESH_PORTS`].
    pub ports: Vec<ListenPort>,
    /// At most so long, whatever happens; up to [`crate::limits::MESH_SECONDS`].
    pub seconds: u64,
}

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenPort {
    /// Which.
    pub port: Port,
    /// Leave it to the program it belongs to, also when that does not serve it now: only watch who comes.
    pub in_place: bool,
}

/// What became of a port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listener {
    /// Which.
    pub port: Port,
    /// What serves it.
    pub state: ListenerState,
    /// Whoever comes is heard, and shows up in the answer to `MeshClose`.
    pub hears: bool,
}

/// What serves a port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListenerState {
    /// The agent.
    Open,
    /// Somebody else.
    Served {
        /// The process's name (`comm`); empty when it cannot be told, or is the kernel itself.
        process: String,
        /// Its id, 0 when it cannot be told.
        pid: u32,
    },
    /// Nobody, and it was not to be opened.
    Vacant,
    /// Nobody: it could not be opened.
    Failed {
        /// Why.
        why: String,
    },
}

/// Ports of other hosts to probe, all at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// As the other hosts were given it.
    pub nonce: String,
    /// The name of the host that asks.
    pub host: String,
    /// At most [`crate::limits::MESH_TARGETS`].
    pub targets: Vec<Target>,
    /// How long to wait for an answer; up to [`crate::limits::MESH_MILLISECONDS`].
    pub milliseconds: u64,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The host that should answer.
    pub host: String,
    /// Where it should be.
    pub address: IpAddr,
    /// Which.
    pub port: Port,
    /// An agent answers there, with the nonce and its name. Otherwise a connection that comes about is answer enough.
    pub is_ours: bool,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The right host answered.
    Reached,
    /// Nothing.
    Silent,
    /// A reset, or an ICMP message that it does not pass.
    Refused {
        /// The kernel's word for it.
        why: String,
    },
    /// The asking host's own firewall did not let it out.
    Withheld,
    /// Somebody else answered.
    Other {
        /// Another host of this mesh; `None`: nobody of it.
        host: Option<String>,
    },
    /// The asking host could not ask.
    Failed {
        /// Why.
        why: String,
    },
}

/// Somebody who came to a port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Heard {
    /// To which.
    pub port: Port,
    /// From where.
    pub address: IpAddr,
    /// What was said; `None` for a connection that never came about, since the answer to its first packet was lost.
    pub said: Option<Said>,
}

/// What a host of the mesh says when it comes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Said {
    /// Its name.
    pub from: String,
    /// The host it meant to reach.
    pub to: String,
}
