//! What the software made by itself: removing it, and telling what is left of it. What was there before us stays.

use garboard_protocol::Owned;
use garboard_protocol::reset::Leftover;

use super::pattern::matches;
use super::snapshot::Before;
use super::{cgroups, iptables, links, modules, mounts, namespaces, nft, tree};
use crate::steps::StepError;
use crate::steps::path::failed;
use crate::steps::sysctl::{live, path_of};
use crate::system::{Look, System};

/// Most paths of one folder that are named in a report.
const NAMED: usize = 10;

/// Removes one owned thing or family. Gives how many things were removed or put back. `tables` are the host's nft tables
/// as they were listed once; chains of iptables are removed together, by [`iptables::remove`].
pub(super) fn remove(
    owned: &Owned,
    before: &Before,
    tables: &[String],
    system: &dyn System,
) -> Result<u64, StepError> {
    match owned {
        Owned::Path(path) | Owned::Data(path) => {
            if before.truncated.iter().any(|place| place == path || mounts::is_below(path, place)) {
                return Ok(0);
            }
            tree::remove_except(path, &before.paths_at(path), system)
        }
        Owned::Link(name) => links::remove(name, before.links(), system),
        Owned::NetworkNamespace(name) => namespaces::remove(name, before.namespaces(), system),
        Owned::NftTable(name) => nft::remove(name, tables, before.tables(), system),
        // Together, and last of all: by `super::work`.
        Owned::IptablesChains(_) | Owned::KernelModules(_) => Ok(0),
        Owned::Cgroup(name) => cgroups::remove(name, system),
        Owned::Sysctl(key) => match (before.sysctl(key), live(key, system.look())?) {
            (Some(earlier), Some(now)) if earlier != now => {
                let path = path_of(key);
                system.poke(&path, earlier.as_bytes()).map_err(failed("set", &path.to_string_lossy()))?;
                Ok(1)
            }
            _ => Ok(0),
        },
        Owned::Mounts(path) => {
            let mounts = mounts::read(system.look())?;
            let count = mounts::unmount_below(path, &mounts, before.mounts(), system)?;
            Ok(count + mounts::unmount_at(path, &mounts, before.mounts(), system)?)
        }
    }
}

/// What is still there of it, or gone with it though it was there before. `now` is the host as it is.
pub(super) fn leftovers(
    owned: &Owned,
    before: &Before,
    now: &Before,
    look: &dyn Look,
) -> Result<Vec<Leftover>, StepError> {
    let of = |kind: &str, subject: &str, detail: String| Leftover {
        kind: kind.to_owned(),
        subject: subject.to_owned(),
        detail,
    };
    let there = "was not there before".to_owned();
    let gone = "was there before and is gone".to_owned();
    let names = |kind: &str, pattern: &str, was: &[String], is: &[String]| {
        let added = is.iter().filter(|name| matches(pattern, name) && !was.contains(name));
        let lost = was.iter().filter(|name| matches(pattern, name) && !is.contains(name));
        added
            .map(|name| of(kind, name, there.clone()))
            .chain(lost.map(|name| of(kind, name, gone.clone())))
            .collect::<Vec<_>>()
    };
    Ok(match owned {
        Owned::Path(path) => {
            let kept = before.paths_at(path);
            let left = tree::removable(path, &kept, look)?;
            let mut found: Vec<_> =
                left.iter().take(NAMED).map(|path| of("path", path, there.clone())).collect();
            if left.len() > NAMED {
                found.push(of("path", path, format!("and {} more below it", left.len() - NAMED)));
            }
            for path in &kept {
                if look.metadata(std::path::Path::new(path)).map_err(failed("read", path))?.is_none() {
                    found.push(of("path", path, gone.clone()));
                }
            }
            found
        }
        // Asked for by `delete_data`, which is not this report's to know; what stays is named under `kept`.
        Owned::Data(_) => Vec::new(),
        Owned::Link(name) => names("link", name, before.links(), &now.links),
        Owned::NetworkNamespace(name) => {
            names("network namespace", name, before.namespaces(), &now.namespaces)
        }
        Owned::NftTable(name) => {
            names("nft table", name, before.tables(), now.nft_tables.as_deref().unwrap_or_default())
        }
        Owned::IptablesChains(prefix) => {
            let kept = before.chains();
            let is_ours = |name: &&String| {
                name.rsplit(' ').next().is_some_and(|chain| chain.starts_with(prefix.as_str()))
            };
            now.chains
                .iter()
                .filter(is_ours)
                .filter(|name| !kept.contains(*name))
                .map(|name| of("iptables chain", name, there.clone()))
                .collect()
        }
        // One that others use by now is no business of ours any more.
        Owned::KernelModules(prefix) => match before.modules() {
            Some(keep) => modules::left(prefix, keep, look)?
                .iter()
                .map(|name| of("kernel module", name, there.clone()))
                .collect(),
            None => Vec::new(),
        },
        Owned::Cgroup(name) => {
            cgroups::find(name, look)?.iter().map(|path| of("cgroup", path, there.clone())).collect()
        }
        Owned::Sysctl(key) => match (before.sysctl(key), live(key, look)?) {
            (Some(earlier), Some(now)) if earlier != now => {
                vec![of("sysctl", key, format!("was {earlier}, is {now}"))]
            }
            _ => Vec::new(),
        },
        Owned::Mounts(path) => now
            .mounts
            .iter()
            .filter(|point| *point == path || mounts::is_below(point, path))
            .filter(|point| !before.mounts().contains(point))
            .map(|point| of("mount", point, there.clone()))
            .collect(),
    })
}

/// The prefixes of all chains that are owned.
pub(super) fn chain_prefixes(owned: &[Owned]) -> Vec<String> {
    owned
        .iter()
        .filter_map(|owned| match owned {
            Owned::IptablesChains(prefix) => Some(prefix.clone()),
            _ => None,
        })
        .collect()
}

/// Removes all owned chains, and the empty tables that making them left.
pub(super) fn remove_chains(owned: &[Owned], before: &Before, system: &dyn System) -> Result<u64, StepError> {
    let prefixes = chain_prefixes(owned);
    if prefixes.is_empty() {
        return Ok(0);
    }
    let chains = iptables::remove(&prefixes, &before.chains(), system)?;
    let tables = nft::remove_empty_shells(before.tables(), system)?;
    let base = match before.base_chains() {
        Some(keep) => nft::remove_empty_base_chains(keep, system)?,
        None => 0,
    };
    Ok(chains + tables + base)
}

/// An owned thing as its playbook writes it.
pub(super) fn subject(owned: &Owned) -> String {
    serde_json::to_string(owned).unwrap_or_default()
}
