//! Giving a host back: what was changed returns to its earlier value, what the software made is gone, everything else is
//! left as it is.
//!
//! The order: stop what would make things anew (the kubelet), pods by CRI, what is left of them, containerd; then the
//! baseline, newest first, each entry struck once its value is back; then what `owns` lists; then folders that are empty
//! only now, and modules of the kernel that nothing uses any more. A part that fails is reported and does not hold up the others. The notes on the host go last, and only when
//! nothing failed: a second reset goes on where a first one was cut off.

mod cgroups;
mod iptables;
mod kept;
pub(crate) mod links;
mod modules;
pub(crate) mod mounts;
pub(crate) mod namespaces;
pub(crate) mod nft;
mod online;
mod owned;
mod pattern;
pub(crate) mod pods;
mod processes;
pub(crate) mod restore;
pub mod snapshot;
pub(crate) mod tree;
mod verify;
mod work;

use std::io;
use std::time::Duration;

use garboard_protocol::event::Body;
use garboard_protocol::reset::{Keepsake, ResetOptions, ResetReport};

use crate::engine::Engine;
use crate::steps::path::failed;
use crate::steps::{Entry, StepError};
use crate::store::{Layout, Snapshot};
use crate::system::{Command, System};
use kept::Kept;
use snapshot::Before;
use work::Work;

pub use verify::verify;

/// Gives the host back. Says what it does, and hands over what [`verify`] needs later.
pub fn reset(
    engine: &Engine,
    options: &ResetOptions,
    say: &mut dyn FnMut(Body),
) -> Result<ResetReport, StepError> {
    let host = engine.host();
    let (system, layout) = (&*host.system, &host.layout);
    let taken = Snapshot::load(system.look(), layout).map_err(unreadable("snapshot"))?;
    let mut kept = Kept {
        version: 1,
        entries: engine.baseline().entries(),
        before: taken.map(|taken| taken.0),
        owned: engine.owned(),
    };
    for thing in &options.owned {
        if !kept.owned.contains(thing) {
            kept.owned.push(thing.clone());
        }
    }
    if kept.before.is_none() && !kept.entries.is_empty() {
        // The snapshot was lost: earlier values of what others change are unknown.
        let unknown = Before { late: true, ..Before::default() };
        kept.before =
            Some(serde_json::to_value(unknown).map_err(io::Error::from).map_err(unreadable("snapshot"))?);
    }
    // Nothing was ever changed here: whatever is on the host belongs to others.
    let Some(before) = kept.before.clone() else {
        let report = verify::compare(&kept, system.look())?;
        forget(layout, options.keep_blobs, system)?;
        return Ok(report);
    };
    let before = Before::of(before, system.look()).map_err(unreadable("snapshot"))?;
    merge_cut_off(&mut kept, layout, system)?;
    let mut work = Work {
        system,
        baseline: engine.baseline(),
        before,
        report: ResetReport::default(),
        has_failed: false,
        say,
    };
    work.stop(&kept);
    work.give_back(&kept.entries, false);
    work.remove_packages();
    work.remove(&kept.owned, options.delete_data);
    work.give_back(&kept.entries, true);
    work.unload_modules(&kept.owned);
    work.reload(&kept.entries);
    let Work { mut report, has_failed, say, .. } = work;
    let mut seen = verify::compare(&kept, system.look())?.leftovers;
    // A failure says more than what it left.
    seen.retain(|found| !report.leftovers.iter().any(|known| known.subject == found.subject));
    seen.retain(|found| !report.kept.iter().any(|known| known.subject == found.subject));
    report.leftovers.extend(seen);
    let value = serde_json::to_value(&kept).map_err(io::Error::from).map_err(unreadable("baseline"))?;
    say(Body::Keepsake(Keepsake(value)));
    if !has_failed {
        forget(layout, options.keep_blobs, system)?;
    }
    Ok(report)
}

/// A reset that was cut off had struck entries that belong into the keepsake all the same: the whole list is written down
/// before the first of them is struck.
fn merge_cut_off(kept: &mut Kept, layout: &Layout, system: &dyn System) -> Result<(), StepError> {
    let path = layout.state.join("keepsake.json");
    let text = path.to_string_lossy().into_owned();
    let earlier = system.read_text(&path).map_err(failed("read", &text))?;
    if let Some(earlier) = earlier.and_then(|text| serde_json::from_str::<Kept>(&text).ok()) {
        let known: Vec<String> = earlier.entries.iter().map(Entry::subject).collect();
        let new =
            kept.entries.drain(..).filter(|entry| !known.contains(&entry.subject())).collect::<Vec<_>>();
        kept.entries = earlier.entries.into_iter().chain(new).collect();
    }
    let content = serde_json::to_vec(kept).map_err(io::Error::from).map_err(failed("write", &text))?;
    system.write(&path, &content, 0o600).map_err(failed("write", &text))
}

/// Removes our own folders; with `keep_blobs` all but the blobs.
fn forget(layout: &Layout, keep_blobs: bool, system: &dyn System) -> Result<(), StepError> {
    let state = layout.state.to_string_lossy().into_owned();
    if system.metadata(&layout.state).map_err(failed("read", &state))?.is_some() {
        // What was given back is on the disk before the notes about it go.
        system.run(&Command::new("sync", ["--file-system", &state]).timeout(Duration::from_mins(5)))?;
        let blobs = layout.blobs();
        let has_blobs = system.metadata(&blobs).map_err(failed("read", &state))?.is_some();
        if keep_blobs && has_blobs {
            let mark = layout.kept_blobs();
            system.write(&mark, b"", 0o600).map_err(failed("write", &mark.to_string_lossy()))?;
            for name in system.list(&layout.state).map_err(failed("read", &state))? {
                let path = layout.state.join(name);
                if path != blobs {
                    tree::remove(&path.to_string_lossy(), system)?;
                }
            }
        } else {
            tree::remove(&state, system)?;
        }
    }
    tree::remove(&layout.run.to_string_lossy(), system)?;
    Ok(())
}

/// Notes of ours that cannot be read.
fn unreadable(what: &'static str) -> impl FnOnce(io::Error) -> StepError {
    move |error| StepError::NeedsPerson {
        message: format!("the {what} on this host cannot be read: {error}"),
        help: "`/var/lib/garboard` was damaged; look at it, and give the host back by hand".to_owned(),
    }
}
