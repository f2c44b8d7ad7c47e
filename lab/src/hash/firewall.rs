//! The firewall of a host: nftables and both kinds of iptables, without counters.

use super::{Fact, Run, says};
use crate::Result;

/// One fact a line of each ruleset.
pub(super) fn read(run: &Run) -> Result<Vec<Fact>> {
    let mut facts = numbered("nft", &says(run, &["nft", "--stateless", "list", "ruleset"])?);
    for save in ["iptables-nft-save", "ip6tables-nft-save", "iptables-legacy-save", "ip6tables-legacy-save"] {
        // A kernel without the legacy tables has none to show.
        let output = run(&[save])?;
        facts.extend(numbered(save, &rules(&String::from_utf8_lossy(&output.stdout))));
    }
    Ok(facts)
}

/// Order is part of a ruleset: a line's number is part of its fact.
fn numbered(section: &'static str, text: &str) -> Vec<Fact> {
    let lines = text.lines().filter(|line| !line.trim().is_empty()).enumerate();
    lines
        .map(|(number, line)| Fact::new(section, format!("{number:05}"), line.trim_end().replace('\t', "  ")))
        .collect()
}

/// A saved ruleset without dates and counters.
fn rules(saved: &str) -> String {
    let without_counter = |line: &str| match (line.starts_with(':'), line.rsplit_once(" [")) {
        (true, Some((chain, _))) => chain.to_owned(),
        _ => line.to_owned(),
    };
    let kept = saved.lines().filter(|line| !line.starts_with('#'));
    kept.map(without_counter).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_counters_do_not_count_and_order_does() {
        let saved = |date: &str, count: u32| {
            format!(
                "# Generated on {date}\n*filter\n:INPUT ACCEPT [{count}:{count}]\n-A INPUT -p tcp -j DROP\nCOMMIT\n"
            )
        };
        assert_eq!(rules(&saved("Monday", 1)), rules(&saved("Tuesday", 2)));
        let lines = |text| {
            numbered("nft", text).into_iter().map(Fact::into_line).collect::<std::collections::BTreeSet<_>>()
        };
        assert_ne!(lines("a\nb\n"), lines("b\na\n"));
    }
}
