//! Named network namespaces under `/run/netns`: files that a namespace is mounted on.

use std::path::Path;

use super::pattern::matches;
use crate::steps::StepError;
use crate::steps::path::failed;
use crate::system::{Look, System};

const FOLDER: &str = "/run/netns";

/// Names of the network namespaces.
pub(crate) fn list(look: &dyn Look) -> Result<Vec<String>, StepError> {
    if look.metadata(Path::new(FOLDER)).map_err(failed("read", FOLDER))?.is_none() {
        return Ok(Vec::new());
    }
    look.list(Path::new(FOLDER)).map_err(failed("read", FOLDER))
}

/// Removes those named by `pattern`, except `keep`. Gives how many.
pub(crate) fn remove(pattern: &str, keep: &[String], system: &dyn System) -> Result<u64, StepError> {
    let mut count = 0;
    for name in list(system.look())?.into_iter().filter(|name| matches(pattern, name) && !keep.contains(name))
    {
        let path = format!("{FOLDER}/{name}");
        match system.unmount(Path::new(&path)) {
            // EINVAL, ENOENT: nothing is mounted there any more.
            Err(error) if matches!(error.raw_os_error(), Some(2 | 22)) => {}
            other => other.map_err(failed("unmount", &path))?,
        }
        system.remove_file(Path::new(&path)).map_err(failed("remove", &path))?;
        count += 1;
    }
    Ok(count)
}
