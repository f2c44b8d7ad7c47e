//! Network links that the software makes: bridges with their ports, VXLAN devices.

use std::path::Path;

use super::pattern::matches;
use crate::steps::StepError;
use crate::steps::path::failed;
use crate::system::{Command, CommandError, Kind, Look, System};

const LINKS: &str = "/sys/class/net";

/// All links of the host.
pub(crate) fn list(look: &dyn Look) -> Result<Vec<String>, StepError> {
    if look.metadata(Path::new(LINKS)).map_err(failed("read", LINKS))?.is_none() {
        return Ok(Vec::new());
    }
    look.list(Path::new(LINKS)).map_err(failed("read", LINKS))
}

/// Removes the links named by `pattern`, and the ports of such a bridge, except `keep`. Gives how many.
pub(crate) fn remove(pattern: &str, keep: &[String], system: &dyn System) -> Result<u64, StepError> {
    let mut count = 0;
    for name in list(system.look())?.into_iter().filter(|name| matches(pattern, name) && !keep.contains(name))
    {
        let ports = format!("{LINKS}/{name}/brif");
        let found = system.metadata(Path::new(&ports)).map_err(failed("read", &ports))?;
        if found.is_some_and(|found| found.kind == Kind::Directory) {
            for port in system.list(Path::new(&ports)).map_err(failed("read", &ports))? {
                if !keep.contains(&port) {
                    delete(&port, system)?;
                    count += 1;
                }
            }
        }
        delete(&name, system)?;
        count += 1;
    }
    Ok(count)
}

fn delete(name: &str, system: &dyn System) -> Result<(), StepError> {
    match system.run(&Command::new("ip", ["link", "delete", "dev", name])) {
        Ok(_) => Ok(()),
        // Gone by itself meanwhile: the other end of a pair, a namespace that ended.
        Err(CommandError::Exit { stderr, .. }) if stderr.contains("Cannot find device") => Ok(()),
        Err(error) => Err(error.into()),
    }
}
