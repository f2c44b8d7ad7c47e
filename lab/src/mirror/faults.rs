//! What goes wrong on purpose. The keys are parts of a request's path: a file's name, a digest, or nothing for all.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU64;

use serde::{Deserialize, Serialize};

/// Faults by a part of the path they apply to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Serve the content with one bit turned over: its number, counted from the start (modulo the length).
    pub flip_bit: BTreeMap<String, u64>,
    /// Break the connection after so many bytes of the content.
    pub truncate: BTreeMap<String, u64>,
    /// Serve a web page and status 200 instead, as captive portals do.
    pub html: BTreeSet<String>,
    /// Serve slowly: bytes per second.
    pub slow: BTreeMap<String, NonZeroU64>,
}

/// The faults that apply to one answer with content.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) flip_bit: Option<u64>,
    pub(super) truncate: Option<u64>,
    pub(super) html: bool,
    pub(super) bytes_per_second: Option<NonZeroU64>,
}

impl Faults {
    /// Those that apply to a path.
    pub(super) fn of(&self, path: &str) -> Fault {
        Fault {
            flip_bit: first(&self.flip_bit, path),
            truncate: first(&self.truncate, path),
            html: self.html.iter().any(|part| path.contains(part.as_str())),
            bytes_per_second: first(&self.slow, path),
        }
    }
}

fn first<T: Copy>(by_part: &BTreeMap<String, T>, path: &str) -> Option<T> {
    by_part.iter().find(|(part, _)| path.contains(part.as_str())).map(|(_, value)| *value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_applies_where_its_part_of_the_path_stands() {
        let faults: Faults =
            serde_json::from_str(r#"{"flip_bit": {"kubeadm": 9}, "slow": {"": 5}}"#).unwrap();
        let kubeadm = faults.of("/dl.k8s.io/kubeadm");
        assert_eq!((kubeadm.flip_bit, kubeadm.bytes_per_second), (Some(9), NonZeroU64::new(5)));
        assert_eq!(faults.of("/dl.k8s.io/kubelet").flip_bit, None);
    }

    #[test]
    fn a_misspelt_fault_is_refused() {
        assert!(serde_json::from_str::<Faults>(r#"{"flip": {}}"#).is_err());
    }
}
