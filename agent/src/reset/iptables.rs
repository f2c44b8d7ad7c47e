//! Chains of iptables and ip6tables that the software makes, in both of their backends, and the rules that jump to them.
//! They are taken out by `-D`, `-F` and `-X` in one transaction a table, so that every other rule stays as it is,
//! counters included.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io;
use std::path::Path;

use crate::steps::StepError;
use crate::steps::path::failed;
use crate::system::{Command, CommandError, Look, System};

/// One way to the kernel's tables.
#[derive(Debug, Clone, Copy)]
struct Backend {
    save: &'static str,
    restore: &'static str,
    /// Names the tables in use; asking an unused legacy backend would load its modules.
    tables: Option<&'static str>,
}

const BACKENDS: [Backend; 4] = [
    Backend { save: "iptables-nft-save", restore: "iptables-nft-restore", tables: None },
    Backend { save: "ip6tables-nft-save", restore: "ip6tables-nft-restore", tables: None },
    Backend {
        save: "iptables-legacy-save",
        restore: "iptables-legacy-restore",
        tables: Some("/proc/net/ip_tables_names"),
    },
    Backend {
        save: "ip6tables-legacy-save",
        restore: "ip6tables-legacy-restore",
        tables: Some("/proc/net/ip6_tables_names"),
    },
];

/// All chains that are not built in, `TOOL TABLE CHAIN`.
pub(crate) fn chains(look: &dyn Look) -> Result<BTreeSet<String>, StepError> {
    let mut found = BTreeSet::new();
    for backend in BACKENDS {
        for (table, content) in parse(&save(backend, look)?) {
            for chain in content.chains {
                found.insert(name(backend, &table, &chain));
            }
        }
    }
    Ok(found)
}

/// Removes the chains whose names start with one of `prefixes`, except `keep` (as `chains` names them), with the rules that
/// jump to them. Gives how many chains.
pub(crate) fn remove(
    prefixes: &[String],
    keep: &BTreeSet<String>,
    system: &dyn System,
) -> Result<u64, StepError> {
    let mut count = 0;
    for backend in BACKENDS {
        let saved = parse(&save(backend, system.look())?);
        let ours = |table: &str, chain: &str| {
            prefixes.iter().any(|prefix| chain.starts_with(prefix.as_str()))
                && !keep.contains(&name(backend, table, chain))
        };
        let (input, removed) = removal(&saved, ours);
        if removed > 0 {
            system.run(&Command::new(backend.restore, ["--noflush"]).input(input))?;
            count += removed;
        }
    }
    Ok(count)
}

fn name(backend: Backend, table: &str, chain: &str) -> String {
    format!("{} {table} {chain}", backend.save.trim_end_matches("-save"))
}

fn save(backend: Backend, look: &dyn Look) -> Result<String, StepError> {
    if let Some(names) = backend.tables {
        let tables = look.read_text(Path::new(names)).map_err(failed("read", names))?;
        if tables.is_none_or(|tables| tables.trim().is_empty()) {
            return Ok(String::new());
        }
    }
    match look.ask(&Command::new(backend.save, [] as [&str; 0]).whole()) {
        Ok(output) => Ok(output.stdout),
        Err(CommandError::Start { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            Ok(String::new())
        }
        // A kernel without this backend.
        Err(CommandError::Exit { .. }) => Ok(String::new()),
        Err(error) => Err(error.into()),
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Table {
    /// That are not built in.
    chains: Vec<String>,
    /// `-A CHAIN …`.
    rules: Vec<String>,
}

/// The format of iptables-save(8).
fn parse(text: &str) -> BTreeMap<String, Table> {
    let mut tables: BTreeMap<String, Table> = BTreeMap::new();
    let mut table = String::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('*') {
            name.trim().clone_into(&mut table);
            tables.entry(table.clone()).or_default();
        } else if let Some(chain) = line.strip_prefix(':') {
            let mut words = chain.split(' ');
            if let (Some(chain), Some("-")) = (words.next(), words.next()) {
                tables.entry(table.clone()).or_default().chains.push(chain.to_owned());
            }
        } else if line.starts_with("-A ") {
            tables.entry(table.clone()).or_default().rules.push(line.to_owned());
        }
    }
    tables
}

/// Input for `iptables-restore --noflush`, and how many chains it removes.
fn removal(tables: &BTreeMap<String, Table>, ours: impl Fn(&str, &str) -> bool) -> (String, u64) {
    let (mut input, mut count) = (String::new(), 0);
    for (name, table) in tables {
        let chains: Vec<_> = table.chains.iter().filter(|chain| ours(name, chain)).collect();
        if chains.is_empty() {
            continue;
        }
        let _ = writeln!(input, "*{name}");
        for rule in &table.rules {
            let bare = unquoted(rule);
            let of_ours =
                bare.split(' ').nth(1).is_some_and(|chain| chains.iter().any(|ours| *ours == chain));
            let target = bare.split(' ').skip_while(|word| !matches!(*word, "-j" | "-g")).nth(1);
            if !of_ours && target.is_some_and(|target| chains.iter().any(|ours| *ours == target)) {
                let _ = writeln!(input, "-D {}", &rule[3..]);
            }
        }
        for chain in &chains {
            let _ = writeln!(input, "-F {chain}");
        }
        for chain in &chains {
            let _ = writeln!(input, "-X {chain}");
        }
        input.push_str("COMMIT\n");
        count += chains.len() as u64;
    }
    (input, count)
}

/// A rule without its quoted texts: a comment may say anything.
fn unquoted(rule: &str) -> String {
    let (mut bare, mut is_quoted, mut is_escaped) = (String::with_capacity(rule.len()), false, false);
    for c in rule.chars() {
        match c {
            '"' if !is_escaped => is_quoted = !is_quoted,
            _ if !is_quoted => bare.push(c),
            _ => {}
        }
        is_escaped = c == '\\' && !is_escaped;
    }
    bare
}

#[cfg(test)]
mod tests {
    use super::{parse, removal};

    const SAVED: &str = "\
# Generated by iptables-save
*filter
:INPUT ACCEPT [12:3456]
:OUTPUT ACCEPT [0:0]
:KUBE-FIREWALL - [0:0]
:f2b-sshd - [0:0]
-A INPUT -j KUBE-FIREWALL
-A INPUT -p tcp -m comment --comment \"mine -j KUBE-FIREWALL too\" -j f2b-sshd
-A OUTPUT -j KUBE-FIREWALL
-A KUBE-FIREWALL ! -s 127.0.0.0/8 -d 127.0.0.0/8 -j DROP
-A f2b-sshd -j RETURN
COMMIT
*mangle
:KUBE-IPTABLES-HINT - [0:0]
COMMIT
";

    #[test]
    fn only_our_chains_and_the_jumps_to_them_go() {
        let (input, count) = removal(&parse(SAVED), |_, chain| chain.starts_with("KUBE-"));
        assert_eq!(
            input,
            "*filter\n-D INPUT -j KUBE-FIREWALL\n-D OUTPUT -j KUBE-FIREWALL\n-F KUBE-FIREWALL\n-X KUBE-FIREWALL\nCOMMIT\n\
             *mangle\n-F KUBE-IPTABLES-HINT\n-X KUBE-IPTABLES-HINT\nCOMMIT\n"
        );
        assert_eq!(count, 2);
    }

    #[test]
    fn nothing_of_ours_means_no_transaction() {
        assert_eq!(removal(&parse(SAVED), |_, chain| chain.starts_with("CNI-")), (String::new(), 0));
    }
}
