//! What upstream has not for an architecture.

use std::collections::BTreeMap;

use crate::store::StoreError;

/// Files and images that cannot be had for an architecture, by name and architecture, with the reason. Whether a host
/// needs one of them is another's question.
#[derive(Debug, Clone, Default)]
pub struct Absent(BTreeMap<(String, String), StoreError>);

impl Absent {
    /// Whether the error says that something is not there for an architecture, rather than that it could not be asked.
    pub(super) fn explains(error: &StoreError) -> bool {
        match error {
            StoreError::Platform { .. } | StoreError::Mislabelled { .. } => true,
            StoreError::Status { status, .. } => status.starts_with("404 "),
            _ => false,
        }
    }

    /// Notes one.
    pub(crate) fn add(&mut self, name: &str, architecture: &str, because: StoreError) {
        self.0.insert((name.to_owned(), architecture.to_owned()), because);
    }

    /// Adds those of another look.
    pub(super) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Why the file or image of this name cannot be had for the architecture.
    pub fn because(&self, name: &str, architecture: &str) -> Option<&StoreError> {
        self.0.get(&(name.to_owned(), architecture.to_owned()))
    }
}
