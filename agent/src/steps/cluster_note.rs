//! `cluster_note`: which cluster this host belongs to, in our own folder.

use garboard_protocol::Observation;
use garboard_protocol::change::{Change, Field};
use garboard_protocol::step::{ClusterId, ClusterNote, Outputs};
use std::path::Path;

use super::path::failed;
use super::{Context, Kind, ProbeContext, StepError};

/// The note. It lies in the folder that reset removes as a whole, so it needs no baseline entry.
pub(crate) const PATH: &str = "/var/lib/garboard/cluster.json";

impl Kind for ClusterNote {
    fn probe(&self, context: &ProbeContext<'_>) -> Result<Observation, StepError> {
        let text = context.look.read_text(Path::new(PATH)).map_err(failed("read", PATH))?;
        // A note that cannot be read is no note: it is written anew.
        let found: Option<ClusterId> = text.and_then(|text| serde_json::from_str(&text).ok());
        if found.as_ref() == Some(&self.cluster) {
            return Ok(Observation::converged());
        }
        let change = Change::new(PATH, Field::Value, found.as_ref().map(shown), Some(shown(&self.cluster)));
        Ok(Observation::from_changes(vec![change]))
    }

    fn apply(&self, _changes: &[Change], context: &Context<'_>) -> Result<Outputs, StepError> {
        let text = serde_json::to_vec(&self.cluster).map_err(|error| StepError::Failed {
            message: format!("cannot write the cluster note as JSON: {error}"),
            help: None,
        })?;
        context.system.write(Path::new(PATH), &text, 0o600).map_err(failed("write", PATH))?;
        Ok(Outputs::new())
    }
}

fn shown(cluster: &ClusterId) -> String {
    format!("{} ({}, kube-system {})", cluster.name, cluster.ca_hash, cluster.uid)
}
