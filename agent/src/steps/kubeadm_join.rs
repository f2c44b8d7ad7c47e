//! `kubeadm_join`: a worker, three-state. Outputs `ca_hash`, so that a member of another cluster can be told.

use std::path::Path;
use std::time::{Duration, Instant};

use garboard_protocol::change::Change;
use garboard_protocol::step::{KubeadmJoin, Outputs};
use garboard_protocol::{Observation, Secret};

use super::membership::{
    AUTHORITY, BOOTSTRAP_CONF, KUBELET_CONF, KUBELET_CONFIG, Note, Stage, clear, exists,
};
use super::path::failed;
use super::{Context, Entry, Kind, ProbeContext, StepError, kubeadm};
use crate::system::Look;

/// All of this is there when `kubeadm join` has ended well.
const STATE: [&str; 4] =
    [KUBELET_CONF, AUTHORITY, KUBELET_CONFIG, "/var/lib/kubelet/pki/kubelet-client-current.pem"];

/// Longest the cluster may take to notice that the kubelet of an earlier membership is gone (it counts a node as ready
/// for 50 s by default).
const STALE_NODE: Duration = Duration::from_mins(2);
/// How often that is tried: the API offers a bootstrap token nothing to watch.
const STALE_NODE_INTERVAL: Duration = Duration::from_secs(5);

impl Kind for KubeadmJoin {
    fn probe(&self, context: &ProbeContext<'_>) -> Result<Observation, StepError> {
        let stage = stage(self, context.look)?;
        Ok(match (stage.change(&self.node_name), stage) {
            (None, Stage::Done(hash)) => Observation::Converged { outputs: outputs(hash) },
            (change, _) => Observation::from_changes(change.into_iter().collect()),
        })
    }

    fn apply(&self, _changes: &[Change], context: &Context<'_>) -> Result<Outputs, StepError> {
        let system = context.system;
        match stage(self, system.look())? {
            Stage::Done(hash) => return Ok(outputs(hash)),
            Stage::Foreign(why) => {
                return Err(StepError::NeedsPerson {
                    message: format!("`{}` cannot join: {why}", self.node_name),
                    help: format!(
                        "give the host back with `garboard reset --host {}`, and run again",
                        self.node_name
                    ),
                });
            }
            // The kubelet has its identity: only the end of kubeadm is missing.
            Stage::InDoubt(_) if is_complete(self, system.look())? => {
                if exists(BOOTSTRAP_CONF, system.look())? {
                    system
                        .remove_file(Path::new(BOOTSTRAP_CONF))
                        .map_err(failed("remove", BOOTSTRAP_CONF))?;
                }
                Note::save("join", true, system)?;
                return Ok(outputs(super::membership::authority(system.look())?));
            }
            Stage::InDoubt(why) => {
                (context.progress)(&format!("{why}: removing what it made"));
                clear(context)?;
            }
            // A membership that was ended by hand leaves links, leases and caches of another pod network.
            Stage::NotStarted if Note::load(system.look())?.is_some() => clear(context)?,
            Stage::NotStarted => {}
        }
        let Some(config) = &self.config else {
            return Err(StepError::Failed {
                message: "`kubeadm join` is needed, but its configuration was not sent".to_owned(),
                help: Some("run again: the plan was made before the host's state was known".to_owned()),
            });
        };
        context.baseline.note(Entry::Member { by: "join".to_owned() })?;
        Note::save("join", false, system)?;
        join(self, config, context)?;
        Note::save("join", true, system)?;
        Ok(outputs(super::membership::authority(system.look())?))
    }
}

/// Joins; where the node of an earlier membership still counts as ready, waits until the cluster has noticed.
fn join(step: &KubeadmJoin, config: &Secret, context: &Context<'_>) -> Result<(), StepError> {
    let begun = Instant::now();
    let timeout = Duration::from_secs(step.timeout_seconds);
    loop {
        match kubeadm::run("join", &[], config, timeout, context) {
            Err(StepError::Explained { message, .. })
                if message.contains("already exists in the cluster") && begun.elapsed() < STALE_NODE =>
            {
                (context.progress)(&format!(
                    "the cluster still counts an earlier `{}` as ready; trying again for at most {} s",
                    step.node_name,
                    STALE_NODE.as_secs()
                ));
                clear(context)?;
                std::thread::park_timeout(STALE_NODE_INTERVAL);
            }
            result => return result,
        }
    }
}

fn stage(step: &KubeadmJoin, look: &dyn Look) -> Result<Stage, StepError> {
    let stage = Stage::of(&STATE, look)?;
    let Stage::Done(hash) = &stage else { return Ok(stage) };
    if let (Some(wanted), Some(found)) = (&step.ca_hash, hash)
        && wanted != found
    {
        return Ok(Stage::Foreign(format!(
            "it is a member of another cluster, whose CA is {found}, not {wanted}"
        )));
    }
    Ok(stage)
}

/// The state is whole and of the right cluster, whatever our note says.
fn is_complete(step: &KubeadmJoin, look: &dyn Look) -> Result<bool, StepError> {
    for path in STATE {
        if !exists(path, look)? {
            return Ok(false);
        }
    }
    let found = super::membership::authority(look)?;
    Ok(match &step.ca_hash {
        Some(wanted) => found.as_ref() == Some(wanted),
        None => found.is_some(),
    })
}

fn outputs(hash: Option<String>) -> Outputs {
    hash.map(|hash| ("ca_hash".to_owned(), hash)).into_iter().collect()
}
