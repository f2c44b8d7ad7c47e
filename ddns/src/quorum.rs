//! Whom to believe. Pure: readings in, a verdict out.
//!
//! A new address counts when two independent operators agree on it. The router is one of them, and more: what it says its
//! outer address is, is where connections from outside arrive. Where that is a public address and the services on the
//! internet see another one, this machine's packets leave by another way (a VPN, a second line, a provider's NAT), and the
//! address they see is not where a visitor would get in.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::address::{Family, Refusal, refusal};

/// What one source said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// Who runs the source; two of one operator are one voice.
    pub operator: String,
    /// Whether it is the router.
    pub is_router: bool,
    /// The address.
    pub address: IpAddr,
}

/// What follows for one name and one family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// This is the address: two agree on it, or it is the published one and nobody says otherwise.
    Agreed {
        /// The address.
        address: IpAddr,
    },
    /// Something else than the published address was seen, and it is not believed.
    Undecided {
        /// What was seen most.
        candidate: Option<IpAddr>,
        /// Why it does not count.
        because: String,
    },
    /// Nobody said anything usable.
    Nothing {
        /// Of this family.
        family: Family,
    },
}

impl Verdict {
    /// Whether asking further sources could not change it.
    pub fn is_settled(&self) -> bool {
        matches!(self, Self::Agreed { .. })
    }
}

/// Weighs the readings of one family against what is published. `allowed`: see [`refusal`].
pub fn decide(readings: &[Reading], family: Family, published: Option<IpAddr>, allowed: &[IpNet]) -> Verdict {
    let mut voices: BTreeMap<IpAddr, BTreeSet<&str>> = BTreeMap::new();
    let mut refused: Option<(&Reading, Refusal)> = None;
    let mut router = None;
    for reading in readings.iter().filter(|reading| Family::of(reading.address) == family) {
        if let Some(why) = refusal(reading.address, allowed) {
            // A router behind another NAT says so; that is a report (`outside`), no voice.
            if !reading.is_router {
                refused = Some((reading, why));
            }
            continue;
        }
        voices.entry(reading.address).or_default().insert(&reading.operator);
        if reading.is_router {
            router = Some(reading.address);
        }
    }
    let Some((&candidate, _)) =
        voices.iter().max_by_key(|(address, who)| (who.len(), Some(**address) == published))
    else {
        return match refused {
            Some((reading, why)) => Verdict::Undecided {
                candidate: None,
                because: format!(
                    "{} says {}, which no name may get: {why}",
                    reading.operator, reading.address
                ),
            },
            None => Verdict::Nothing { family },
        };
    };
    let count = |address: IpAddr| voices.get(&address).map_or(0, BTreeSet::len);
    let others =
        voices.keys().filter(|address| **address != candidate).map(|other| count(*other)).max().unwrap_or(0);
    let undecided = |because| Verdict::Undecided { candidate: Some(candidate), because };
    if let Some(router) = router.filter(|router| *router != candidate) {
        return undecided(format!(
            "the router's outer address is {router}, but {} from outside: traffic leaves by another way than visitors come in, \
             or one of them is wrong",
            seen(candidate, count(candidate))
        ));
    }
    if others >= count(candidate) {
        let all: Vec<String> = voices.iter().map(|(address, who)| seen(*address, who.len())).collect();
        return undecided(format!("sources disagree: {}", all.join(", ")));
    }
    if count(candidate) >= 2 || (Some(candidate) == published && others == 0) {
        return Verdict::Agreed { address: candidate };
    }
    undecided(format!(
        "only {} says {candidate}; two independent sources must agree",
        voices[&candidate].iter().next().unwrap_or(&"one source")
    ))
}

fn seen(address: IpAddr, count: usize) -> String {
    format!("{address} is seen by {count}")
}

/// How this network hangs on the internet, as far as the router's own words tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case", deny_unknown_fields)]
pub enum Outside {
    /// The router has the address that others see: a forwarded port is reached.
    Direct,
    /// The router's outer address is itself behind a NAT: of the provider (100.64.0.0/10), or of a second router.
    BehindNat {
        /// What the router said.
        router: IpAddr,
    },
    /// The router has a public address, and it is not the one that others see.
    Differs {
        /// What the router said.
        router: IpAddr,
        /// What others see.
        seen: IpAddr,
    },
}

