//! Blobs to one host, in the order in which its steps need them, beside the steps themselves.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use garboard_playbooks::PlannedStep;
use garboard_protocol::step::Blob;
use garboard_protocol::{Observation, Step};

use crate::output::{Event, Events};
use crate::problem::{Exit, Problem};
use crate::session::Session;

use crate::lock::Supply;

/// The blobs that the steps which are not done need, each once, in order: those before a reboot that may come, and those after it.
pub(super) fn needed(chain: &[(PlannedStep, Observation)]) -> (Vec<Blob>, Vec<Blob>) {
    let place = chain
        .iter()
        .position(|(planned, seen)| matches!(planned.step, Step::Reboot(_)) && !seen.is_converged());
    let (before, after) = chain.split_at(place.unwrap_or(chain.len()));
    let before = blobs_of(before);
    let after = blobs_of(after).into_iter().filter(|blob| !before.contains(blob)).collect();
    (before, after)
}

fn blobs_of(chain: &[(PlannedStep, Observation)]) -> Vec<Blob> {
    let mut blobs: Vec<Blob> = Vec::new();
    for (planned, observation) in chain {
        if observation.is_converged() {
            continue;
        }
        for blob in planned.step.blobs() {
            if !blobs.contains(&blob) {
                blobs.push(blob);
            }
        }
    }
    blobs
}

/// Sends what the host lacks of `blobs`.
pub(super) async fn send(
    host: &str,
    session: &Session,
    supply: &Supply,
    blobs: Vec<Blob>,
    events: &Events,
) -> Result<(), Problem> {
    if blobs.is_empty() {
        return Ok(());
    }
    let present = session.blobs(blobs).await.map_err(|error| error.problem(host))?;
    let missing: Vec<(Blob, u64)> = present.into_iter().filter(|(blob, there)| *there < blob.size).collect();
    let total: u64 = missing.iter().map(|(blob, there)| blob.size - there).sum();
    let sent = Arc::new(AtomicU64::new(0));
    for (blob, offset) in missing {
        let path =
            supply.blob(blob).await.map_err(|error| Problem::from_error(Exit::Failed, &error).host(host))?;
        let before = sent.load(Ordering::Relaxed);
        let progress = {
            let (events, host, sent) = (events.clone(), host.to_owned(), Arc::clone(&sent));
            move |bytes: u64| {
                let done = before + bytes;
                sent.store(done, Ordering::Relaxed);
                events.send(&Event::Sending { host: host.clone(), done, total });
            }
        };
        session.send_blob(&blob, &path, offset, progress).await.map_err(|error| error.problem(host))?;
    }
    Ok(())
}
