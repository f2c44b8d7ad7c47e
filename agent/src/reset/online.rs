//! What stays active until the next boot once a unit has asked for the network: two targets of systemd, and what waits for one of
//! them. The kubelet's unit asks for the network to be up, the packet filter's to be there before it.

use std::collections::BTreeSet;

use super::snapshot::Before;
use crate::steps::StepError;
use crate::steps::unit::{is_running, state};
use crate::system::{Command, Look};

/// systemd's word for a network that is up (systemd.special(7)).
const UP: &str = "network-online.target";
/// A target that is reached before the network.
const BEFORE: &str = "network-pre.target";
/// Units by which network daemons tell systemd that the network is up: systemd-networkd's, `NetworkManager`'s, ifupdown's, and those of
/// systemd-networkd for one link each. They run until it is, and count as active from then on.
const WAITING: &str = "*-wait-online*.service";

/// Whether the network was reported to be up.
pub(super) fn is_up(look: &dyn Look) -> bool {
    is_reached(UP, look)
}

/// Whether what comes before the network was reached.
pub(super) fn is_before(look: &dyn Look) -> bool {
    is_reached(BEFORE, look)
}

/// Names of the active units that have waited for the network.
pub(super) fn waited(look: &dyn Look) -> Result<BTreeSet<String>, StepError> {
    let words = ["list-units", "--plain", "--no-legend", "--full", "--state=active", WAITING];
    let listed = look.ask(&Command::new("systemctl", words))?.stdout;
    Ok(listed.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect())
}

/// Those of all these that were not active before, and are: to be stopped in this order. Nothing runs in them.
pub(super) fn came_since(before: &Before, look: &dyn Look) -> Result<Vec<String>, StepError> {
    if before.late {
        return Ok(Vec::new());
    }
    let targets = [(UP, before.is_online), (BEFORE, before.is_before_network)];
    let mut came: Vec<String> =
        targets.iter().filter(|(_, was)| !was).map(|(target, _)| (*target).to_owned()).collect();
    if let Some(known) = &before.waited_for_network {
        came.extend(waited(look)?.difference(known).cloned());
    }
    Ok(came)
}

fn is_reached(target: &str, look: &dyn Look) -> bool {
    state(target, look).is_ok_and(|state| is_running(&state))
}
