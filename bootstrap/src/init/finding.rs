//! What was found out about one host.

use std::net::IpAddr;

use garboard_inventory::Inventory;
use garboard_playbooks::{RenderError, node_address};
use garboard_protocol::Facts;

use crate::ssh::OfferedKey;

/// Of the host at the same place in the answers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Finding {
    /// Its host key.
    pub host_key: HostKey,
    /// Host keys it showed of which nobody knows whether they are right, the best one first.
    pub offered: Vec<OfferedKey>,
    /// Itself.
    pub seen: Seen,
}

/// What is known of a host's key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum HostKey {
    /// Nothing.
    #[default]
    Unknown,
    /// A person gave this fingerprint beforehand.
    Given(String),
    /// A known-hosts file has it.
    Recorded(String),
    /// The host showed it, and a person agreed.
    Agreed(String),
    /// The host showed it, and nobody agreed.
    Shown(String),
}

impl HostKey {
    /// The fingerprint that is right.
    pub fn pinned(&self) -> Option<&str> {
        match self {
            Self::Given(key) | Self::Recorded(key) | Self::Agreed(key) => Some(key),
            Self::Unknown | Self::Shown(_) => None,
        }
    }
}

/// What was seen of a host.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Seen {
    /// Nobody looked.
    #[default]
    Nothing,
    /// Everything.
    Facts(Box<Facts>),
    /// It could not be looked at: why, in one sentence.
    Unreached(String),
}

impl Finding {
    pub(super) fn facts(&self) -> Option<&Facts> {
        match &self.seen {
            Seen::Facts(facts) => Some(facts),
            Seen::Nothing | Seen::Unreached(_) => None,
        }
    }
}

/// What has to be said of a host's address in the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NodeAddress {
    /// Nothing: it follows from `address`.
    Follows,
    /// This one: `address` is not on any interface, and there is no other.
    Only(IpAddr),
    /// One of these, which a person has to choose.
    OneOf(Vec<IpAddr>),
}

impl NodeAddress {
    /// By the rule that `up` goes by. `inventory` is the one without a `node_ip`.
    pub(super) fn of(inventory: &Inventory, host: usize, facts: &Facts) -> Self {
        let Some(host) = inventory.hosts.get(host) else { return Self::Follows };
        let parsed = |text: &String| text.parse::<IpAddr>().ok();
        match node_address(host, facts, &inventory.cluster) {
            // A name may lead anywhere; what is found behind it is found again.
            Ok(address) if host.known_node_ip().is_some_and(|known| known.to_string() != address) => {
                parsed(&address).map_or(Self::Follows, Self::Only)
            }
            Err(RenderError::NodeAddress { candidates, .. }) if !candidates.is_empty() => {
                Self::OneOf(candidates.iter().filter_map(parsed).collect())
            }
            _ => Self::Follows,
        }
    }
}
