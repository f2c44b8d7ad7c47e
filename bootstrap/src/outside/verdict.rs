//! What observations come to. Pure.

use std::net::IpAddr;

use garboard_ddns::address::{Refusal, refusal};
use ipnet::IpNet;

use super::{SeenName, Verdict};

/// What is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// A name, or an address in its place.
    pub name: String,
    /// Its port.
    pub port: u16,
    /// Who is expected there.
    pub purpose: Purpose,
}

/// Who is expected behind a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The ingress.
    Web {
        /// Whether it speaks TLS there.
        tls: bool,
    },
    /// The VPN, over UDP: it answers nobody who has no profile.
    Vpn,
}

/// What is known of home.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// The router's address on the internet, where the service of dynamic DNS knows it.
    pub router: Option<IpAddr>,
    /// Its networks.
    pub networks: Vec<IpNet>,
    /// The edge host.
    pub edge: String,
}

impl Place {
    /// Whether somebody with this address is at home.
    pub fn is_inside(&self, address: IpAddr) -> bool {
        self.router == Some(address) || self.networks.iter().any(|network| network.contains(&address))
    }
}

/// Where a name leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolved {
    /// There.
    Addresses(Vec<IpAddr>),
    /// It is not there, or has no address.
    Nothing,
    /// Nobody said anything.
    Silent(String),
}

/// What came of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Nothing, in the time there was.
    Silent,
    /// The port is closed there.
    Refused,
    /// Somebody spoke: with TLS the digest of the certificate, else the head of the answer. The first is compared, the second shown.
    Spoke(String, String),
    /// Somebody is there who does not speak what was expected.
    Babble(String),
}

/// All that was seen of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// What DNS said.
    pub resolved: Resolved,
    /// With which address this machine asked.
    pub from: Option<IpAddr>,
    /// What came from the address on the internet; nothing where none was asked.
    pub outside: Option<Answer>,
    /// What the edge host itself answers; nothing where that could not be found out.
    pub edge: Option<Answer>,
}

/// Which address is asked: one on the internet, never one at home.
pub(super) fn target(resolved: &Resolved, place: &Place) -> Option<IpAddr> {
    let Resolved::Addresses(addresses) = resolved else { return None };
    let mut public: Vec<IpAddr> = addresses.iter().copied().filter(|address| !is_of_home(*address)).collect();
    // Routers forward IPv4; an address of IPv6 is the edge host's own.
    public.sort_by_key(IpAddr::is_ipv6);
    public.first().copied().or_else(|| place.router.filter(|router| !is_of_home(*router)))
}

/// Whether an address leads nowhere from the internet.
pub fn is_of_home(address: IpAddr) -> bool {
    matches!(
        refusal(address, &[]),
        Some(
            Refusal::Private
                | Refusal::CarrierGrade
                | Refusal::LinkLocal
                | Refusal::Loopback
                | Refusal::UniqueLocal
                | Refusal::Unspecified
        )
    )
}

/// What a name looks like.
pub fn seen(question: &Question, observed: &Observed, place: &Place) -> SeenName {
    let addresses = match &observed.resolved {
        Resolved::Addresses(addresses) => addresses.iter().map(ToString::to_string).collect(),
        _ => Vec::new(),
    };
    let (verdict, text, help) = told(question, observed, place);
    let protocol = if question.purpose == Purpose::Vpn { "udp" } else { "tcp" };
    SeenName {
        name: question.name.clone(),
        protocol: protocol.to_owned(),
        port: question.port,
        addresses,
        verdict,
        text,
        help,
    }
}

const AT_HOME: &str = "fine for a name of home alone, or where your own DNS servers answer differently at home; on the internet it has to lead to your router";

type Told = (Verdict, String, Option<String>);

