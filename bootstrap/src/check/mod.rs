//! Preflight: pure functions from facts to rows, all hosts and all findings at once.
//!
//! `check` prints the rows; `up` and `plan` refuse when one of them blocks. Nothing here talks to a host.

mod boot;
mod clock;
mod clone;
mod edge;
mod host;
mod ingress;
mod latency;
mod leftover;
pub mod mesh;
mod network;
mod openvpn;
mod pi;
pub mod router;
mod space;
mod swap;

use std::collections::BTreeMap;

use garboard_inventory::{Host, Inventory, Role};
use garboard_protocol::Facts;
use garboard_protocol::request::FactsQuery;
use serde::Serialize;

use crate::problem::{Exit, Problem};

pub use clone::same_host_keys;
pub(crate) use latency::{DISK_LATENCY, latency_query};
pub(crate) use leftover::EARLIER_CLUSTER;
pub(crate) use network::is_of_the_cluster;

/// How serious a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it should be.
    Fine,
    /// Works, but the user should know.
    Warning,
    /// `up` refuses.
    Blocking,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The host.
    pub host: String,
    /// What was looked at, in a word or two.
    pub check: &'static str,
    /// How serious.
    pub verdict: Verdict,
    /// What was found.
    pub text: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

/// What one host's checks look at.
struct Subject<'a> {
    inventory: &'a Inventory,
    host: &'a Host,
    facts: &'a Facts,
    /// How far the host's clock is ahead of the laptop's, in milliseconds.
    clock_ahead_milliseconds: i64,
}

impl Subject<'_> {
    fn is_control_plane(&self) -> bool {
        self.host.role == Role::ControlPlane
    }

    /// The host was changed by us and not given back: what Kubernetes left there is ours to deal with.
    fn is_ours(&self) -> bool {
        self.facts.garboard.baseline
    }

    fn row(&self, check: &'static str, verdict: Verdict, text: impl Into<String>) -> Row {
        Row { host: self.host.name.clone(), check, verdict, text: text.into(), help: None }
    }

    fn fine(&self, check: &'static str, text: impl Into<String>) -> Row {
        self.row(check, Verdict::Fine, text)
    }

    fn warning(&self, check: &'static str, text: impl Into<String>, help: impl Into<String>) -> Row {
        Row { help: Some(help.into()), ..self.row(check, Verdict::Warning, text) }
    }

    fn blocking(&self, check: &'static str, text: impl Into<String>, help: impl Into<String>) -> Row {
        Row { help: Some(help.into()), ..self.row(check, Verdict::Blocking, text) }
    }
}

/// What the checks need the agent to look at; `vpn_port` where the host is to have the VPN's server.
pub fn query(host: &Host, vpn_port: Option<u16>) -> FactsQuery {
    let websites = edge::TCP_PORTS.iter().copied().filter(|_| host.edge);
    FactsQuery {
        tcp_ports: network::tcp_ports(host.role).iter().map(|port| port.number).chain(websites).collect(),
        udp_ports: network::UDP_PORTS.iter().map(|port| port.number).chain(vpn_port).collect(),
        disk_paths: space::paths(),
        sync_latency_path: None,
    }
}

/// All rows of all hosts whose facts are there, in the inventory's order. `clocks` says how far each host's clock is ahead of
/// the laptop's, in milliseconds.
pub fn rows(
    inventory: &Inventory,
    facts: &BTreeMap<String, Facts>,
    clocks: &BTreeMap<String, i64>,
) -> Vec<Row> {
    let mut rows = Vec::new();
    for host in &inventory.hosts {
        let Some(facts) = facts.get(&host.name) else { continue };
        let clock_ahead_milliseconds = clocks.get(&host.name).copied().unwrap_or_default();
        let subject = Subject { inventory, host, facts, clock_ahead_milliseconds };
        host::rows(&subject, &mut rows);
        clock::rows(&subject, &mut rows);
        swap::rows(&subject, &mut rows);
        pi::rows(&subject, &mut rows);
        latency::rows(&subject, &mut rows);
        space::rows(&subject, &mut rows);
        network::rows(&subject, &mut rows);
        leftover::rows(&subject, &mut rows);
        edge::rows(&subject, &mut rows);
        openvpn::rows(&subject, &mut rows);
        ingress::rows(&subject, &mut rows);
    }
    clone::rows(inventory, facts, &mut rows);
    rows
}

/// The blocking rows as problems that end a run before it changes anything.
pub fn refusals(rows: &[Row]) -> Vec<Problem> {
    rows.iter()
        .filter(|row| row.verdict == Verdict::Blocking)
        .map(|row| {
            let problem = Problem::new(Exit::Refused, format!("{}: {}", row.check, row.text)).host(&row.host);
            match &row.help {
                Some(help) => problem.help(help),
                None => problem,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests;
