//! Which resource a kind is: asked of the server once a group and version.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use kube::core::{GroupVersion, GroupVersionKind};
use kube::discovery::{ApiCapabilities, ApiGroup, ApiResource};
use tokio::sync::OnceCell;

use super::Cluster;
use super::ask::ask;
use super::error::ClusterError;

type Cell = Arc<OnceCell<ApiGroup>>;

/// What was learnt so far.
#[derive(Default)]
pub(super) struct Discovered {
    groups: Mutex<HashMap<String, Cell>>,
}

impl Discovered {
    fn cell(&self, api_version: &str) -> Cell {
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(groups.entry(api_version.to_owned()).or_default())
    }

    /// Forgets a group and version, because a CRD has just added to it.
    pub(super) fn forget(&self, api_version: &str) {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner).remove(api_version);
    }
}

impl Cluster {
    /// The resource of a kind, `None` when the server knows no such kind.
    pub(super) async fn resource(
        &self,
        kind: &GroupVersionKind,
    ) -> Result<Option<(ApiResource, ApiCapabilities)>, ClusterError> {
        let api_version = kind.api_version();
        let cell = self.discovered.cell(&api_version);
        let group = GroupVersion::gv(&kind.group, &kind.version);
        let asked = format!("ask for the kinds of `{api_version}`");
        let found = cell
            .get_or_try_init(|| ask(&asked, || kube::discovery::pinned_group(&self.client, &group)))
            .await;
        match found {
            Ok(found) => Ok(found
                .versioned_resources(&kind.version)
                .into_iter()
                .find(|(resource, _)| resource.kind == kind.kind)),
            Err(ClusterError::Refused { code: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
