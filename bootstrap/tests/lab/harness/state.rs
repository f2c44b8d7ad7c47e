//! States of hosts, compared.

use std::collections::BTreeMap;

use garboard_lab::hash::State;

use super::TestLab;

/// The state of each of some hosts.
pub(crate) type States = BTreeMap<String, State>;

impl TestLab {
    /// The state of every host.
    pub(crate) fn states(&self) -> States {
        self.states_of(&self.host_names())
    }

    /// The state of some hosts, taken side by side.
    pub(crate) fn states_of(&self, hosts: &[String]) -> States {
        std::thread::scope(|scope| {
            let taken: Vec<_> = hosts
                .iter()
                .map(|host| (host.clone(), scope.spawn(|| self.lab().state(host).unwrap())))
                .collect();
            taken.into_iter().map(|(host, state)| (host, state.join().unwrap())).collect()
        })
    }
}

/// Every host is as it was: its state hash is the same. Otherwise every difference is shown.
#[track_caller]
pub(crate) fn assert_same(before: &States, after: &States) {
    let mut differences = Vec::new();
    for (host, state) in after {
        let earlier = &before[host];
        if state.hash() != earlier.hash() {
            differences.extend(state.differences(earlier).into_iter().map(|line| format!("{host}: {line}")));
        }
    }
    let count = differences.len();
    differences.truncate(60);
    assert!(count == 0, "{count} differences:\n{}", differences.join("\n"));
}
