//! The client of the Kubernetes API, through the leader's session.

use std::sync::Arc;

use futures::FutureExt as _;

use super::Run;
use crate::cluster::{ByteStream, Cluster, ClusterError};
use crate::problem::{Exit, Problem};
use crate::session::Session;

/// Where a control plane serves the API for itself.
const API_ADDRESS: &str = "127.0.0.1:6443";

impl Run {
    /// A client of the API, through the leader's session, with the credentials its agent hands over.
    pub(super) async fn connect_cluster(
        &self,
        leader: &str,
        session: Option<&Session>,
        ca_hash: Option<&str>,
    ) -> Result<Cluster, Problem> {
        let Some(session) = session else {
            return Err(Problem::new(Exit::Failed, "the control plane was not reached").host(leader));
        };
        let credentials = session.admin().await.map_err(|error| error.problem(leader))?;
        let piped = session.clone();
        let opener: crate::cluster::Opener = Arc::new(move || {
            let session = piped.clone();
            async move {
                let pipe = session.pipe(API_ADDRESS).await.map_err(std::io::Error::other)?;
                Ok(Box::new(pipe) as Box<dyn ByteStream>)
            }
            .boxed()
        });
        let name = &self.inventory().cluster.endpoint.host;
        Cluster::connect(opener, &credentials, name, ca_hash).map_err(|error| failed(&error).host(leader))
    }
}

/// The API did not do what was asked.
pub(super) fn failed(error: &ClusterError) -> Problem {
    Problem::from_error(Exit::Failed, error)
}
