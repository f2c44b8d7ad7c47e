//! Findings as rows: one for each port of a host and each thing found, with all hosts it was found from.

use super::finding::Finding;
use super::port::MeshPort;
use super::{Answers, CHECK, Mesh, WINDOW_MILLISECONDS, Way, named};
use crate::check::{Row, Verdict};

pub(super) fn rows(mesh: &Mesh<'_>, answers: &Answers) -> Vec<Row> {
    let mut rows = unclear(mesh);
    rows.extend(mute(mesh, answers));
    let mut groups: Vec<Group<'_>> = Vec::new();
    for (way, finding) in mesh.findings(answers) {
        let group = Group::of(way, finding);
        match groups.iter_mut().find(|known| known.joins(&group)) {
            Some(known) => known.others.extend(group.others),
            None => groups.push(group),
        }
    }
    rows.extend(groups.iter().map(|group| group.row(mesh)));
    rows
}

/// Ways of one port and one finding that share an end: the host whose row it is.
struct Group<'a> {
    host: &'a str,
    others: Vec<&'a str>,
    port: &'static MeshPort,
    finding: Finding,
}

impl<'a> Group<'a> {
    fn of(way: Way<'a>, finding: Finding) -> Self {
        let is_askers = matches!(finding, Finding::Withheld | Finding::NotAsked { .. });
        let (host, other) = if is_askers { (way.from, way.to) } else { (way.to, way.from) };
        Self { host, others: vec![other], port: way.port, finding }
    }

    fn joins(&self, other: &Self) -> bool {
        (self.host, self.port, &self.finding) == (other.host, other.port, &other.finding)
    }

    fn row(&self, mesh: &Mesh<'_>) -> Row {
        let Self { host, port, .. } = self;
        let (port_named, others) = (named(port), self.others.join(", "));
        let to_host = format!("{others} → {host}");
        let from_host = format!("{host} → {others}");
        let at = |name: &str| mesh.nodes.get(name).map_or_else(String::new, |node| node.address.to_string());
        let addresses = self.others.iter().map(|other| at(other)).collect::<Vec<_>>().join(", ");
        let own = at(host);
        let seconds = WINDOW_MILLISECONDS / 1_000;
        let number = port.port;
        let (verdict, text, help) = match &self.finding {
            Finding::Blocked => (
                Verdict::Blocking,
                format!("{to_host}: {port_named} is blocked: nothing came back within {seconds} s"),
                format!(
                    "let {number} from {addresses} in at {host} ({own}), and out there; `nft list ruleset` shows a host's \
                     own rules, a router or switch between may have others"
                ),
            ),
            Finding::Withheld => (
                Verdict::Blocking,
                format!(
                    "{from_host}: {port_named} is blocked by {host}'s own firewall, which does not let it out"
                ),
                format!(
                    "let {number} to {addresses} out at {host}: `nft list ruleset` shows its output rules"
                ),
            ),
            Finding::AnswerLost => (
                Verdict::Blocking,
                format!(
                    "{from_host}: answers of {port_named} are blocked: {host} heard {others}, its answer did not come \
                     back within {seconds} s"
                ),
                format!("let answers of {number} from {host} ({own}) out, and in at {others} ({addresses})"),
            ),
            Finding::Refused { why } => (
                Verdict::Blocking,
                format!(
                    "{to_host}: {port_named} is refused ({why}) though something listens there: a rule rejects it"
                ),
                format!(
                    "remove the rule that rejects {number} from {addresses}, at {host} ({own}) or on the way"
                ),
            ),
            Finding::WrongHost { host: Some(answered) } => (
                Verdict::Blocking,
                format!("{to_host}: {port_named}: at {own} {answered} answers instead of {host}"),
                format!(
                    "two hosts have this address, or something between translates it: give {host} an address of its own, \
                     and name it with `node_ip`"
                ),
            ),
            Finding::WrongHost { host: None } => (
                Verdict::Blocking,
                format!("{to_host}: {port_named}: at {own} something else answers than {host}"),
                format!(
                    "another machine has this address, or something between (NAT, a proxy) takes the port: `ip neighbour` \
                     on {others} shows whose it is"
                ),
            ),
            Finding::NotAsked { why } => (
                Verdict::Blocking,
                format!("{from_host}: {port_named} could not be probed: {why}"),
                "clear what stands in the way, then check again".to_owned(),
            ),
            Finding::NotOpened { why } => (
                Verdict::Blocking,
                format!(
                    "{to_host}: {port_named} could not be probed: {own} port {} could not be opened: {why}",
                    number.number
                ),
                format!("`node_ip` must be an address of {host}'s own; `ip address` on it shows them"),
            ),
            Finding::Vacant => (
                Verdict::Warning,
                format!(
                    "{to_host}: {port_named} was not probed: {host} is a member, and nothing serves it now"
                ),
                "`garboard up` starts what should serve it; then check again".to_owned(),
            ),
            Finding::Unheard { holder } => (
                Verdict::Warning,
                format!(
                    "{to_host}: {port_named} was not probed: it is served already by {holder}, and the agent may not listen in"
                ),
                format!("give root on {host} the capability CAP_NET_RAW, or try it by hand"),
            ),
        };
        Row { host: (*host).to_owned(), check: CHECK, verdict, text, help: Some(help) }
    }
}

/// Hosts whose address is not clear.
fn unclear(mesh: &Mesh<'_>) -> Vec<Row> {
    mesh.unclear
        .iter()
        .map(|(host, why)| Row {
            host: (*host).to_owned(),
            check: CHECK,
            verdict: Verdict::Warning,
            text: format!("not probed: {why}"),
            help: Some("set `node_ip` in the inventory".to_owned()),
        })
        .collect()
}

/// Hosts that gave no answer to one of the questions: none of their ways is known to work.
fn mute(mesh: &Mesh<'_>, answers: &Answers) -> Vec<Row> {
    let row = |host: &&str| {
        let listened = answers.listeners.get(*host).and_then(|answer| answer.as_ref().err());
        let probed = answers.probed.get(*host).and_then(|answer| answer.as_ref().err());
        let closed = answers.closed.get(*host).and_then(|answer| answer.as_ref().err());
        let why = listened.or(probed).or(closed)?;
        Some(Row {
            host: (*host).to_owned(),
            check: CHECK,
            verdict: Verdict::Blocking,
            text: format!(
                "it gave no answer, so that it is not known whom it reaches and who reaches it: {why}"
            ),
            help: Some(
                "run again; if it stays, look at the connection to this host, and its load".to_owned(),
            ),
        })
    };
    mesh.hosts().iter().filter_map(row).collect()
}
