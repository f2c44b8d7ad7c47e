//! The packet filter that an earlier run of ours left: whom it keeps out goes by the inventory of that run.

use std::net::Ipv4Addr;

use super::{exists, text};
use crate::system::Look;

/// Where the boot loads the tables of an edge host and of the others from (`steps::nft`, `playbooks/firewall`).
const EDGE: &str = "/etc/garboard/nft.d/inet-garboard_edge.nft";
const TIERS: &str = "/etc/garboard/nft.d/inet-garboard_tiers.nft";

/// Whether it is an edge host's.
pub(super) fn is_of_an_edge_host(look: &dyn Look) -> bool {
    exists(look, EDGE)
}

/// The addresses that it takes for the public tier.
pub(super) fn public_tier(look: &dyn Look) -> Vec<Ipv4Addr> {
    elements(&text(look, TIERS), "public4")
}

/// The addresses of a set, as the playbook writes them: on one line.
fn elements(table: &str, set: &str) -> Vec<Ipv4Addr> {
    let head = format!("set {set} {{");
    let lines = table.lines().map(str::trim).skip_while(|line| *line != head).take_while(|line| *line != "}");
    let mut listed = lines.filter_map(|line| line.strip_prefix("elements = {")?.strip_suffix('}'));
    let listed = listed.next().unwrap_or_default();
    listed.split(',').filter_map(|address| address.trim().parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::elements;

    /// The playbook's own template, as far as this reads it.
    const TIERS: &str = include_str!("../../../playbooks/firewall/templates/tiers.nft.tera");

    #[test]
    fn the_addresses_of_a_set_are_read_from_the_table_that_the_playbook_writes() {
        let written = TIERS.replace("{{ edge.public | join(sep=\", \") }}", "10.0.0.13, 10.0.0.14");
        let found: Vec<String> = elements(&written, "public4").iter().map(ToString::to_string).collect();
        assert_eq!(found, ["10.0.0.13", "10.0.0.14"]);
        assert!(elements(&written, "edge4").is_empty());
        assert!(elements("", "public4").is_empty());
    }
}
