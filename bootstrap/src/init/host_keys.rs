//! Which of the keys that a host shows is the right one, as far as this machine knows.

use super::HostKey;
use crate::ssh::openssh::{Pinned, Refusal, Shown};
use crate::ssh::{Files, OfferedKey, OfferedKeys, SshError, Target};

/// What is known of a host's keys.
pub(super) enum Judged {
    /// This one is right.
    Right(HostKey),
    /// Nothing: these are all it shows, the best one first.
    Unknown(Vec<OfferedKey>),
}

/// The person's own word comes first, then the known-hosts files; a key that contradicts them is refused.
pub(super) fn judge(
    target: &Target,
    offered: OfferedKeys,
    known_hosts: Files<'_>,
) -> Result<Judged, SshError> {
    if let Some(given) = &target.host_key {
        if offered.keys.iter().any(|key| &key.fingerprint == given) {
            return Ok(Judged::Right(HostKey::Given(given.clone())));
        }
        return Err(SshError::ChangedHostKey {
            address: target.address.clone(),
            expected: vec![given.clone()],
            pinned_in: "`--host-key`".to_owned(),
            found: offered.keys.first().map(|key| key.fingerprint.clone()).unwrap_or_default(),
        });
    }
    let pinned = Pinned { fingerprint: None, files: known_hosts };
    let mut refusal = None;
    for key in &offered.keys {
        let bare = key.public_key.split(' ').nth(1).unwrap_or_default();
        for name in &offered.names {
            match pinned.judge(&Shown { name, algorithm: &key.algorithm, key: bare }) {
                Ok(_) => return Ok(Judged::Right(HostKey::Recorded(key.fingerprint.clone()))),
                Err(Refusal::Unknown { .. }) => {}
                // Of a key that is in wrong hands nothing makes good; a key of another kind may be the recorded one.
                Err(revoked @ Refusal::Revoked { .. }) => return Err(revoked.into_error(&target.address)),
                Err(other) => refusal = refusal.or(Some(other)),
            }
        }
    }
    match refusal {
        Some(refusal) => Err(refusal.into_error(&target.address)),
        None => Ok(Judged::Unknown(offered.keys)),
    }
}
