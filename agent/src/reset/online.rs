//! What stays active until the next boot once a unit has asked for the network: two targets of systemd, and what waits for one of
//! them. The kubelet's unit asks for the network to be up, the packet filter's to be there before it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::steps::StepError;
use crate::steps::unit::{is_running, state};
use crate::system::{Command, Look};

/// systemd's word for a network that is up (systemd.special(7)).
const UP: &str = "network-online.target";
/// A target that is reached before the network.
const BEFORE: &str = "network-pre.target";
/// Units by which network daemons tell systemd that the network is up: systemd-networkd's, `NetworkManager`'s, ifupdown's, and those
/// of systemd-networkd for one link each. They run until it is, and count as active from then on.
const WAITING: &str = "*-wait-online*.service";

/// Which of them were active.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Online {
    /// The network was reported to be up.
    #[serde(rename = "is_online")]
    is_up: bool,
    /// What comes before the network was reached; taken as so where an earlier version noted nothing.
    #[serde(rename = "is_before_network", default = "reached")]
    is_before: bool,
    /// Names of the units that had waited for the network; none where an earlier version noted nothing.
    #[serde(rename = "waited_for_network", default)]
    waited: Option<BTreeSet<String>>,
}

impl Online {
    /// As it is.
    pub(super) fn take(look: &dyn Look) -> Self {
        Self { is_up: is_reached(UP, look), is_before: is_reached(BEFORE, look), waited: waited(look).ok() }
    }

    /// What was not active then, and may be now: to be stopped in this order. Nothing runs in any of it.
    pub(super) fn came_since(&self, look: &dyn Look) -> Result<Vec<String>, StepError> {
        let targets = [(UP, self.is_up), (BEFORE, self.is_before)];
        let mut came: Vec<String> =
            targets.iter().filter(|(_, was)| !was).map(|(target, _)| (*target).to_owned()).collect();
        if let Some(known) = &self.waited {
            came.extend(waited(look)?.difference(known).cloned());
        }
        Ok(came)
    }
}

fn reached() -> bool {
    true
}

fn is_reached(target: &str, look: &dyn Look) -> bool {
    state(target, look).is_ok_and(|state| is_running(&state))
}

/// Names of the active units that have waited for the network.
fn waited(look: &dyn Look) -> Result<BTreeSet<String>, StepError> {
    let words = ["list-units", "--plain", "--no-legend", "--full", "--state=active", WAITING];
    let listed = look.ask(&Command::new("systemctl", words))?.stdout;
    Ok(listed.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect())
}
