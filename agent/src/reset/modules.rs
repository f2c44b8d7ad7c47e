//! Kernel modules that the kernel loads by itself for what the software does: of the packet filter, of links.
//!
//! The kernel refuses to unload a module that a rule, a mount or another module uses. Links and nft tables it does not count:
//! without its module a bridge is gone, whoever made it. Modules of links, and `nf_tables`, are therefore looked for in
//! every network namespace.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use serde::Deserialize;

use crate::steps::StepError;
use crate::steps::path::failed;
use crate::steps::swap::shared_kernel;
use crate::system::{Command, CommandError, Look, Output, System};

const MODULES: &str = "/proc/modules";
const MOUNTS: &str = "/proc/self/mountinfo";
const NFT: &str = "nf_tables";

/// A loaded module.
struct Module {
    name: String,
    /// No other module, rule or mount uses it, and it knows how to go.
    is_free: bool,
}

/// What came of unloading.
#[derive(Debug, Default)]
pub(super) struct Unloaded {
    /// How many went.
    pub(super) count: u64,
    /// Names of those that others use by now.
    pub(super) in_use: Vec<String>,
    /// Those that nobody seems to use and that did not go all the same: name → why.
    pub(super) refused: BTreeMap<String, String>,
}

/// Names of the loaded modules; none in a container, whose kernel is the machine's, and where the kernel has no modules.
pub(super) fn names(look: &dyn Look) -> Result<Option<BTreeSet<String>>, StepError> {
    Ok(loaded(look)?.map(|modules| modules.into_iter().map(|module| module.name).collect()))
}

/// Unloads those that begin with one of `prefixes`, but `keep`; one that only another of them needed goes after it.
pub(super) fn remove(
    prefixes: &[&str],
    keep: &BTreeSet<String>,
    system: &dyn System,
) -> Result<Unloaded, StepError> {
    let look = system.look();
    let mut unloaded = Unloaded::default();
    let mut needed = None;
    loop {
        let mut came = came_since(prefixes, keep, look)?;
        came.retain(|module| !unloaded.refused.contains_key(&module.name));
        if needed.is_none() && came.iter().any(|module| module.is_free) {
            needed = Some(needed_uncounted(look)?);
        }
        let is_free = |module: &&Module| {
            module.is_free && !needed.as_ref().is_some_and(|needed| needed.contains(&module.name))
        };
        let free: Vec<&Module> = came.iter().filter(is_free).collect();
        if free.is_empty() {
            unloaded.in_use = came.into_iter().map(|module| module.name).collect();
            return Ok(unloaded);
        }
        for module in free {
            match unload(&module.name, system) {
                Ok(()) => unloaded.count += 1,
                Err(error) => drop(unloaded.refused.insert(module.name.clone(), error.to_string())),
            }
        }
    }
}

