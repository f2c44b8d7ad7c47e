//! Packages that came with us go again; those that others have come to need stay.

use std::collections::BTreeMap;
use std::time::Duration;

use super::needed::needed;
use super::{Patience, State, Status, with_locks};
use crate::steps::StepError;
use crate::steps::path::failed;
use crate::system::{Command, System};

/// Longest dpkg may take: the scripts of packages stop services.
const REMOVAL: Duration = Duration::from_mins(30);

/// A package that was not installed before us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Came<'a> {
    /// As dpkg's status has it.
    pub(crate) name: &'a str,
    /// Its configuration was there, and stays.
    pub(crate) had_configuration: bool,
}

/// Removes them, and gives those that stay, each with the package that needs it.
///
/// By dpkg, which removes what it is told and nothing else.
pub(crate) fn remove(
    came: &[Came<'_>],
    patience: &Patience<'_>,
    system: &dyn System,
) -> Result<BTreeMap<String, String>, StepError> {
    patience.wait(system)?;
    let read = || Status::read(system.look()).map_err(failed("read", "/var/lib/dpkg/status"));
    let Some(status) = read()? else { return Ok(BTreeMap::new()) };
    let ours: Vec<&str> = came.iter().map(|one| one.name).collect();
    let stay = needed(&status, &ours);
    let gone = came.iter().filter(|one| !stay.contains_key(one.name) && status.state(one.name).is_some());
    let (keeping, purged): (Vec<&Came<'_>>, Vec<_>) = gone.partition(|one| one.had_configuration);
    let is_unpacked = |one: &&&Came<'_>| status.state(one.name) != Some(&State::Configuration);
    if keeping.iter().any(|one| is_unpacked(&one)) {
        // All in one go: those that keep their configuration may need the others.
        let names = keeping.iter().chain(&purged).filter(is_unpacked).map(|one| one.name);
        dpkg("--remove", names, patience, system)?;
    }
    if !purged.is_empty() {
        dpkg("--purge", purged.iter().map(|one| one.name), patience, system)?;
    }
    Ok(stay)
}

fn dpkg<'a>(
    order: &'a str,
    names: impl Iterator<Item = &'a str>,
    patience: &Patience<'_>,
    system: &dyn System,
) -> Result<(), StepError> {
    let arguments = ["--force-remove-reinstreq", order, "--"].into_iter().chain(names);
    let mut command = Command::new("dpkg", arguments).timeout(REMOVAL);
    command.environment = vec![("DEBIAN_FRONTEND".to_owned(), "noninteractive".to_owned())];
    with_locks(system, patience, &command, &mut |_| {}).map(drop)
}
