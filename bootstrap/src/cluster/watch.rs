//! Waiting for something in the cluster: a list, then a watch, until nothing is lacking or the deadline has passed.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::Duration;

use futures::{StreamExt as _, pin_mut};
use kube::api::Api;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::Cluster;
use super::ask::explain;
use super::error::ClusterError;

impl Cluster {
    /// Waits until `lacking` finds nothing lacking in one object (`None`: it is not there).
    pub(super) async fn until<K>(
        &self,
        api: Api<K>,
        name: &str,
        awaited: &str,
        deadline: Duration,
        lacking: impl Fn(Option<&K>) -> Vec<String>,
    ) -> Result<(), ClusterError>
    where
        K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
    {
        let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
        let of_one = |objects: &BTreeMap<String, K>| lacking(objects.get(name));
        self.until_all(api, config, awaited, deadline, of_one, |_| ()).await
    }

    /// Waits until `lacking` finds nothing lacking among the objects, by name. `on_progress` gets what is lacking each
    /// time that changes.
    pub(super) async fn until_all<K>(
        &self,
        api: Api<K>,
        config: watcher::Config,
        awaited: &str,
        deadline: Duration,
        lacking: impl Fn(&BTreeMap<String, K>) -> Vec<String>,
        on_progress: impl Fn(&[String]),
    ) -> Result<(), ClusterError>
    where
        K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
    {
        let mut told = Vec::new();
        // The watcher lists again and goes on after a broken connection, with pauses.
        let events = watcher(api, config).default_backoff();
        let watching = async {
            pin_mut!(events);
            let mut objects = BTreeMap::new();
            let mut listed = false;
            while let Some(event) = events.next().await {
                match event {
                    Ok(Event::Init) => {
                        objects.clear();
                        listed = false;
                        continue;
                    }
                    Ok(Event::InitApply(object) | Event::Apply(object)) => {
                        objects.insert(object.name_any(), object);
                    }
                    Ok(Event::Delete(object)) => drop(objects.remove(&object.name_any())),
                    Ok(Event::InitDone) => listed = true,
                    Err(error) => {
                        refused(awaited, error)?;
                        continue;
                    }
                }
                if !listed {
                    continue;
                }
                let now = lacking(&objects);
                if now.is_empty() {
                    return Ok(());
                }
                if now != told {
                    on_progress(&now);
                    told = now;
                }
            }
            Ok(())
        };
        if let Ok(ended) = timeout(deadline, watching).await {
            return ended;
        }
        if told.is_empty() {
            told.push("the API server gave no list".to_owned());
        }
        Err(ClusterError::Deadline {
            awaited: awaited.to_owned(),
            seconds: deadline.as_secs(),
            lacking: told,
        })
    }
}

/// An error that waiting does not mend.
fn refused(awaited: &str, error: watcher::Error) -> Result<(), ClusterError> {
    let (watcher::Error::InitialListFailed(error) | watcher::Error::WatchStartFailed(error)) = error else {
        return Ok(());
    };
    let asked = format!("wait for {awaited}");
    match explain(&asked, error) {
        error @ (ClusterError::Certificate { .. } | ClusterError::Refused { code: 401 | 403, .. }) => {
            Err(error)
        }
        error => {
            tracing::debug!(%error, "watching again");
            Ok(())
        }
    }
}
