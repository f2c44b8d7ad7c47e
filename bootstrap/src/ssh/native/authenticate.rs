//! Logging in with one key after the other.

use russh::client::{AuthResult, Handle};
use russh::keys::{Algorithm, HashAlg, PrivateKeyWithHashAlg};
use russh::{AgentAuthError, MethodKind};

use super::super::SshError;
use super::super::user_config::Destination;
use super::connect::{Answers, Gone, conversation};
use super::identity::{Identities, Key};

/// Logs in, or tells with what it was tried.
pub(super) async fn authenticate(
    handle: &mut Handle<Answers>,
    destination: &Destination,
    mut identities: Identities,
    gone: &Gone,
) -> Result<(), SshError> {
    let broken = |error: &dyn std::fmt::Display| {
        let cause = gone.why().unwrap_or_else(|| error.to_string());
        conversation(destination, cause, String::new())
    };
    let mut tried = Vec::new();
    let mut rsa_hash = None;
    for candidate in identities.candidates {
        let algorithm = match &candidate.key {
            Key::File(key) => key.algorithm(),
            Key::Agent(key) => key.algorithm(),
        };
        if matches!(algorithm, Algorithm::Rsa { .. }) && rsa_hash.is_none() {
            let told = handle.best_supported_rsa_hash().await.map_err(|error| broken(&error))?;
            // sshd without the extension that tells: SHA-2 is understood since OpenSSH 7.2.
            rsa_hash = Some(told.unwrap_or(Some(HashAlg::Sha512)));
        }
        let hash = rsa_hash.flatten();
        let result = match candidate.key {
            Key::File(key) => {
                let key = PrivateKeyWithHashAlg::new(key, hash);
                handle.authenticate_publickey(&destination.user, key).await.map_err(|error| broken(&error))?
            }
            Key::Agent(key) => {
                let Some(agent) = &mut identities.agent else { continue };
                let hash = matches!(algorithm, Algorithm::Rsa { .. }).then_some(hash).flatten();
                match handle.authenticate_publickey_with(&destination.user, key, hash, agent).await {
                    Ok(result) => result,
                    Err(AgentAuthError::Send(error)) => return Err(broken(&error)),
                    Err(AgentAuthError::Key(error)) => {
                        identities.notes.push(format!("{} did not sign: {error}", candidate.shown));
                        continue;
                    }
                }
            }
        };
        tried.push(candidate.shown);
        match result {
            AuthResult::Success => return Ok(()),
            AuthResult::Failure { partial_success: true, remaining_methods } => {
                let methods: Vec<_> = remaining_methods.iter().map(<&str>::from).collect();
                identities.notes.push(format!("sshd wants more than the key: {}", methods.join(", ")));
                break;
            }
            AuthResult::Failure { remaining_methods, .. } => {
                if handle.is_closed() {
                    identities.notes.extend(gone.why());
                    break;
                }
                if !remaining_methods.contains(&MethodKind::PublicKey) {
                    identities.notes.push("sshd takes no further keys".to_owned());
                    break;
                }
            }
        }
    }
    let (address, user) = (destination.address.clone(), destination.user.clone());
    Err(SshError::Denied { address, user, tried, notes: identities.notes })
}
