//! The orderly end of sessions, and what the laptop keeps.

use futures::future::join_all;
use garboard_protocol::step::ClusterId;

use super::{Reached, Run};
use crate::kubeconfig::Kubeconfig;
use crate::membership::Membership;
use crate::problem::{Ended, Exit, Problem};
use crate::session::{Session, SessionError};

impl Run {
    /// Ends all sessions; a host that was asked for and did not answer keeps the run from being done.
    pub async fn end(&self, reached: Reached, changes: u64) -> Result<u64, Ended> {
        self.part(&reached).await;
        if reached.problems.is_empty() { Ok(changes) } else { Err(Ended::Said(Exit::Failed)) }
    }

    /// The agents leave. One that is gone already has left.
    pub(crate) async fn part(&self, _reached: &Reached) {
        self.part_all().await;
    }

    pub(crate) async fn part_all(&self) {
        let sessions = self.forget_sessions();
        let ends = sessions.iter().map(Session::end);
        for ended in join_all(ends).await {
            if let Err(error) = ended
                && !matches!(error, SessionError::Closed { .. })
            {
                tracing::debug!("an agent did not say goodbye: {error}");
            }
        }
    }

    /// Lets go of the sessions; the agents stay if nobody tells them otherwise.
    pub(super) fn forget_sessions(&self) -> Vec<Session> {
        self.handle.sessions.lock().map(|mut sessions| std::mem::take(&mut *sessions)).unwrap_or_default()
    }

    /// The cluster this laptop made, if it made one.
    pub(crate) fn known_cluster(&self) -> Result<Option<ClusterId>, Problem> {
        self.state.cluster_id().map_err(|error| Problem::from_error(Exit::Failed, &error))
    }

    /// Remembers who the cluster is.
    pub(super) fn remember(&self, id: &ClusterId) -> Result<(), Problem> {
        self.state.remember_cluster(id).map_err(|error| Problem::from_error(Exit::Failed, &error))
    }

    pub(crate) fn known_hosts_path(&self) -> std::path::PathBuf {
        self.state.known_hosts_path()
    }

    /// Writes the cluster's kubeconfig into the state folder, unless it is the same already.
    pub async fn write_kubeconfig(&self, reached: &Reached, membership: &Membership) -> Result<(), Ended> {
        let Some(leader) = reached.hosts.get(&membership.leader) else { return Ok(()) };
        let host = self.inventory().hosts.iter().find(|host| host.name == membership.leader);
        let Some(host) = host else { return Ok(()) };
        let credentials = leader.session.admin().await.map_err(|error| error.problem(&membership.leader))?;
        let server = format!("https://{}:6443", host.address);
        let own = Kubeconfig::of(&self.inventory().cluster.name, &server, &credentials);
        let written = self
            .state
            .write_kubeconfig(&own.to_text())
            .map_err(|error| Problem::from_error(Exit::Failed, &error))?;
        if written {
            self.note(&format!(
                "kubeconfig: {} (`garboard kubeconfig` merges it into yours)",
                self.state.kubeconfig_path().display()
            ));
        }
        Ok(())
    }

    /// The kubeconfig of the state folder.
    pub fn kubeconfig(&self) -> Result<Option<String>, Problem> {
        self.state.kubeconfig().map_err(|error| Problem::from_error(Exit::Failed, &error))
    }

    /// Merges the cluster's context into a file of the user's; the old file is kept beside it.
    pub fn merge_kubeconfig(&self, own: &str, target: &std::path::Path) -> Result<(), Problem> {
        let merged = crate::kubeconfig::merge_into(target, own)
            .map_err(|error| Problem::from_error(Exit::Failed, &error))?;
        match merged {
            crate::kubeconfig::Merged::Unchanged => {
                self.note(&format!("`{}` has the context already", target.display()));
            }
            crate::kubeconfig::Merged::Written { kept } => {
                let name = &self.inventory().cluster.name;
                self.note(&format!("context `{name}` is in `{}`", target.display()));
                if let Some(kept) = kept {
                    self.note(&format!("the file as it was: `{}`", kept.display()));
                }
            }
        }
        Ok(())
    }
}
