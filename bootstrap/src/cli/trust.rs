//! `garboard trust`: pin another host key, after showing those that are pinned and those that the host offers.

use std::fmt::Write as _;

use crate::invocation::Global;
use crate::output::{Format, json, print_harmless};
use crate::problem::{Ended, Exit};
use crate::trust::{Comparison, Offer, PinnedKey, Subject};

/// Flags of `trust`.
#[derive(Debug, clap::Args)]
pub(super) struct Trust {
    /// The host's name in the inventory
    host: String,
    /// The fingerprint that the host's own console shows: pin the key that has it, and ask nobody
    #[arg(long, value_name = "SHA256:…", value_parser = fingerprint)]
    fingerprint: Option<String>,
}

pub(super) async fn run(global: &Global, command: &Trust) -> Result<Exit, Ended> {
    let subject = Subject::open(global, &command.host)?;
    let comparison = subject.compare().await?;
    if global.output == Format::Human {
        print_harmless(&comparison.human());
    }
    let decided = subject.decide(&comparison, command.fingerprint.as_deref()).await;
    let mut pinned = None;
    if let Ok(Some(offer)) = &decided {
        pinned = Some((*offer, subject.pin(&comparison, offer)?));
    }
    match (global.output, &pinned) {
        (Format::Human, Some((offer, others))) => print_harmless(&conclusion(&comparison, offer, others)),
        (Format::Human, None) => {}
        (Format::Json, _) => json::print(&comparison.document(pinned.as_ref().map(|(offer, _)| *offer))),
    }
    decided?;
    Ok(Exit::Done)
}

fn conclusion(comparison: &Comparison, offer: &Offer, others: &[PinnedKey]) -> String {
    let mut text = format!("pinned {} for {}\n", offer.key.fingerprint, comparison.host);
    for other in others {
        let (place, path, name) = (other.place(), other.path.display(), &comparison.offered.names[0]);
        let _ = writeln!(
            text,
            "{place} has another key of it: Garboard goes by its own file, `ssh` itself by that one (`ssh-keygen -f {path} -R \
             '{name}'`)"
        );
    }
    text
}

/// As the inventory takes it.
fn fingerprint(text: &str) -> Result<String, String> {
    let text = text.trim().trim_end_matches('=');
    let digits = text.strip_prefix("SHA256:").unwrap_or_default();
    let is_base64 = |character: char| character.is_ascii_alphanumeric() || "+/".contains(character);
    if digits.len() == 43 && digits.chars().all(is_base64) {
        Ok(text.to_owned())
    } else {
        Err("a fingerprint is `SHA256:` and 43 characters, as `ssh-keygen -lf` shows it".to_owned())
    }
}
