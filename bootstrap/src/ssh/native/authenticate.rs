//! Logging in: one key after the other, then the password where one is asked for.

use russh::client::{AuthResult, Handle, KeyboardInteractiveAuthResponse};
use russh::keys::{Algorithm, HashAlg, PrivateKeyWithHashAlg};
use russh::{AgentAuthError, MethodKind, MethodSet};

use super::super::SshError;
use super::super::user_config::Destination;
use super::connect::{Answers, Gone, conversation};
use super::identity::{Candidate, Identities, Key};

/// What became of one connection.
pub(super) enum Outcome {
    LoggedIn,
    /// sshd hung up after as many keys as it allows; there are more.
    CutOff,
}

/// What was tried over all connections.
#[derive(Default)]
pub(super) struct Tried {
    pub(super) shown: Vec<String>,
}

/// Tries what is left in `identities`; takes out what it tried.
pub(super) async fn authenticate(
    handle: &mut Handle<Answers>,
    destination: &Destination,
    identities: &mut Identities,
    tried: &mut Tried,
    gone: &Gone,
) -> Result<Outcome, SshError> {
    let mut attempt = Attempt { handle, destination, gone, rsa_hash: None };
    while let Some(candidate) = identities.candidates.pop() {
        let shown = candidate.shown.clone();
        let Some(result) = attempt.key(candidate, identities).await? else { continue };
        tried.shown.push(shown);
        match result {
            AuthResult::Success => return Ok(Outcome::LoggedIn),
            AuthResult::Failure { partial_success: true, remaining_methods } => {
                let methods = names(&remaining_methods);
                if identities.password.is_none() {
                    identities.notes.push(format!("sshd wants more than the key: {methods}"));
                    return Err(denied(destination, identities, tried));
                }
                break;
            }
            AuthResult::Failure { remaining_methods, .. } => {
                if attempt.handle.is_closed() {
                    let more = !identities.candidates.is_empty() || identities.password.is_some();
                    let why = gone.why();
                    if more
                        && why.as_ref().is_some_and(|why| why.contains("Too many authentication failures"))
                    {
                        return Ok(Outcome::CutOff);
                    }
                    identities.notes.extend(why);
                    return Err(denied(destination, identities, tried));
                }
                if !remaining_methods.contains(&MethodKind::PublicKey) {
                    identities.notes.push("sshd takes no further keys".to_owned());
                    break;
                }
            }
        }
    }
    if let Some(password) = identities.password.take() {
        tried.shown.push("the password".to_owned());
        match attempt.password(password.expose()).await? {
            None => return Ok(Outcome::LoggedIn),
            Some(note) => identities.notes.push(note),
        }
        if attempt.handle.is_closed() {
            identities.notes.extend(gone.why());
        }
    }
    Err(denied(destination, identities, tried))
}

fn denied(destination: &Destination, identities: &Identities, tried: &Tried) -> SshError {
    let (address, user) = (destination.address.clone(), destination.user.clone());
    SshError::Denied { address, user, tried: tried.shown.clone(), notes: identities.notes.clone() }
}

struct Attempt<'a> {
    handle: &'a mut Handle<Answers>,
    destination: &'a Destination,
    gone: &'a Gone,
    rsa_hash: Option<HashAlg>,
}

impl Attempt<'_> {
    fn broken(&self, error: &dyn std::fmt::Display) -> SshError {
        let cause = self.gone.why().unwrap_or_else(|| error.to_string());
        conversation(self.destination, cause, String::new())
    }

    /// Nothing if the key could not sign, which is noted.
    async fn key(
        &mut self,
        candidate: Candidate,
        identities: &mut Identities,
    ) -> Result<Option<AuthResult>, SshError> {
        let user = &self.destination.user;
        let hash = match candidate.key.public().algorithm() {
            Algorithm::Rsa { .. } => self.rsa_hash().await?,
            _ => None,
        };
        let result = match candidate.key {
            Key::File(key) => {
                let key = PrivateKeyWithHashAlg::new(key, hash);
                self.handle.authenticate_publickey(user, key).await
            }
            Key::Certified(key, certificate) => {
                self.handle.authenticate_openssh_cert(user, key, (*certificate).clone()).await
            }
            Key::Agent(key) => {
                let Some(agent) = &mut identities.agent else { return Ok(None) };
                match self.handle.authenticate_publickey_with(user, key, hash, agent).await {
                    Ok(result) => Ok(result),
                    Err(AgentAuthError::Send(error)) => return Err(self.broken(&error)),
                    Err(AgentAuthError::Key(error)) => {
                        identities.notes.push(format!("{} did not sign: {error}", candidate.shown));
                        return Ok(None);
                    }
                }
            }
        };
        result.map(Some).map_err(|error| self.broken(&error))
    }

    async fn rsa_hash(&mut self) -> Result<Option<HashAlg>, SshError> {
        if self.rsa_hash.is_none() {
            let told = self.handle.best_supported_rsa_hash().await.map_err(|error| self.broken(&error))?;
            // sshd without the extension that tells: SHA-2 is understood since OpenSSH 7.2.
            self.rsa_hash = told.unwrap_or(Some(HashAlg::Sha512));
        }
        Ok(self.rsa_hash)
    }

    /// Gives the password once, in the way sshd takes it. Something to note if that is not enough.
    async fn password(&mut self, password: &str) -> Result<Option<String>, SshError> {
        let user = self.destination.user.clone();
        let asked = self.handle.authenticate_none(&user).await.map_err(|error| self.broken(&error))?;
        let methods = match asked {
            AuthResult::Success => return Ok(None),
            AuthResult::Failure { remaining_methods, .. } => remaining_methods,
        };
        if methods.contains(&MethodKind::Password) {
            let given = self.handle.authenticate_password(&user, password).await;
            return match given.map_err(|error| self.broken(&error))? {
                AuthResult::Success => Ok(None),
                AuthResult::Failure { partial_success: true, remaining_methods } => {
                    Ok(Some(format!("sshd wants more than the password: {}", names(&remaining_methods))))
                }
                AuthResult::Failure { .. } => Ok(Some("it was given once and is not tried again".to_owned())),
            };
        }
        if methods.contains(&MethodKind::KeyboardInteractive) {
            return self.interactive(&user, password).await;
        }
        Ok(Some(format!("sshd takes no passwords, only {}", names(&methods))))
    }

    /// One prompt is the password's; another one is for a person.
    async fn interactive(&mut self, user: &str, password: &str) -> Result<Option<String>, SshError> {
        use KeyboardInteractiveAuthResponse::{Failure, InfoRequest, Success};
        let mut answer = self.handle.authenticate_keyboard_interactive_start(user, None::<String>).await;
        let mut given = false;
        loop {
            let responses = match answer.map_err(|error| self.broken(&error))? {
                Success => return Ok(None),
                Failure { .. } => return Ok(Some("it was given once and is not tried again".to_owned())),
                InfoRequest { prompts, .. } if prompts.is_empty() => Vec::new(),
                InfoRequest { prompts, .. } if prompts.len() == 1 && !given => {
                    given = true;
                    vec![password.to_owned()]
                }
                InfoRequest { prompts, .. } => {
                    let texts: Vec<_> = prompts.iter().map(|prompt| prompt.prompt.trim()).collect();
                    return Ok(Some(format!("sshd asks for more than a password: {}", texts.join(", "))));
                }
            };
            answer = self.handle.authenticate_keyboard_interactive_respond(responses).await;
        }
    }
}

fn names(methods: &MethodSet) -> String {
    methods.iter().map(<&str>::from).collect::<Vec<_>>().join(", ")
}
