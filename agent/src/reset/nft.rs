//! nftables tables that the software makes. Only whole tables of its own are removed, never a rule of anybody else's.

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
        let is_shell = table.split_once(' ').is_some_and(|(family, name)| {
            matches!(family, "ip" | "ip6") && matches!(name, "filter" | "nat" | "mangle" | "raw" | "security")
        });
        if is_shell && !keep.contains(&table) && is_empty(&table, system.look())? {
            delete(&table, system)?;
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
    use super::holds_nothing;

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