/// Unloads a module that a step loaded, unless somebody uses it by now.
pub(super) fn give_back(name: &str, system: &dyn System) -> Result<(), StepError> {
    let name = name.replace('-', "_");
    let modules = loaded(system.look())?.unwrap_or_default();
    let is_free = modules.iter().any(|module| module.name == name && module.is_free);
    if !is_free || needed_uncounted(system.look())?.contains(&name) {
        return Ok(());
    }
    match unload(&name, system) {
        // Somebody was quicker, or the kernel lets no module go: it stays until the next boot.
        Ok(()) | Err(CommandError::Exit { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Names of those that begin with `prefix`, were not there before, and that nobody uses.
pub(super) fn left(prefix: &str, keep: &BTreeSet<String>, look: &dyn Look) -> Result<Vec<String>, StepError> {
    let mut came = came_since(&[prefix], keep, look)?;
    came.retain(|module| module.is_free);
    if came.is_empty() {
        return Ok(Vec::new());
    }
    let needed = needed_uncounted(look)?;
    Ok(came.into_iter().map(|module| module.name).filter(|name| !needed.contains(name)).collect())
}

/// `rmmod` takes this one alone; `modprobe --remove` would take what it depends on too, which may have been there before us.
fn unload(name: &str, system: &dyn System) -> Result<(), CommandError> {
    system.run(&Command::new("rmmod", [name])).map(drop)
}

fn came_since(prefixes: &[&str], keep: &BTreeSet<String>, look: &dyn Look) -> Result<Vec<Module>, StepError> {
    // The kernel lists `_` where the file's name may have `-`.
    let prefixes: Vec<String> = prefixes.iter().map(|prefix| prefix.replace('-', "_")).collect();
    let is_meant = |name: &str| prefixes.iter().any(|prefix| !prefix.is_empty() && name.starts_with(prefix));
    let mut modules = loaded(look)?.unwrap_or_default();
    modules.retain(|module| is_meant(&module.name) && !keep.contains(&module.name));
    Ok(modules)
}

fn loaded(look: &dyn Look) -> Result<Option<Vec<Module>>, StepError> {
    if shared_kernel(look)? {
        return Ok(None);
    }
    let text = look.read_text(Path::new(MODULES)).map_err(failed("read", MODULES))?;
    Ok(text.map(|text| text.lines().filter_map(parse).collect()))
}

/// A line of `/proc/modules`: `NAME SIZE COUNT USERS STATE ADDRESS`. The count is `-` where the kernel can unload none, the
/// users end in `[permanent],` where the module cannot go.
fn parse(line: &str) -> Option<Module> {
    let words: Vec<&str> = line.split(' ').collect();
    let [name, _, count, users, ..] = words.as_slice() else { return None };
    Some(Module { name: (*name).to_owned(), is_free: *count == "0" && *users == "-" })
}

/// Modules that are needed without the kernel counting it: of links, and of nft tables, in any network namespace.
fn needed_uncounted(look: &dyn Look) -> Result<BTreeSet<String>, StepError> {
    let mut needed = BTreeSet::new();
    let mut kinds = kinds(&link_words(None), look)?;
    let has_nft = names(look)?.is_some_and(|names| names.contains(NFT));
    if has_nft && has_tables(None, look)? {
        needed.insert(NFT.to_owned());
    }
    for (id, file) in namespaces(look)? {
        let within = kinds_of_other(&file, look).and_then(|kinds| {
            Ok((kinds, has_nft && !needed.contains(NFT) && has_tables(Some(&file), look)?))
        });
        match within {
            Ok((found, has_tables)) => {
                kinds.extend(found);
                if has_tables {
                    needed.insert(NFT.to_owned());
                }
            }
            // It ended with its process while we looked.
            Err(_) if id_of(&file, look).is_none_or(|now| now != id) && file.starts_with("/proc/") => {}
            Err(error) => return Err(error),
        }
    }
    for kind in kinds {
        // Most are named as their kind; the others say it in an alias.
        needed.insert(kind.replace('-', "_"));
        let alias = format!("rtnl-link-{kind}");
        match look.ask(&Command::new("modprobe", ["--resolve-alias", &alias])) {
            Ok(output) => needed.extend(output.stdout.split_whitespace().map(|name| name.replace('-', "_"))),
            // No module has it: it is part of the kernel.
            Err(CommandError::Exit { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(needed)
}

/// A link as `ip -json -details link show` has it.
#[derive(Deserialize)]
struct Link {
    linkinfo: Option<LinkInfo>,
}

#[derive(Deserialize)]
struct LinkInfo {
    info_kind: Option<String>,
}

fn link_words(namespace: Option<&str>) -> Command {
    within(namespace, &["ip", "-json", "-details", "link", "show"])
}

fn kinds_of_other(file: &str, look: &dyn Look) -> Result<BTreeSet<String>, StepError> {
    kinds(&link_words(Some(file)), look)
}

/// The kinds of links there are.
fn kinds(command: &Command, look: &dyn Look) -> Result<BTreeSet<String>, StepError> {
    let Output { stdout, .. } = look.ask(command)?;
    let links: Vec<Link> = serde_json::from_str(&stdout)
        .map_err(io::Error::from)
        .map_err(failed("read links from", &command.program))?;
    Ok(links.into_iter().filter_map(|link| link.linkinfo?.info_kind).collect())
}

/// Whether there is any nft table; taken as so where that cannot be seen.
fn has_tables(namespace: Option<&str>, look: &dyn Look) -> Result<bool, StepError> {
    match look.ask(&within(namespace, &["nft", "list", "tables"])) {
        Ok(output) => Ok(!output.stdout.trim().is_empty()),
        Err(CommandError::Exit { .. }) => Ok(true),
        Err(CommandError::Start { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error.into()),
    }
}

fn within(namespace: Option<&str>, words: &[&str]) -> Command {
    let entering = namespace.map(|file| format!("--net={file}"));
    let words: Vec<&str> = match &entering {
        Some(entering) => ["nsenter", entering, "--"].iter().chain(words).copied().collect(),
        None => words.to_vec(),
    };
    Command::new(words[0], words[1..].iter().copied()).whole()
}

/// All network namespaces but this process's: those of processes, and those that a file keeps (nsfs). Id → such a file.
fn namespaces(look: &dyn Look) -> Result<BTreeMap<String, String>, StepError> {
    let mut found = BTreeMap::new();
    for name in look.list(Path::new("/proc")).map_err(failed("read", "/proc"))? {
        let file = format!("/proc/{name}/ns/net");
        if name.bytes().all(|byte| byte.is_ascii_digit())
            && let Some(id) = id_of(&file, look)
        {
            found.insert(id, file);
        }
    }
    let mounts = look.read_text(Path::new(MOUNTS)).map_err(failed("read", MOUNTS))?.unwrap_or_default();
    for line in mounts.lines() {
        // `ID PARENT DEVICE ROOT POINT …`; the root of such a file is the namespace's id.
        if let [_, _, _, root, point, ..] = line.split(' ').collect::<Vec<_>>().as_slice()
            && root.starts_with("net:[")
        {
            found.insert((*root).to_owned(), (*point).to_owned());
        }
    }
    if let Some(own) = id_of("/proc/self/ns/net", look) {
        found.remove(&own);
    }
    Ok(found)
}

/// A process's network namespace, `net:[NUMBER]`; none when the process has ended.
fn id_of(file: &str, look: &dyn Look) -> Option<String> {
    look.read_link(Path::new(file)).ok().map(|id| id.to_string_lossy().into_owned())
}
