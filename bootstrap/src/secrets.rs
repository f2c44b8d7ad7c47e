//! Secrets of one run: each is fetched when it is first needed, and once, however many hosts need it.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use garboard_inventory::{Secret, SecretError, SecretReference};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::sync::OnceCell;

use crate::person::Person;
pub use crate::person::Terminal;

/// From here on a crash of this process leaves no core, and nobody but root may look into its memory. The hard limit stays:
/// what this process starts may be the user's own.
pub fn keep_to_this_process() -> io::Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_CORE)?;
    setrlimit(Resource::RLIMIT_CORE, 0, hard)?;
    // A core that is piped to a program knows no limit. Elsewhere there is no such switch.
    #[cfg(target_os = "linux")]
    nix::sys::prctl::set_dumpable(false)?;
    Ok(())
}

/// Why a secret could not be had. None of these carries any part of it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SecretFault {
    /// From its source.
    #[error(transparent)]
    Source(#[from] Arc<SecretError>),
    /// Nobody typed it.
    #[error("no answer came from the terminal")]
    Terminal(#[source] Arc<io::Error>),
    /// Nothing says where it is, and nobody can be asked.
    #[error("nothing says where to find it, and there is no terminal to ask at")]
    Nowhere,
    /// What was found cannot be typed at a prompt.
    #[error("it holds a line break, and a prompt takes one line")]
    SeveralLines,
}

type Slot = Arc<OnceCell<Result<Secret, SecretFault>>>;

/// The secrets of one run.
#[derive(Default)]
pub struct Secrets {
    person: Option<Arc<Person>>,
    referred: Mutex<HashMap<SecretReference, Slot>>,
    answered: Mutex<HashMap<String, Slot>>,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Secrets").field("person", &self.person.is_some()).finish_non_exhaustive()
    }
}

impl Secrets {
    /// Where nothing else says where a secret is, this person is asked, if there is one.
    pub fn with_person(person: Option<Arc<Person>>) -> Self {
        Self { person, ..Self::default() }
    }

    /// The same with a person at this terminal.
    pub fn with_terminal(terminal: Arc<dyn Terminal>) -> Self {
        Self::with_person(Some(Arc::new(Person::at(terminal))))
    }

    /// Whether there is a way to have it.
    pub fn can_have(&self, reference: Option<&SecretReference>) -> bool {
        reference.is_some() || self.person.is_some()
    }

    /// The secret: from its source, or else the answer to `question`, which is asked once.
    pub async fn get(
        &self,
        reference: Option<&SecretReference>,
        question: &str,
    ) -> Result<Secret, SecretFault> {
        let secret = if let Some(reference) = reference {
            let slot = slot(&self.referred, reference);
            slot.get_or_init(|| fetch(reference.clone())).await.clone()
        } else {
            let person = self.person.as_ref().ok_or(SecretFault::Nowhere)?;
            let slot = slot(&self.answered, question);
            slot.get_or_init(|| ask(person, question.to_owned())).await.clone()
        }?;
        if secret.expose().contains(['\n', '\r']) { Err(SecretFault::SeveralLines) } else { Ok(secret) }
    }

    /// Whoever is asked need not answer any more, and nobody else is asked.
    pub fn give_up(&self) {
        if let Some(person) = &self.person {
            person.give_up();
        }
    }

    /// The terminal is as it was before anybody was asked.
    pub fn restore_terminal(&self) {
        if let Some(person) = &self.person {
            person.restore_terminal();
        }
    }
}

async fn ask(person: &Person, question: String) -> Result<Secret, SecretFault> {
    person.ask(question).await.map_err(|error| SecretFault::Terminal(Arc::new(error)))
}

/// A program that prints the secret may take its time, or ask its user.
async fn fetch(reference: SecretReference) -> Result<Secret, SecretFault> {
    match tokio::task::spawn_blocking(move || reference.resolve()).await {
        Ok(resolved) => resolved.map_err(|error| SecretFault::Source(Arc::new(error))),
        Err(error) => Err(SecretFault::Terminal(Arc::new(io::Error::other(error)))),
    }
}

fn slot<K, Q>(slots: &Mutex<HashMap<K, Slot>>, key: &Q) -> Slot
where
    K: std::borrow::Borrow<Q> + std::hash::Hash + Eq,
    Q: std::hash::Hash + Eq + ToOwned<Owned = K> + ?Sized,
{
    let mut slots = slots.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(slot) = slots.get(key) {
        return Arc::clone(slot);
    }
    let slot = Slot::default();
    slots.insert(key.to_owned(), Arc::clone(&slot));
    slot
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::future::join_all;
    use garboard_inventory::{Secret, SecretReference};

    use super::{SecretFault, Secrets, Terminal};

    #[derive(Default)]
    struct Person {
        asked: AtomicUsize,
        at_once: AtomicUsize,
    }

    impl Terminal for Person {
        fn ask(&self, question: &str) -> io::Result<Secret> {
            assert_eq!(self.at_once.fetch_add(1, Ordering::SeqCst), 0, "two questions at once");
            self.asked.fetch_add(1, Ordering::SeqCst);
            let answer = Secret::new(format!("the answer to {question}"));
            self.at_once.fetch_sub(1, Ordering::SeqCst);
            Ok(answer)
        }
    }

    #[tokio::test]
    async fn a_person_is_asked_each_question_once() {
        let person = Arc::new(Person::default());
        let secrets = Secrets::with_terminal(person.clone());
        let answers = join_all((0..8).map(|host| {
            let question = if host % 2 == 0 { "even" } else { "odd" };
            let secrets = &secrets;
            async move { secrets.get(None, question).await.unwrap().expose().to_owned() }
        }));
        let answers = answers.await;
        assert_eq!((answers[0].as_str(), answers[7].as_str()), ("the answer to even", "the answer to odd"));
        assert_eq!(person.asked.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn a_program_that_prints_a_secret_runs_once_also_when_it_fails() {
        let folder = tempfile::tempdir().unwrap();
        for (script, good) in [("echo x >>$0.ran; echo secret", true), ("echo x >>$0.ran; exit 1", false)] {
            let program = folder.path().join(if good { "good" } else { "bad" });
            fs_err::write(&program, script).unwrap();
            let words = ["sh", program.to_str().unwrap()].map(str::to_owned).to_vec();
            let (secrets, reference) = (Secrets::default(), SecretReference::Command(words));
            let got = join_all((0..5).map(|_| secrets.get(Some(&reference), ""))).await;
            assert!(got.iter().all(|one| one.is_ok() == good), "{got:?}");
            let ran = fs_err::read_to_string(program.with_extension("ran")).unwrap();
            assert_eq!(ran, "x\n");
        }
    }

    #[tokio::test]
    async fn without_a_terminal_nobody_is_asked_and_two_lines_are_refused() {
        let secrets = Secrets::default();
        assert!(!secrets.can_have(None));
        assert!(matches!(secrets.get(None, "?").await, Err(SecretFault::Nowhere)));
        let words = ["printf", "one\\ntwo"].map(str::to_owned).to_vec();
        let two = secrets.get(Some(&SecretReference::Command(words)), "").await;
        assert!(matches!(two, Err(SecretFault::SeveralLines)), "{two:?}");
    }
}
