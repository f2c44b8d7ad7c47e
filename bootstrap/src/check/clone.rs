//! What only shows when hosts are seen side by side: cards cloned from one another.

use std::collections::BTreeMap;

use garboard_inventory::Inventory;
use garboard_protocol::Facts;

use super::{Row, Verdict};

pub(super) fn rows(inventory: &Inventory, facts: &BTreeMap<String, Facts>, rows: &mut Vec<Row>) {
    let mut machines: BTreeMap<&str, &str> = BTreeMap::new();
    for host in &inventory.hosts {
        let Some(facts) = facts.get(&host.name) else { continue };
        if facts.machine_id.is_empty() {
            continue;
        }
        if let Some(first) = machines.insert(&facts.machine_id, &host.name) {
            rows.push(Row {
                host: host.name.clone(),
                check: "machine id",
                verdict: Verdict::Blocking,
                text: format!("the same as {first}'s: {}", facts.machine_id),
                help: Some(format!(
                    "one was cloned from the other: on {} run `rm /etc/machine-id && systemd-machine-id-setup`, then reboot",
                    host.name
                )),
            });
        }
    }
}