fn told(question: &Question, observed: &Observed, place: &Place) -> Told {
    let help = |text: &str| Some(text.to_owned());
    let addresses = match &observed.resolved {
        Resolved::Addresses(addresses) => addresses,
        Resolved::Nothing => {
            let text = "there is no such name in DNS, or it has no address".to_owned();
            return (
                Verdict::NoName,
                text,
                help(
                    "have it lead to your router: an A record, a CNAME to a name of `edge.ddns`, or a name there",
                ),
            );
        }
        Resolved::Silent(cause) => {
            return (
                Verdict::NoDns,
                format!("this machine's DNS servers did not say where it leads ({cause})"),
                None,
            );
        }
    };
    let public = addresses.iter().find(|address| !is_of_home(**address));
    let leads = public.or_else(|| addresses.first()).map(ToString::to_string).unwrap_or_default();
    if public.is_none() {
        if addresses.iter().any(|address| refusal(*address, &[]) == Some(Refusal::CarrierGrade)) {
            let text = format!(
                "it leads to {leads}, an address between your provider and you: nothing from the internet arrives there"
            );
            return (Verdict::BehindNat, text, help("ask your provider for a public address of your own"));
        }
        let here = format!("for this machine it leads to {leads}, which is no address of the internet");
        let text = match (&place.router, &observed.outside, &observed.edge) {
            (Some(router), Some(Answer::Spoke(outside, _)), Some(Answer::Spoke(edge, _)))
                if outside == edge =>
            {
                let text = format!("{here}; at your router's address {router} {} answers", place.edge);
                return (Verdict::Answered, text, None);
            }
            _ => here,
        };
        return (Verdict::AtHome, text, help(AT_HOME));
    }
    let other = place.router.filter(|router| {
        public.is_some_and(|public| public.is_ipv4() == router.is_ipv4() && public != router)
    });
    if let (Some(router), Some(Answer::Spoke(outside, _)), Some(Answer::Spoke(edge, _))) =
        (other, &observed.outside, &observed.edge)
        && outside == edge
    {
        let text = format!("answered by {}, by way of {leads}; your router is {router}", place.edge);
        return (Verdict::Answered, text, None);
    }
    if let Some(router) = other {
        let text = format!("it leads to {leads}, and your router has {router}");
        return (
            Verdict::Elsewhere,
            text,
            help(
                "if that is not meant: `garboard ddns status`, or correct the record at its provider; others may keep the old address for as long as its TTL says",
            ),
        );
    }
    let inside = observed.from.is_some_and(|from| place.is_inside(from));
    match (question.purpose, &observed.outside, &observed.edge) {
        (Purpose::Vpn, ..) => {
            let text = format!(
                "it leads to {leads}; the VPN says nothing to whoever has no profile, so that only a client can tell whether the port arrives"
            );
            (Verdict::NotAsked, text, None)
        }
        (_, Some(Answer::Spoke(outside, _)), Some(Answer::Spoke(edge, _))) if outside == edge => {
            (Verdict::Answered, format!("answered by {}, by way of {leads}", place.edge), None)
        }
        (_, _, Some(Answer::Silent | Answer::Refused | Answer::Babble(_))) => {
            let text = format!("{} itself does not answer there", place.edge);
            (
                Verdict::EdgeSilent,
                text,
                help("`kubectl logs --namespace traefik daemonset/traefik` tells why"),
            )
        }
        (_, Some(Answer::Spoke(_, shown)), None) => {
            let text = format!(
                "somebody answers at {leads} ({shown}); {} could not be asked whether that is its answer",
                place.edge
            );
            (Verdict::Unknown, text, None)
        }
        (_, Some(Answer::Spoke(_, shown) | Answer::Babble(shown)), _) => {
            let text = format!("something else than {} answers at {leads} ({shown})", place.edge);
            let cause = if inside {
                "from inside, a router may show its own pages there: look from a phone without WiFi; else let the router forward the port"
            } else {
                "let the router forward the port to the edge host, and move its own pages elsewhere"
            };
            (Verdict::Another, text, help(cause))
        }
        (_, answer, _) => {
            let what = if matches!(answer, Some(Answer::Refused)) { "is closed" } else { "does not answer" };
            let cause = if inside {
                "the router does not forward the port, or leads nobody back in who comes from inside (no hairpin NAT): look from a phone without WiFi"
            } else {
                "the router does not forward the port to the edge host, or the provider lets it not through"
            };
            (Verdict::Silent, format!("{leads} {what}"), help(cause))
        }
    }
}
