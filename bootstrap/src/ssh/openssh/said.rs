//! What `ssh` says when it does not get through, as our own errors.

use std::io;
use std::time::Duration;

use super::arguments::Resolved;
use super::{REFUSAL, Refusal};
use crate::ssh::{SshError, Target};

/// Why there is no login.
pub(super) enum Failed {
    /// The program cannot be started.
    Start(io::Error),
    /// It ended and said this.
    Said(String),
    /// It did not end.
    TimedOut(Duration, String),
}

impl Failed {
    pub(super) fn start(error: io::Error) -> Self {
        Self::Start(error)
    }

    pub(super) fn into_error(self, target: &Target, resolved: &Resolved) -> SshError {
        let (address, port) = (resolved.host.clone(), resolved.port);
        match self {
            Self::Start(error) => SshError::OpenSsh { cause: error.to_string() },
            Self::TimedOut(limit, said) => {
                SshError::TimedOut { address, port, seconds: limit.as_secs(), said: last_line(&said) }
            }
            Self::Said(said) => of(&said, target, resolved),
        }
    }
}

fn of(said: &str, target: &Target, resolved: &Resolved) -> SshError {
    let (address, port) = (resolved.host.clone(), resolved.port);
    if let Some(refusal) = refusal(said) {
        return refusal.into_error(&target.address);
    }
    let line = |texts: &[&str]| {
        let found = said.lines().find(|line| texts.iter().any(|text| line.contains(text)));
        found.map(|line| line.trim().to_owned())
    };
    if let Some(line) = line(&["no matching host key type found"]) {
        let kinds = line.split_once("Their offer: ").map(|(_, kinds)| kinds.split(',').map(str::to_owned));
        let kinds = kinds.into_iter().flatten().collect();
        return SshError::NoHostKey { address: target.address.clone(), kinds };
    }
    if let Some(line) = line(&["Could not resolve hostname"]) {
        return SshError::Resolve { address, source: io::Error::other(line) };
    }
    if let Some(line) = line(&["Connection refused"]) {
        let source = io::Error::new(io::ErrorKind::ConnectionRefused, line);
        return SshError::Connect { address, port, source };
    }
    if let Some(line) = line(&["No route to host", "Network is unreachable", "Connection timed out"]) {
        return SshError::Connect { address, port, source: io::Error::other(line) };
    }
    if let Some(line) = line(&["Permission denied", "Too many authentication failures"]) {
        let tried = target.identity.iter().map(|path| format!("`{}`", path.display()));
        let mut tried: Vec<_> = tried.collect();
        if tried.is_empty() {
            tried.push("the keys that `ssh` has".to_owned());
        }
        // What it says about keys it could not use comes before.
        let mut notes: Vec<_> = said
            .lines()
            .filter(|line| line.contains("Load key"))
            .map(|line| line.trim().to_owned())
            .collect();
        notes.push(line);
        return SshError::Denied {
            address: target.address.clone(),
            user: resolved.user.clone(),
            tried,
            notes,
        };
    }
    let cause = last_line(said);
    let cause = if cause.is_empty() { "`ssh` ended and did not say why".to_owned() } else { cause };
    SshError::Conversation { address, port, cause, said: String::new() }
}

fn refusal(said: &str) -> Option<Refusal> {
    let line = said.lines().find_map(|line| line.trim().strip_prefix(REFUSAL))?;
    serde_json::from_str(line).ok()
}

/// The last line that says something.
pub(super) fn last_line(said: &str) -> String {
    said.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default().to_owned()
}
