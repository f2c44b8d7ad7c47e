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

/// Hosts that have shown the same host key: who has one of them can pass for the other. `keys` are fingerprints.
pub fn same_host_keys(inventory: &Inventory, keys: &BTreeMap<String, String>) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
    for host in &inventory.hosts {
        let Some(key) = keys.get(&host.name) else { continue };
        if let Some(first) = seen.get(key.as_str()) {
            rows.push(Row {
                host: host.name.clone(),
                check: "host key",
                verdict: Verdict::Blocking,
                text: format!("the same as {first}'s: {key}; each of them can pass for the other"),
                help: Some(format!(
                    "one was cloned from the other: on {name} run `rm /etc/ssh/ssh_host_*_key* && ssh-keygen -A`, restart its \
                     sshd, then `garboard trust {name}`",
                    name = host.name
                )),
            });
        } else {
            seen.insert(key, &host.name);
        }
    }
    rows
}
