//! Checks that need no host.

mod claim;
mod inventory;
mod order;
mod sample;
mod signal;
mod variable;

pub(crate) use order::order;

use crate::Site;
use crate::diagnostic::Faults;

/// All that can be said without an inventory.
pub(crate) fn structure(site: &Site, faults: &mut Faults) {
    order::check_after(&site.playbooks, faults);
    signal::check(&site.playbooks, faults);
    claim::check(&site.playbooks, faults);
    variable::check(site, faults);
}
