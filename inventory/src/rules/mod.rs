//! Rules between fields. Each file holds one matter; each looks only at values that are good by themselves.

mod control_plane;
mod ddns;
mod edge;
mod endpoint;
mod hosts;
mod ingress;
mod networks;
mod openvpn;

use crate::fault::Faults;
use crate::source::Inventory;

/// Reports every violation.
pub(crate) fn check(inventory: &Inventory, faults: &mut Faults) {
    control_plane::check(inventory, faults);
    hosts::check(inventory, faults);
    networks::check(inventory, faults);
    endpoint::check(inventory, faults);
    edge::check(inventory, faults);
    ingress::check(inventory, faults);
    openvpn::check(inventory, faults);
    ddns::check(inventory, faults);
}
