//! Playbooks on the laptop: read, checked and rendered into what the agent and the cluster client understand.
//!
//! # Shape
//!
//! files → tree with places (`yaml`) → [`Playbook`]s with compiled templates (`parse`, `template`) → checks that need
//! no host (`check`) → with inventory, facts and lock, chains of [`PlannedStep`]s (`render`). All of it is pure but `folder`,
//! which reads the playbooks of the user's own.
//!
//! The shipped playbooks lie beside this crate's `src`, one folder each; [`shipped`] has them built in. What their keys
//! mean is told in `docs/playbooks.md`. Those of the user's own join them: [`site`].

mod acme_dns;
mod artifact;
mod check;
mod ddns;
mod diagnostic;
mod file;
mod folder;
mod ingress;
mod lacking;
mod late;
mod needs;
mod openvpn;
mod own;
mod parse;
mod patience;
mod plan;
mod playbook;
mod render;
mod schema;
mod serving;
mod shipped;
mod template;
mod yaml;

pub use artifact::{Artifacts, CARRIED, FILES, IMAGES};
pub use ddns::{DDNS, DdnsMaterial};
pub use garboard_inventory::{Diagnostic, Diagnostics};
pub use ingress::IngressMaterial;
pub use lacking::{Lacking, Pinned};
pub use late::{Ephemeral, Late, LateError, Signals};
pub use needs::Needs;
pub use openvpn::{OPENVPN, VpnMaterial};
pub use own::site;
pub use patience::patience;
pub use plan::{ClusterStep, PlannedClusterStep, PlannedStep, Rendered, Workload, WorkloadKind};
pub use playbook::{Playbook, Selector};
pub use render::{Inputs, RenderError, node_address};
pub use schema::schema;
pub use serving::{Certificate, ServingMaterial};
pub use shipped::shipped;

/// The signal nobody gives but the tool itself, once the cluster client has reached the API. Outputs: `ca_hash`, `uid`
/// (of the namespace `kube-system`).
pub const CLUSTER_SIGNAL: &str = "cluster";

/// All playbooks of a cluster.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Site {
    /// In the order of `site.yaml`, then those of the user's own in the order of the inventory.
    pub playbooks: Vec<Playbook>,
    pub(crate) files: file::Files,
    pub(crate) templates: template::Templates,
}
