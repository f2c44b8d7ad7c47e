//! The port mesh: which host must reach which on which port, and what the answers of all of them mean. Pure; the talking is
//! in `run::mesh`.
//!
//! Not a word about a port means that it is reachable. What could not be probed is said.

mod finding;
mod port;
mod row;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use garboard_inventory::{Host, Inventory, Role, Zone};
use garboard_protocol::Facts;
use garboard_protocol::limits::MESH_TARGETS;
use garboard_protocol::mesh::{Answer, Heard, Listen, ListenPort, Listener, ListenerState, Protocol, Target};

use super::{Row, Verdict};
use port::{MeshPort, PORTS};

/// The name of these rows.
const CHECK: &str = "mesh";
/// How long a host waits for an answer of another, in milliseconds. A lost first packet of TCP is sent again after 1 s.
pub const WINDOW_MILLISECONDS: u64 = 3_000;
/// How long the laptop waits for a host to open its ports, in seconds. Those who were faster keep theirs open meanwhile.
pub const OPENING_SECONDS: u64 = 5;
/// On top of what the probes take, for their answers to come back, in seconds.
pub const ANSWERING_SECONDS: u64 = 5;

/// A host of the mesh.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Node {
    role: Role,
    /// What the cluster knows it by.
    address: IpAddr,
    /// All it has: what comes from one of them comes from it.
    addresses: Vec<IpAddr>,
    /// Its ports belong to the cluster's own programs: none of them is opened.
    is_member: bool,
    /// Its packet filter knows the hosts of the last run, and learns of new ones in this one.
    filters: bool,
    /// What this filter takes for hosts of the public tier, since they were in the last run.
    keeps_out: Vec<IpAddr>,
    /// It stands in the public tier.
    is_public: bool,
}

/// One host's way to a port of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Way<'a> {
    from: &'a str,
    to: &'a str,
    port: &'static MeshPort,
}

/// Who must reach whom.
#[derive(Debug)]
pub struct Mesh<'a> {
    nodes: BTreeMap<&'a str, Node>,
    ways: Vec<Way<'a>>,
    /// Hosts whose address in the cluster is not clear, with the reason.
    unclear: Vec<(&'a str, String)>,
}

/// Who came to a host's ports, and who serves those that the agent had not opened.
pub type Closed = (Vec<Heard>, Vec<Listener>);

/// What the hosts said, each by its name. A host that gave no answer has the reason instead.
#[derive(Debug, Default)]
pub struct Answers {
    /// To `MeshListen`.
    pub listeners: BTreeMap<String, Result<Vec<Listener>, String>>,
    /// To `MeshProbe`, in the order of [`Mesh::targets`].
    pub probed: BTreeMap<String, Result<Vec<Answer>, String>>,
    /// To `MeshClose`.
    pub closed: BTreeMap<String, Result<Closed, String>>,
}

impl<'a> Mesh<'a> {
    /// The mesh between the hosts whose facts are there, as far as it is about one of those that `concerns` says yes to.
    pub fn of(
        inventory: &'a Inventory,
        facts: &BTreeMap<String, Facts>,
        concerns: impl Fn(&str, &Facts) -> bool,
    ) -> Self {
        let mut mesh = Self { nodes: BTreeMap::new(), ways: Vec::new(), unclear: Vec::new() };
        let mut concerned = BTreeSet::new();
        for host in &inventory.hosts {
            let Some(facts) = facts.get(&host.name) else { continue };
            if concerns(&host.name, facts) {
                concerned.insert(host.name.as_str());
            }
            let address = garboard_playbooks::node_address(host, facts, &inventory.cluster)
                .map_err(|error| error.to_string())
                .and_then(|address| address.parse().map_err(|_| format!("`{address}` is no IP address")));
            match address {
                Ok(address) => {
                    mesh.nodes.insert(&host.name, Node::of(host, address, facts));
                }
                Err(why) => mesh.unclear.push((&host.name, why)),
            }
        }
        let names: Vec<&str> = inventory.hosts.iter().map(|host| host.name.as_str()).collect();
        for to in &names {
            for port in &PORTS {
                for from in &names {
                    let is_asked = concerned.contains(from) || concerned.contains(to);
                    if let (true, Some(source), Some(target)) =
                        (is_asked, mesh.nodes.get(from), mesh.nodes.get(to))
                        && from != to
                        && port.is_needed(source.role, target.role)
                        && !source.is_filtered(target, port)
                    {
                        mesh.ways.push(Way { from, to, port });
                    }
                }
            }
        }
        if mesh.ways.is_empty() {
            mesh.unclear.retain(|(host, _)| concerned.contains(host));
        }
        mesh
    }

    /// Whether there is nothing to probe.
    pub fn is_empty(&self) -> bool {
        self.ways.is_empty()
    }

    /// How many ways there are.
    pub fn ways(&self) -> usize {
        self.ways.len()
    }

