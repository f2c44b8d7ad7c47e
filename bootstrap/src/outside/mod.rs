//! The names of the front door as somebody finds them who comes from the internet, as far as this machine can tell: what DNS says, and who
//! answers at that address. `verdict` is pure; `look` does the asking.

mod look;
#[cfg(test)]
mod tests;
mod verdict;

use std::net::{IpAddr, Ipv4Addr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use look::{Look, Network};
pub use verdict::{Answer, Observed, Place, Purpose, Question, Resolved, is_of_home, seen};

/// Somebody on the internet, for the way there: nothing is sent.
const SOMEBODY: IpAddr = IpAddr::V4(Ipv4Addr::new(1, 1, 1, 1));

/// All names, and from where they were looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OutsideView {
    /// The address with which this machine asked; left out where no way leads out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Whether that was inside the network at home: then silence may be the router's, which leads nobody back in (no hairpin NAT).
    pub inside: bool,
    /// The router's address on the internet, as the service of dynamic DNS knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub router: Option<String>,
    /// Each name with each of its ports.
    pub names: Vec<SeenName>,
}

/// A port of a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SeenName {
    /// The name, or the address that stands in its place.
    pub name: String,
    /// `tcp` or `udp`.
    pub protocol: String,
    /// The port.
    pub port: u16,
    /// Where the name leads, as this machine's DNS servers have it.
    pub addresses: Vec<String>,
    /// What came of it.
    pub verdict: Verdict,
    /// The same for a person.
    pub text: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

/// What came of looking at a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The edge host answered.
    Answered,
    /// Somebody answered, and whether it is the edge host cannot be told.
    Unknown,
    /// Something else than the edge host answered.
    Another,
    /// Nobody answered.
    Silent,
    /// The edge host itself does not answer on that port.
    EdgeSilent,
    /// The name leads to another address than the router's.
    Elsewhere,
    /// The name leads to an address that is worth nothing on the internet.
    AtHome,
    /// The name leads to an address between the provider and its customers.
    BehindNat,
    /// There is no such name, or it has no address.
    NoName,
    /// The DNS servers said nothing.
    NoDns,
    /// The port says nothing to strangers: it was not asked.
    NotAsked,
}

impl Verdict {
    /// Whether a person should look at it.
    pub fn is_warning(self) -> bool {
        !matches!(self, Self::Answered | Self::AtHome | Self::NotAsked)
    }
}

impl OutsideView {
    /// For a person: a line for each name and what came of it, ports that came to the same together.
    pub fn human(&self) -> String {
        let from = match (&self.from, self.inside) {
            (Some(from), true) => format!("from {from}, inside your own network"),
            (Some(from), false) => format!("from {from}"),
            (None, _) => "from this machine, which has no way out".to_owned(),
        };
        let mut lines = vec![format!("seen {from}:")];
        let mut rest: Vec<&SeenName> = self.names.iter().collect();
        while let Some(first) = rest.first().copied() {
            let same = |one: &&SeenName| one.name == first.name && one.text == first.text;
            let ports: Vec<String> = rest
                .iter()
                .filter(|one| same(one))
                .map(|one| format!("{}/{}", one.port, one.protocol))
                .collect();
            rest.retain(|one| !same(one));
            let mark = if first.verdict.is_warning() { "warning: " } else { "" };
            lines.push(format!("  {mark}{} ({}): {}", first.name, ports.join(", "), first.text));
            lines.extend(first.help.iter().map(|help| format!("    help: {help}")));
        }
        lines.iter().map(|line| crate::output::text::one_line(line)).collect::<Vec<_>>().join("\n")
    }
}

/// Looks at all of them at once.
pub async fn look(look: &dyn Look, questions: &[Question], place: &Place) -> OutsideView {
    // Also where no name leads anywhere.
    let from = look.source(place.router.unwrap_or(SOMEBODY));
    let looks = questions.iter().map(|question| async move {
        let observed = observe(look, question, place, from).await;
        seen(question, &observed, place)
    });
    let names: Vec<SeenName> = futures::future::join_all(looks).await;
    OutsideView {
        inside: from.is_some_and(|from| place.is_inside(from)),
        from: from.map(|from| from.to_string()),
        router: place.router.map(|router| router.to_string()),
        names,
    }
}

async fn observe(look: &dyn Look, question: &Question, place: &Place, from: Option<IpAddr>) -> Observed {
    let resolved = match question.name.parse::<IpAddr>() {
        Ok(address) => Resolved::Addresses(vec![address]),
        Err(_) => look.resolve(&question.name).await,
    };
    let target = verdict::target(&resolved, place);
    let (outside, edge) = match (target, question.purpose) {
        (Some(target), Purpose::Web { .. }) => {
            let (outside, edge) = tokio::join!(look.ask(target, question), look.ask_edge(question));
            (Some(outside), edge)
        }
        _ => (None, None),
    };
    Observed { resolved, from, outside, edge }
}
