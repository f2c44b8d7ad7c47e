//! Signals: the only edges between hosts. A step gives one, others wait for it; one that cannot come any more is lost,
//! and whoever waits for it stops with the reason.

use std::collections::{BTreeMap, BTreeSet};

use garboard_protocol::step::Outputs;
use tokio::sync::watch;

/// What was given and what was lost so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Given {
    signals: BTreeMap<String, Outputs>,
    lost: BTreeMap<String, String>,
    failed_hosts: BTreeSet<String>,
}

impl Given {
    /// The outputs of each signal given so far.
    pub(super) fn signals(&self) -> &BTreeMap<String, Outputs> {
        &self.signals
    }

    /// As the playbooks' late steps take them.
    pub(super) fn for_late(&self) -> garboard_playbooks::Signals {
        let mut signals = garboard_playbooks::Signals::new();
        for (name, outputs) in &self.signals {
            signals.give(name, outputs.clone());
        }
        signals
    }

    /// Whether all of these were given.
    pub(super) fn has_all(&self, names: &[String]) -> bool {
        names.iter().all(|name| self.signals.contains_key(name))
    }

    fn first_lost(&self, names: &[String]) -> Option<Lost> {
        names.iter().find_map(|name| {
            let because = self.lost.get(name)?;
            Some(Lost { signal: name.clone(), because: because.clone() })
        })
    }
}

/// A signal that will not come.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it waits for `{signal}`, which will not come: {because}")]
pub(super) struct Lost {
    /// Its name.
    pub signal: String,
    /// Why.
    pub because: String,
}

/// All signals of a run; cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Signals {
    sender: watch::Sender<Given>,
}

impl Signals {
    /// Gives a signal. A second giving keeps the first outputs.
    pub(super) fn give(&self, name: &str, outputs: Outputs) {
        self.sender.send_modify(|given| {
            given.signals.entry(name.to_owned()).or_insert(outputs);
        });
    }

    /// Says that these signals will not come, unless they were given already.
    pub(super) fn lose(&self, names: &BTreeSet<String>, because: &str) {
        self.sender.send_modify(|given| {
            for name in names {
                if !given.signals.contains_key(name) {
                    given.lost.entry(name.clone()).or_insert_with(|| because.to_owned());
                }
            }
        });
    }

    /// Says that a host's chain has failed: nobody should wait for its node.
    pub(super) fn fail(&self, host: &str) {
        self.sender.send_modify(|given| {
            given.failed_hosts.insert(host.to_owned());
        });
    }

    /// The hosts whose chains have failed so far.
    pub(super) fn failed_hosts(&self) -> BTreeSet<String> {
        self.sender.borrow().failed_hosts.clone()
    }

    /// Returns once more hosts than `known` have failed.
    pub(super) async fn further_failure(&self, known: &BTreeSet<String>) {
        let mut receiver = self.sender.subscribe();
        if receiver.wait_for(|given| given.failed_hosts.len() > known.len()).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Those of `names` that were not given yet.
    pub(super) fn missing(&self, names: &[String]) -> Vec<String> {
        let given = self.sender.borrow();
        names.iter().filter(|name| !given.signals.contains_key(*name)).cloned().collect()
    }

    /// Returns once all of `names` were given, or one of them is lost.
    pub(super) async fn wait(&self, names: &[String]) -> Result<Given, Lost> {
        let mut receiver = self.sender.subscribe();
        let settled =
            receiver.wait_for(|given| given.has_all(names) || given.first_lost(names).is_some()).await;
        let given = settled.map(|given| given.clone()).unwrap_or_default();
        match given.first_lost(names) {
            Some(lost) => Err(lost),
            None => Ok(given),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use garboard_protocol::step::Outputs;

    use super::Signals;

    #[tokio::test]
    async fn a_waiter_gets_the_outputs_of_a_signal_given_before_or_after() {
        let signals = Signals::default();
        let early = tokio::spawn({
            let signals = signals.clone();
            async move { signals.wait(&["api".to_owned()]).await }
        });
        tokio::task::yield_now().await;
        signals.give("api", Outputs::from([("ca_hash".to_owned(), "sha256:a".to_owned())]));
        let early = early.await.unwrap().unwrap();
        let late = signals.wait(&["api".to_owned()]).await.unwrap();
        assert_eq!(early.signals()["api"]["ca_hash"], "sha256:a");
        assert_eq!(early, late);
    }

    #[tokio::test]
    async fn a_lost_signal_frees_its_waiters_with_the_reason() {
        let signals = Signals::default();
        signals.lose(&BTreeSet::from(["api".to_owned()]), "cp1 failed");
        let lost = signals.wait(&["api".to_owned()]).await.unwrap_err();
        assert_eq!(lost.to_string(), "it waits for `api`, which will not come: cp1 failed");
    }

    #[tokio::test]
    async fn what_was_given_cannot_be_lost() {
        let signals = Signals::default();
        signals.give("api", Outputs::new());
        signals.lose(&BTreeSet::from(["api".to_owned()]), "cp1 failed");
        assert!(signals.wait(&["api".to_owned()]).await.is_ok());
    }
}