    /// The hosts that take part.
    pub fn hosts(&self) -> BTreeSet<&'a str> {
        self.ways.iter().flat_map(|way| [way.from, way.to]).collect()
    }

    /// Longest any port is open, in seconds: until the slowest has opened its own, and all have probed.
    pub fn open_seconds(&self) -> u64 {
        let most = self.hosts().iter().map(|host| self.ways_from(host).count()).max().unwrap_or(0);
        let rounds = most.div_ceil(MESH_TARGETS) as u64;
        OPENING_SECONDS + rounds * WINDOW_MILLISECONDS.div_ceil(1_000) + ANSWERING_SECONDS
    }

    /// What each host listens on.
    pub fn listens(&self, nonce: &str) -> BTreeMap<String, Listen> {
        let listen = |host: &&'a str| {
            let node = self.nodes.get(host)?;
            let ports: BTreeSet<&MeshPort> =
                self.ways.iter().filter(|way| way.to == *host).map(|way| way.port).collect();
            let ports = ports
                .into_iter()
                .map(|port| ListenPort { port: port.port, in_place: node.is_member && port.has_owner });
            Some((
                (*host).to_owned(),
                Listen {
                    nonce: nonce.to_owned(),
                    host: (*host).to_owned(),
                    address: node.address,
                    ports: ports.collect(),
                    seconds: self.open_seconds(),
                },
            ))
        };
        self.hosts().iter().filter_map(listen).collect()
    }

    /// What each host probes, given what became of the ports.
    pub fn targets(&self, answers: &Answers) -> BTreeMap<String, Vec<Target>> {
        let targets = |host: &&'a str| {
            let ways = self.probed_from(host, answers);
            ((*host).to_owned(), ways.into_iter().filter_map(|way| self.target(way, answers)).collect())
        };
        self.hosts().iter().map(targets).collect()
    }

    /// What was found, hosts in the inventory's order; reachable ports are no row.
    pub fn rows(&self, answers: &Answers) -> Vec<Row> {
        row::rows(self, answers)
    }

    fn ways_from(&self, host: &str) -> impl Iterator<Item = Way<'a>> {
        self.ways.iter().copied().filter(move |way| way.from == host)
    }

    /// The ways that a host probes: those whose other end takes part.
    fn probed_from(&self, host: &str, answers: &Answers) -> Vec<Way<'a>> {
        self.ways_from(host).filter(|way| finding::can_be_probed(way.listener(answers))).collect()
    }

    fn target(&self, way: Way<'_>, answers: &Answers) -> Option<Target> {
        let listener = way.listener(answers).ok()?;
        // Where packets to somebody else's UDP port are heard, they are answered too.
        let is_ours = listener.state == ListenerState::Open || way.port.port.protocol == Protocol::Udp;
        let address = self.nodes.get(way.to)?.address;
        Some(Target { host: way.to.to_owned(), address, port: way.port.port, is_ours })
    }
}

impl Node {
    fn of(host: &Host, address: IpAddr, facts: &Facts) -> Self {
        let addresses = facts.addresses.iter().filter_map(|found| found.address.parse().ok()).collect();
        let is_member = facts.kubernetes.kubelet_conf;
        let is_public = host.tier() == Zone::Public;
        let filters = (host.edge && is_member) || facts.garboard.edge_filter;
        let keeps_out = facts.garboard.public_tier.iter().copied().map(IpAddr::V4).collect();
        Self { role: host.role, address, addresses, is_member, filters, keeps_out, is_public }
    }

    /// Whether a packet filter of ours closes the way by intent: from the public tier to all but what a worker needs, between an
    /// edge host and hosts that it does not know yet, and from one that is of the public tier no more.
    fn is_filtered(&self, target: &Self, port: &MeshPort) -> bool {
        // As this run has it, or as the last one wrote it.
        let is_inwards = (self.is_public && !target.is_public) || target.keeps_out.contains(&self.address);
        (is_inwards && !port.is_for_every_tier()) || self.filters || target.filters
    }
}

impl Way<'_> {
    /// What became of the port; or why its host does not take part.
    fn listener<'b>(&self, answers: &'b Answers) -> Result<&'b Listener, &'b str> {
        match answers.listeners.get(self.to) {
            Some(Ok(listeners)) => {
                let found = listeners.iter().find(|listener| listener.port == self.port.port);
                found.ok_or("it did not say what became of the port")
            }
            Some(Err(why)) => Err(why),
            None => Err("it was not asked"),
        }
    }
}

/// Rows about hosts that did not take part because they were not reached.
pub fn unreached<'a>(hosts: impl Iterator<Item = &'a str>) -> Vec<Row> {
    hosts
        .map(|host| Row {
            host: host.to_owned(),
            check: CHECK,
            verdict: Verdict::Warning,
            text: "not probed: the host was not reached".to_owned(),
            help: Some("make it reachable, then check again".to_owned()),
        })
        .collect()
}

/// Shown in messages: `tcp 10250 (kubelet)`.
fn named(port: &MeshPort) -> String {
    format!("{} ({})", port.port, port.purpose)
}
