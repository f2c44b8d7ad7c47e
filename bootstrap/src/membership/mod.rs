//! Who belongs to which cluster: decided from facts and from what the laptop remembers, before any plan is made.
//!
//! A host carries a cluster only while its Kubernetes state does (kubelet.conf, CA, etcd data); a note of ours alone is
//! history. A cluster is initialised only when every control plane host was reached and no host carries one.

use std::collections::BTreeMap;

use garboard_inventory::{Host, Inventory, Role};
use garboard_protocol::Facts;
use garboard_protocol::step::ClusterId;

use crate::problem::{Exit, Problem};

/// Where the run stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The control plane the run works through.
    pub leader: String,
    /// The live cluster's CA hash; `None`: a cluster is to be made.
    pub cluster: Option<String>,
}

/// Decides. `known` is the laptop's memory of this cluster, `unreached` the hosts that gave no facts.
pub fn decide(
    inventory: &Inventory,
    facts: &BTreeMap<String, Facts>,
    unreached: &[String],
    known: Option<&ClusterId>,
) -> Result<Membership, Vec<Problem>> {
    let control_planes = || inventory.hosts.iter().filter(|host| host.role == Role::ControlPlane);
    let missing: Vec<&Host> = control_planes().filter(|host| unreached.contains(&host.name)).collect();
    let live = control_planes().find_map(|host| {
        let facts = facts.get(&host.name)?;
        carries_control_plane(facts).then(|| facts.kubernetes.ca_hash.clone()).flatten().map(|ca| (host, ca))
    });
    match live {
        Some((leader, ca_hash)) => {
            let problems = strangers(inventory, facts, leader, &ca_hash, known);
            if problems.is_empty() {
                Ok(Membership { leader: leader.name.clone(), cluster: Some(ca_hash) })
            } else {
                Err(problems)
            }
        }
        None if !missing.is_empty() => Err(missing
            .iter()
            .map(|host| {
                Problem::new(Exit::Failed, "the control plane was not reached, so nothing can be done safely")
                    .host(&host.name)
                    .help("a cluster is made, or worked on, only when its control plane answers")
            })
            .collect()),
        None => fresh(inventory, facts, unreached, known),
    }
}

fn carries_control_plane(facts: &Facts) -> bool {
    let kubernetes = &facts.kubernetes;
    kubernetes.kubelet_conf && kubernetes.etcd_data && kubernetes.admin_conf && kubernetes.ca_hash.is_some()
}

/// No control plane is live: a new cluster, unless somebody still carries an old one.
fn fresh(
    inventory: &Inventory,
    facts: &BTreeMap<String, Facts>,
    unreached: &[String],
    known: Option<&ClusterId>,
) -> Result<Membership, Vec<Problem>> {
    let Some(leader) = inventory.hosts.iter().find(|host| host.role == Role::ControlPlane) else {
        return Err(vec![Problem::new(Exit::Usage, "the inventory has no control plane")]);
    };
    let orphans: Vec<&str> = inventory
        .hosts
        .iter()
        .filter(|host| host.name != leader.name)
        .filter(|host| facts.get(&host.name).is_some_and(|facts| facts.kubernetes.kubelet_conf))
        .map(|host| host.name.as_str())
        .collect();
    if !orphans.is_empty() {
        return Err(vec![
            Problem::new(
                Exit::NeedsPerson,
                format!(
                    "{} carries no cluster, but {} still belong{} to one: a second cluster is never started",
                    leader.name,
                    orphans.join(", "),
                    if orphans.len() == 1 { "s" } else { "" },
                ),
            )
            .host(&leader.name)
            .help(format!(
                "if the old control plane can come back, bring it back and run `garboard up` again; if it is lost, give \
                 the others back first: `garboard reset --host {}`, then `garboard up`",
                orphans.join(" --host "),
            )),
        ]);
    }
    if let Some(known) = known
        && !unreached.is_empty()
    {
        return Err(vec![
            Problem::new(
                Exit::NeedsPerson,
                format!(
                    "cluster `{}` was on these hosts, no reached host carries it now, and {} cannot be asked",
                    known.name,
                    unreached.join(", "),
                ),
            )
            .help("bring every host back, or take the lost ones out of the inventory, then run `garboard up` again"),
        ]);
    }
    Ok(Membership { leader: leader.name.clone(), cluster: None })
}

/// Hosts of another cluster than the leader's.
fn strangers(
    inventory: &Inventory,
    facts: &BTreeMap<String, Facts>,
    leader: &Host,
    ca_hash: &str,
    known: Option<&ClusterId>,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    if let Some(known) = known
        && known.ca_hash != ca_hash
    {
        problems.push(
            Problem::new(Exit::NeedsPerson, "carries another cluster than the one this laptop made")
                .host(&leader.name)
                .cause(format!("the laptop knows {}, the host has {ca_hash}", known.ca_hash))
                .help(
                    "check that the inventory names the right host; if the host's cluster is the right one, forget the \
                     old one: remove `cluster.json` from the state folder (`garboard status` prints it)",
                ),
        );
    }
    for host in &inventory.hosts {
        let Some(facts) = facts.get(&host.name) else { continue };
        let kubernetes = &facts.kubernetes;
        if host.name != leader.name
            && kubernetes.kubelet_conf
            && let Some(other) = &kubernetes.ca_hash
            && other != ca_hash
        {
            problems.push(
                Problem::new(Exit::NeedsPerson, format!("belongs to another cluster than {}", leader.name))
                    .host(&host.name)
                    .cause(format!("its CA is {other}, the control plane's {ca_hash}"))
                    .help(format!("give it back first: `garboard reset --host {}`", host.name)),
            );
        }
        if kubernetes.kubelet_conf
            && let Some(note) = &facts.garboard.cluster
            && note.name != inventory.cluster.name
        {
            problems.push(
                Problem::new(
                    Exit::NeedsPerson,
                    format!(
                        "belongs to cluster `{}`, the inventory names it `{}`; a cluster's name cannot change",
                        note.name, inventory.cluster.name
                    ),
                )
                .host(&host.name)
                .help(format!("set `cluster.name: {}`", note.name)),
            );
        }
    }
    problems
}

#[cfg(test)]
mod tests;
