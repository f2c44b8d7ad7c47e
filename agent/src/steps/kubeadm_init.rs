//! `kubeadm_init`: the first control plane, three-state. Outputs `ca_hash`.

use std::time::Duration;

use garboard_protocol::Observation;
use garboard_protocol::change::Change;
use garboard_protocol::step::{KubeadmInit, Outputs};

use super::membership::{AUTHORITY, KUBELET_CONF, KUBELET_CONFIG, Note, Stage, authority, clear};
use super::{Context, Entry, Kind, ProbeContext, StepError, kubeadm};

/// All of this is there when `kubeadm init` has ended well.
const STATE: [&str; 9] = [
    KUBELET_CONF,
    "/etc/kubernetes/admin.conf",
    AUTHORITY,
    KUBELET_CONFIG,
    "/var/lib/etcd/member",
    "/etc/kubernetes/manifests/etcd.yaml",
    "/etc/kubernetes/manifests/kube-apiserver.yaml",
    "/etc/kubernetes/manifests/kube-controller-manager.yaml",
    "/etc/kubernetes/manifests/kube-scheduler.yaml",
];

impl Kind for KubeadmInit {
    fn probe(&self, context: &ProbeContext<'_>) -> Result<Observation, StepError> {
        let stage = Stage::of(&STATE, context.look)?;
        Ok(match (stage.change(&self.node_name), stage) {
            (None, Stage::Done(hash)) => Observation::Converged { outputs: outputs(hash) },
            (change, _) => Observation::from_changes(change.into_iter().collect()),
        })
    }

    fn apply(&self, _changes: &[Change], context: &Context<'_>) -> Result<Outputs, StepError> {
        let system = context.system;
        let stage = Stage::of(&STATE, system.look())?;
        if let Stage::Done(hash) = stage {
            return Ok(outputs(hash));
        }
        let Some(config) = &self.config else {
            return Err(StepError::Failed {
                message: "`kubeadm init` is needed, but its configuration was not sent".to_owned(),
                help: Some("run again: the plan was made before the host's state was known".to_owned()),
            });
        };
        match stage {
            Stage::Foreign(why) => {
                return Err(StepError::NeedsPerson {
                    message: format!("`{}` is no new control plane: {why}", self.node_name),
                    help: format!(
                        "bring the missing files back, or give the host back with `garboard reset --host {}` \
                         (its cluster is then gone), and run again",
                        self.node_name
                    ),
                });
            }
            Stage::InDoubt(why) => {
                (context.progress)(&format!("{why}: removing what it made"));
                clear(context)?;
            }
            // A membership that was ended by hand leaves links, leases and caches of another pod network.
            _ if Note::load(system.look())?.is_some() => clear(context)?,
            _ => {}
        }
        context.baseline.note(Entry::Member { by: "init".to_owned() })?;
        Note::save("init", false, system)?;
        let options = ["--skip-token-print", "--skip-certificate-key-print"];
        kubeadm::run("init", &options, config, Duration::from_secs(self.timeout_seconds), context)?;
        let hash = authority(system.look())?;
        if hash.is_none() {
            return Err(StepError::Failed {
                message: format!("`kubeadm init` ended well, but `{AUTHORITY}` holds no certificate"),
                help: None,
            });
        }
        Note::save("init", true, system)?;
        Ok(outputs(hash))
    }
}

fn outputs(hash: Option<String>) -> Outputs {
    hash.map(|hash| ("ca_hash".to_owned(), hash)).into_iter().collect()
}
