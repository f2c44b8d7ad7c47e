//! Asking a host for its keys: one exchange of keys for each kind, given up before the login.

use super::super::SshError;
use super::super::counted::Counters;
use super::super::offered::OfferedKeys;
use super::super::user_config::Destination;
use super::Shared;
use super::connect::{Asked, begin};
use super::host_key::{Judge, kinds};
use super::known_hosts::names;

/// All kinds of host keys, one connection each. A host that has two ECDSA keys tells the one it prefers.
pub(super) async fn offered(shared: &Shared, destination: &Destination) -> Result<OfferedKeys, SshError> {
    let mut keys = Vec::new();
    let mut lacking = None;
    for algorithms in kinds() {
        let asked = Asked { algorithms, certificates: Vec::new(), judge: Judge::Nobody };
        match begin(shared, destination, asked, &Counters::default()).await {
            Err(SshError::UnknownHostKey { key, .. }) => keys.push(*key),
            Err(error @ SshError::NoHostKey { .. }) => lacking = Some(error),
            Err(error) => return Err(error),
            // Nobody's judgement lets anybody in.
            Ok(_) => {}
        }
    }
    match lacking {
        Some(error) if keys.is_empty() => Err(error),
        _ => Ok(OfferedKeys { names: names(destination), keys }),
    }
}
