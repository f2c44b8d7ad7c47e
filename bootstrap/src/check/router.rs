//! Whether the internet can reach this home at all: the edge host's router is asked for its own address before anything is installed.

use std::net::IpAddr;

use garboard_ddns::address::{Refusal, refusal};
use garboard_inventory::Inventory;
use ipnet::IpNet;

use super::{Row, Verdict};

const CHECK: &str = "router";

/// What came of asking the router.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RouterAnswer {
    /// Its address on the side of the internet.
    Address(IpAddr),
    /// It answered, and has none to tell.
    NoAddress(String),
    /// Nobody answered, with each way's reason.
    Nothing(Vec<String>),
}

/// Whether anything is to be reached from the internet.
pub fn concerns(inventory: &Inventory) -> bool {
    inventory.ddns().is_some() || inventory.ingress().is_some() || inventory.openvpn().is_some()
}

/// The row of that host, whose router is at `router`; `allowed` are ranges that are public where the user is.
pub fn row(host: &str, router: &str, answer: &RouterAnswer, allowed: &[IpNet]) -> Row {
    let row = |verdict, text: String, help: Option<&str>| Row {
        host: host.to_owned(),
        check: CHECK,
        verdict,
        text,
        help: help.map(str::to_owned),
    };
    let ask = "ask your provider for a public IPv4 address of your own (often free, or a small fee); where there is none, a server elsewhere has to pass connections on";
    let address = match answer {
        RouterAnswer::Address(address) => *address,
        RouterAnswer::NoAddress(said) => {
            let text = format!(
                "the router at {router} says that it has no address of the internet ({said}): your provider gives none of its own (CGNAT), or its line is down; while that is so, nothing from the internet reaches this home"
            );
            return row(
                Verdict::Warning,
                text,
                Some(
                    "see the address on its own pages: where it begins with 100.64 to 100.127, 10, 172.16 to 172.31 or 192.168, it stands behind another NAT; if that is your provider's, ask for a public address of your own",
                ),
            );
        }
        RouterAnswer::Nothing(ways) => {
            let text = format!(
                "not known whether your provider gives you a public address: the router at {router} did not say ({})",
                ways.join("; ")
            );
            return row(Verdict::Fine, text, None);
        }
    };
    match refusal(address, allowed) {
        Some(Refusal::CarrierGrade) => row(
            Verdict::Warning,
            format!(
                "your provider gives no public address of its own (CGNAT): the router at {router} has {address}, which many share; nothing from the internet reaches this home"
            ),
            Some(ask),
        ),
        Some(why) if why.is_behind_nat() => row(
            Verdict::Warning,
            format!(
                "the router at {router} has {address} on its outer side, which is {why}: it stands behind another NAT, and nothing from the internet reaches this home until that one forwards too"
            ),
            Some(
                "have the router in front of it pass everything on (bridge mode, or \"DMZ host\"); if that one is your provider's, ask for a public address of your own",
            ),
        ),
        // A name may not get such an address; that connections arrive at it is another matter.
        Some(Refusal::Cloudflare) | None => {
            row(Verdict::Fine, format!("the router at {router} has the public address {address}"), None)
        }
        Some(why) => row(
            Verdict::Warning,
            format!(
                "the router at {router} says that its outer address is {address}, which is {why}: nothing from the internet arrives there"
            ),
            Some("see the router's own pages for its address"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::{RouterAnswer, Row, Verdict, row};

    fn of(address: &str) -> Row {
        row("dmz1", "192.168.0.1", &RouterAnswer::Address(address.parse().unwrap()), &[])
    }

    #[test]
    fn a_router_behind_another_nat_is_told_whose_it_is() {
        let carrier = of("100.64.0.5");
        assert_eq!(carrier.verdict, Verdict::Warning);
        assert!(
            carrier.text.contains("CGNAT") && carrier.help.unwrap().contains("provider"),
            "{}",
            carrier.text
        );
        let second = of("192.168.178.20");
        assert_eq!(second.verdict, Verdict::Warning);
        assert!(
            second.text.contains("behind another NAT") && !second.text.contains("CGNAT"),
            "{}",
            second.text
        );
        for fine in ["84.20.10.1", "100.63.0.1", "100.128.0.1", "172.32.0.1"] {
            assert_eq!(of(fine).verdict, Verdict::Fine, "{fine}");
        }
        assert_eq!(of("203.0.113.7").verdict, Verdict::Warning);
        let allowed = ["203.0.113.0/24".parse().unwrap()];
        let address = RouterAnswer::Address("203.0.113.7".parse().unwrap());
        assert_eq!(row("dmz1", "192.168.0.1", &address, &allowed).verdict, Verdict::Fine);
    }

    #[test]
    fn a_router_that_says_nothing_is_no_warning_and_no_good_news() {
        let silent = row("dmz1", "192.168.0.1", &RouterAnswer::Nothing(vec!["no NAT-PMP".to_owned()]), &[]);
        assert_eq!(silent.verdict, Verdict::Fine);
        assert!(
            silent.text.starts_with("not known") && silent.text.contains("no NAT-PMP"),
            "{}",
            silent.text
        );
        let none = row("dmz1", "192.168.0.1", &RouterAnswer::NoAddress("code 3".to_owned()), &[]);
        assert!(none.verdict == Verdict::Warning && none.text.contains("CGNAT"), "{}", none.text);
    }
}
