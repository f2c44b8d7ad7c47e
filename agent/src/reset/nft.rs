//! nftables tables that the software makes. Only whole tables of its own are removed, never a rule of anybody else's.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use super::pattern::matches;
use crate::steps::StepError;
use crate::system::{Command, CommandError, Look, System};

/// All tables, `FAMILY NAME`; `None` when the host has no `nft`.
pub(crate) fn list(look: &dyn Look) -> Result<Option<Vec<String>>, StepError> {
    match look.ask(&Command::new("nft", ["list", "tables"]).whole()) {
        Ok(output) => Ok(Some(
            output
                .stdout
                .lines()
                .filter_map(|line| line.strip_prefix("table "))
                .map(|name| name.trim().to_owned())
                .collect(),
        )),
        Err(CommandError::Start { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        // A kernel without nf_tables has no tables.
        Err(CommandError::Exit { .. }) => Ok(Some(Vec::new())),
        Err(error) => Err(error.into()),
    }
}

/// Removes the tables named by `pattern`, except `keep`, out of `tables`. Gives how many.
pub(crate) fn remove(
    pattern: &str,
    tables: &[String],
    keep: &[String],
    system: &dyn System,
) -> Result<u64, StepError> {
    let mut count = 0;
    for table in tables.iter().filter(|table| matches(pattern, table) && !keep.contains(table)) {
        delete(table, system)?;
        count += 1;
    }
    Ok(count)
}

/// Removes the tables that `iptables-nft` makes on its own the first time it is used, where nothing but its empty base
/// chains is left of them and they were not there before.
pub(crate) fn remove_empty_shells(keep: &[String], system: &dyn System) -> Result<u64, StepError> {
    let mut count = 0;
    for table in list(system.look())?.unwrap_or_default() {
        if is_shared(&table) && !keep.contains(&table) && is_empty(&table, system.look())? {
            delete(&table, system)?;
            count += 1;
        }
    }
    Ok(count)
}

/// Whether it is a table that `iptables-nft` makes and everybody who uses it shares.
fn is_shared(table: &str) -> bool {
    table.split_once(' ').is_some_and(|(family, name)| {
        matches!(family, "ip" | "ip6") && matches!(name, "filter" | "nat" | "mangle" | "raw" | "security")
    })
}

/// The base chains of shared tables, `FAMILY TABLE CHAIN`, each with whether its policy is `accept`; `None` when the host has
/// no `nft`.
pub(crate) fn base_chains(look: &dyn Look) -> Result<Option<BTreeMap<String, bool>>, StepError> {
    match look.ask(&Command::new("nft", ["list", "chains"]).whole()) {
        Ok(output) => Ok(Some(parse_base_chains(&output.stdout))),
        Err(CommandError::Start { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        // A kernel without nf_tables has no chains.
        Err(CommandError::Exit { .. }) => Ok(Some(BTreeMap::new())),
        Err(error) => Err(error.into()),
    }
}

/// Of `nft list chains`, which shows no rules.
fn parse_base_chains(listing: &str) -> BTreeMap<String, bool> {
    let (mut table, mut chain) = (String::new(), String::new());
    let mut found = BTreeMap::new();
    for line in listing.lines().map(str::trim) {
        let name = |kind: &str| line.strip_prefix(kind).and_then(|rest| rest.strip_suffix(" {"));
        if let Some(name) = name("table ") {
            name.clone_into(&mut table);
        } else if let Some(name) = name("chain ") {
            name.clone_into(&mut chain);
        } else if line.starts_with("type ") && line.contains(" hook ") && is_shared(&table) {
            found.insert(format!("{table} {chain}"), line.ends_with("policy accept;"));
        }
    }
    found
}

/// Removes base chains of shared tables that were not there before, hold no rule, and let everything pass: `iptables-nft`
/// makes one when the first rule needs it, and leaves it behind. Gives how many.
pub(crate) fn remove_empty_base_chains(
    keep: &BTreeSet<String>,
    system: &dyn System,
) -> Result<u64, StepError> {
    let mut count = 0;
    for (chain, accepts) in base_chains(system.look())?.unwrap_or_default() {
        if !accepts || keep.contains(&chain) {
            continue;
        }
        let arguments = ["--stateless", "list", "chain"].into_iter().chain(chain.split(' '));
        if holds_nothing(&system.look().ask(&Command::new("nft", arguments).whole())?.stdout) {
            let arguments = ["delete", "chain"].into_iter().chain(chain.split(' '));
            system.run(&Command::new("nft", arguments))?;
            count += 1;
        }
    }
    Ok(count)
}

fn is_empty(table: &str, look: &dyn Look) -> Result<bool, StepError> {
    let arguments = ["--stateless", "list", "table"].into_iter().chain(table.split(' '));
    Ok(holds_nothing(&look.ask(&Command::new("nft", arguments).whole())?.stdout))
}

/// Only base chains with the policy `accept`: lines of `table`, `chain`, `type … hook …; policy accept;`, braces.
fn holds_nothing(listing: &str) -> bool {
    listing.lines().map(str::trim).all(|line| {
        line.is_empty()
            || line == "}"
            || line.starts_with("# ")
            || (line.starts_with("table ") && line.ends_with('{'))
            || (line.starts_with("chain ") && line.ends_with('{'))
            || (line.starts_with("type ") && line.contains(" hook ") && line.ends_with("policy accept;"))
    }) && listing.matches("chain ").count() == listing.matches(" hook ").count()
}

fn delete(table: &str, system: &dyn System) -> Result<(), StepError> {
    let arguments = ["delete", "table"].into_iter().chain(table.split(' '));
    system.run(&Command::new("nft", arguments))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{holds_nothing, parse_base_chains};

    #[test]
    fn base_chains_of_shared_tables_are_told_from_all_others() {
        let listing = "table ip filter {\n\tchain INPUT {\n\t\ttype filter hook input priority filter; policy accept;\n\t}\n\
            \tchain FORWARD {\n\t\ttype filter hook forward priority filter; policy drop;\n\t}\n\tchain MINE {\n\t}\n}\n\
            table inet somebody {\n\tchain input {\n\t\ttype filter hook input priority 5; policy accept;\n\t}\n}\n";
        let found: Vec<(String, bool)> = parse_base_chains(listing).into_iter().collect();
        assert_eq!(found, [("ip filter FORWARD".to_owned(), false), ("ip filter INPUT".to_owned(), true)]);
    }

    #[test]
    fn a_table_with_a_rule_a_chain_or_a_policy_of_somebody_is_not_empty() {
        let base = "table ip mangle {\n\tchain OUTPUT {\n\t\ttype route hook output priority mangle; policy accept;\n\t}\n}\n";
        assert!(holds_nothing(base));
        assert!(holds_nothing("table ip mangle {\n}\n"));
        assert!(!holds_nothing(&base.replace("accept;", "drop;")));
        assert!(!holds_nothing(&base.replace("accept;\n", "accept;\n\t\tip saddr 10.0.0.1 drop\n")));
        assert!(!holds_nothing("table ip mangle {\n\tchain MINE {\n\t}\n}\n"));
        assert!(!holds_nothing("table ip mangle {\n\tset s {\n\t\ttype ipv4_addr\n\t}\n}\n"));
    }
}