/// What the readings say about the way in, IPv4 alone; `None` if they say nothing about it: the router did not answer, or
/// nobody else did.
pub fn outside(readings: &[Reading], allowed: &[IpNet]) -> Option<Outside> {
    let router = readings.iter().find(|reading| reading.is_router)?.address;
    if refusal(router, allowed).is_some_and(Refusal::is_behind_nat) {
        return Some(Outside::BehindNat { router });
    }
    let mut echoes =
        readings.iter().filter(|reading| !reading.is_router && reading.address.is_ipv4()).peekable();
    echoes.peek()?;
    match echoes.find(|reading| reading.address != router) {
        Some(other) => Some(Outside::Differs { router, seen: other.address }),
        None => Some(Outside::Direct),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(words: &[(&str, &str)]) -> Vec<Reading> {
        let reading = |(operator, address): &(&str, &str)| Reading {
            operator: (*operator).to_owned(),
            is_router: *operator == "router",
            address: address.parse().unwrap(),
        };
        words.iter().map(reading).collect()
    }

    fn verdict(words: &[(&str, &str)], published: Option<&str>) -> Result<String, String> {
        let published = published.map(|address| address.parse().unwrap());
        match decide(&said(words), Family::Ipv4, published, &[]) {
            Verdict::Agreed { address } => Ok(address.to_string()),
            Verdict::Undecided { because, .. } => Err(because),
            Verdict::Nothing { .. } => Err("nothing".to_owned()),
        }
    }

    const OLD: &str = "84.20.10.1";
    const NEW: &str = "84.20.10.2";

    #[test]
    fn a_change_needs_two_independent_operators() {
        assert_eq!(verdict(&[("a", NEW), ("b", NEW)], Some(OLD)), Ok(NEW.to_owned()));
        assert_eq!(verdict(&[("router", NEW), ("b", NEW)], Some(OLD)), Ok(NEW.to_owned()));
        assert!(verdict(&[("a", NEW)], Some(OLD)).unwrap_err().contains("two independent"));
        assert!(verdict(&[("a", NEW), ("a", NEW)], None).unwrap_err().contains("only a says"));
        assert!(verdict(&[("a", NEW), ("b", "84.20.10.3")], None).unwrap_err().contains("disagree"));
    }

    #[test]
    fn the_published_address_needs_one_voice_and_no_contradiction() {
        assert_eq!(verdict(&[("a", OLD)], Some(OLD)), Ok(OLD.to_owned()));
        assert_eq!(verdict(&[("liar", NEW), ("a", OLD), ("b", OLD)], Some(OLD)), Ok(OLD.to_owned()));
        assert!(verdict(&[("liar", NEW), ("a", OLD)], Some(OLD)).is_err());
        assert_eq!(verdict(&[], Some(OLD)), Err("nothing".to_owned()));
    }

    #[test]
    fn what_leaves_by_a_tunnel_does_not_move_the_name() {
        let because = verdict(&[("router", OLD), ("a", NEW), ("b", NEW)], Some(OLD)).unwrap_err();
        assert!(because.contains("another way"), "{because}");
        assert!(verdict(&[("router", OLD), ("a", NEW), ("b", NEW)], None).is_err());
    }

    #[test]
    fn addresses_no_name_may_get_are_no_voices() {
        assert!(verdict(&[("a", "10.0.0.1"), ("b", "10.0.0.1")], None).unwrap_err().contains("private"));
        assert!(
            verdict(&[("a", "104.21.5.5"), ("b", "104.21.5.5")], Some(OLD))
                .unwrap_err()
                .contains("Cloudflare")
        );
        assert_eq!(
            verdict(&[("router", "100.64.3.4"), ("a", NEW), ("b", NEW)], Some(OLD)),
            Ok(NEW.to_owned())
        );
    }

    #[test]
    fn nat_of_the_provider_is_recognised() {
        let seen = |words: &[(&str, &str)]| outside(&said(words), &[]);
        assert_eq!(seen(&[("router", OLD), ("a", OLD)]), Some(Outside::Direct));
        let router = "100.64.3.4".parse().unwrap();
        assert_eq!(seen(&[("router", "100.64.3.4"), ("a", OLD)]), Some(Outside::BehindNat { router }));
        let router = "192.168.1.1".parse().unwrap();
        assert_eq!(seen(&[("router", "192.168.1.1")]), Some(Outside::BehindNat { router }));
        let differs = Outside::Differs { router: OLD.parse().unwrap(), seen: NEW.parse().unwrap() };
        assert_eq!(seen(&[("router", OLD), ("a", NEW)]), Some(differs));
        assert_eq!(seen(&[("a", NEW)]), None);
        assert_eq!(seen(&[("router", OLD)]), None);
    }
}
