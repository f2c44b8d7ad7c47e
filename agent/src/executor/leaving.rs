//! What an executor removes when it leaves.

use std::io;
use std::path::Path;

use fs_err as fs;
use garboard_protocol::Digest;

use crate::store::{Baseline, Blobs, Layout};
use crate::system::Look;

/// Start of the name of an agent in the state folder; its hex digest follows.
pub(super) const AGENT_PREFIX: &str = "agent-";

/// Cleans up: a run that changed nothing takes along what it sent; a host that we never changed (or that was given back)
/// keeps nothing of ours at all, except blobs that a reset was told to keep; a run that changed something removes the
/// agents of earlier versions.
pub(super) fn clean_up(
    look: &dyn Look,
    layout: &Layout,
    blobs: &mut Blobs,
    agent: Digest,
    has_changed: bool,
) -> io::Result<()> {
    if !has_changed {
        blobs.remove_received()?;
    }
    if !Baseline::exists(look, layout)? {
        remove_state(layout)?;
    } else if has_changed {
        remove_other_agents(layout, agent)?;
    }
    Ok(())
}

/// Removes lock and socket, with their folder: from here on the next executor can begin.
pub(super) fn remove_run_folder(layout: &Layout) -> io::Result<()> {
    remove_all(&layout.run)
}

fn remove_state(layout: &Layout) -> io::Result<()> {
    if fs::symlink_metadata(layout.kept_blobs()).is_err() {
        return remove_all(&layout.state);
    }
    for entry in fs::read_dir(&layout.state)? {
        let path = entry?.path();
        if path != layout.blobs() {
            remove_all(&path)?;
        }
    }
    Ok(())
}

fn remove_other_agents(layout: &Layout, agent: Digest) -> io::Result<()> {
    let own = format!("{AGENT_PREFIX}{}", agent.hex());
    for entry in fs::read_dir(&layout.state)? {
        let name = entry?.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(AGENT_PREFIX) && name != own {
            remove_all(&layout.state.join(&*name))?;
        }
    }
    Ok(())
}

fn remove_all(path: &Path) -> io::Result<()> {
    let result = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
