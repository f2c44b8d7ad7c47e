//! A host key that nobody knows: a person decides, once, and what they say is recorded.

use std::sync::Arc;

use tokio::sync::Mutex;

use super::native::Record;
use super::{OfferedKey, SshError};
use crate::output::text::one_line;
use crate::person::Person;

/// So often it is asked, while the answer is neither yes nor no nor a fingerprint.
const MOST_QUESTIONS: usize = 3;

/// Asks about unknown host keys, and records those that are confirmed.
pub struct Confirmation {
    person: Arc<Person>,
    record: Record,
    /// One host after the other.
    turn: Mutex<()>,
}

impl std::fmt::Debug for Confirmation {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Confirmation").field("record", &self.record).finish_non_exhaustive()
    }
}

/// A host that shows a key which is not known.
pub(crate) struct Stranger<'a> {
    /// As the inventory names it.
    pub(crate) address: &'a str,
    /// Where the connection goes: `10.0.0.1 port 22`.
    pub(crate) place: String,
    /// As it stands in known-hosts files.
    pub(crate) names: &'a [String],
    pub(crate) key: &'a OfferedKey,
}

/// What a person said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The key is the host's.
    Right,
    /// It is not, or they do not know.
    Wrong,
    /// The host's is another one.
    Other(String),
}

impl Confirmation {
    /// Asks this person, writes into this file.
    pub fn new(person: Arc<Person>, record: Record) -> Self {
        Self { person, record, turn: Mutex::default() }
    }

    /// Whoever is asked; other questions of theirs wait meanwhile.
    pub(super) fn person(&self) -> &Person {
        &self.person
    }

    /// Returns once the key is recorded. `is_known` is asked first when the turn has come: another connection may have
    /// led to the same question.
    pub(super) async fn settle(
        &self,
        stranger: &Stranger<'_>,
        is_known: impl Fn() -> Result<bool, SshError>,
    ) -> Result<(), SshError> {
        let _turn = self.turn.lock().await;
        if is_known()? {
            return Ok(());
        }
        let address = stranger.address.to_owned();
        match ask(&self.person, &question(stranger), std::slice::from_ref(stranger.key)).await {
            Ok((Answer::Right, _)) => {
                let written = self.record.pin(stranger.names, &stranger.key.public_key);
                written.map_err(|source| SshError::Record { path: self.record.path().to_owned(), source })
            }
            Ok((Answer::Other(expected), _)) => {
                Err(SshError::WrongHostKey { address, expected, found: stranger.key.fingerprint.clone() })
            }
            Ok((Answer::Wrong, _)) | Err(_) => {
                Err(SshError::UnknownHostKey { address, key: Box::new(stranger.key.clone()) })
            }
        }
    }
}

/// Asks until the answer is understood; which of `keys` was meant (the first one by a plain yes).
pub(crate) async fn ask(
    person: &Person,
    question: &str,
    keys: &[OfferedKey],
) -> std::io::Result<(Answer, usize)> {
    let again = "Type `yes` in full, `no`, or the fingerprint that the host's own console shows: ";
    for question in std::iter::once(question).chain(std::iter::repeat_n(again, MOST_QUESTIONS - 1)) {
        let said = person.ask_openly(question.to_owned()).await?;
        if let Some(understood) = understand(&said, keys) {
            return Ok(understood);
        }
    }
    Ok((Answer::Wrong, 0))
}

/// A whole line of `ssh-keygen -l` is understood as well. A `y` is not: it is typed too easily.
fn understand(said: &str, keys: &[OfferedKey]) -> Option<(Answer, usize)> {
    match said.trim().to_lowercase().as_str() {
        "yes" => return Some((Answer::Right, 0)),
        "no" | "n" => return Some((Answer::Wrong, 0)),
        _ => {}
    }
    let given = said.split_whitespace().find(|word| word.starts_with("SHA256:"))?;
    let meant = keys.iter().position(|key| key.fingerprint == given.trim_end_matches('='));
    Some(meant.map_or_else(|| (Answer::Other(given.to_owned()), 0), |index| (Answer::Right, index)))
}

fn question(stranger: &Stranger<'_>) -> String {
    format!(
        "\nThe host key of {} ({}) is not known yet. The host shows\n\n    {}\n\nCompare it with what the host itself says, at \
         its own console:\n\n    {}\n\nIs it the same? (yes, no, or the fingerprint from there) ",
        one_line(stranger.address),
        one_line(&stranger.place),
        as_ssh_keygen(stranger.key),
        how_to_compare(&stranger.key.algorithm),
    )
}

/// The command that shows a host key on the host itself.
pub(crate) fn how_to_compare(algorithm: &str) -> String {
    format!("ssh-keygen -lf /etc/ssh/ssh_host_{}_key.pub", key_file(algorithm))
}

/// As `ssh-keygen -l` tells the key, but for its comment.
pub(crate) fn as_ssh_keygen(key: &OfferedKey) -> String {
    let kind = key_file(&key.algorithm).to_uppercase();
    match key.bits() {
        Some(bits) => format!("{bits} {} ({kind})", key.fingerprint),
        None => format!("{} ({kind})", key.fingerprint),
    }
}

/// `ssh-ed25519` → `ed25519`: how Debian names the key files.
fn key_file(algorithm: &str) -> &'static str {
    if algorithm.starts_with("ecdsa") {
        "ecdsa"
    } else if algorithm.contains("rsa") {
        "rsa"
    } else {
        "ed25519"
    }
}

#[cfg(test)]
mod tests {
    use super::{Answer, OfferedKey, as_ssh_keygen, understand};

    fn key(fingerprint: &str) -> OfferedKey {
        OfferedKey {
            algorithm: "ssh-ed25519".to_owned(),
            fingerprint: fingerprint.to_owned(),
            public_key: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ"
                .to_owned(),
        }
    }

    #[test]
    fn yes_no_and_a_fingerprint_are_understood_and_nothing_else() {
        let keys = [key("SHA256:abc"), key("SHA256:def")];
        for (said, understood) in [
            ("yes\n", Some((Answer::Right, 0))),
            (" YES ", Some((Answer::Right, 0))),
            ("no", Some((Answer::Wrong, 0))),
            ("SHA256:def", Some((Answer::Right, 1))),
            ("256 SHA256:abc root@cp1 (ED25519)\n", Some((Answer::Right, 0))),
            ("SHA256:abd", Some((Answer::Other("SHA256:abd".to_owned()), 0))),
            ("y", None),
            ("", None),
            ("yes please", None),
        ] {
            assert_eq!(understand(said, &keys), understood, "{said:?}");
        }
    }

    #[test]
    fn a_key_is_told_as_on_the_host() {
        assert_eq!(as_ssh_keygen(&key("SHA256:abc")), "256 SHA256:abc (ED25519)");
    }
}
