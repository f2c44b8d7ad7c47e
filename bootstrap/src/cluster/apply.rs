//! Manifests by server-side apply. The server's dry run says first what would change, so that nothing is written when
//! nothing would.

use std::time::Duration;

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use garboard_protocol::Change;
use garboard_protocol::change::Field;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use kube::core::discovery::Scope;
use serde_json::Value;

use super::ask::ask;
use super::document::{Document, Stage, in_order};
use super::error::ClusterError;
use super::{Cluster, FIELD_MANAGER, difference};

/// Documents compared or applied at the same time; more would only wait for a connection.
const AT_A_TIME: usize = 4;
/// Until the server serves a new kind.
const NEW_KIND: Duration = Duration::from_secs(30);

impl Cluster {
    /// What [`Cluster::apply`] would change; writes nothing.
    pub async fn differs(&self, documents: &[Value]) -> Result<Vec<Change>, ClusterError> {
        let documents = in_order(documents)?;
        let all = &documents;
        let compared = stream::iter(all).map(|document| async move {
            match self.compare(document).await {
                // Its kind comes with the same manifest.
                Err(ClusterError::Kind { .. }) if defined(all, document) => Ok(vec![absent(document)]),
                compared => compared,
            }
        });
        let changes: Vec<Vec<Change>> = compared.buffered(AT_A_TIME).try_collect().await?;
        Ok(changes.into_iter().flatten().collect())
    }

    /// Applies the documents, namespaces and definitions first, and gives what was changed; what is right already is
    /// not written. Fields another manager holds are taken over.
    pub async fn apply(&self, documents: &[Value]) -> Result<Vec<Change>, ClusterError> {
        let documents = in_order(documents)?;
        let mut changes = Vec::new();
        for stage in [Stage::Namespace, Stage::Definition, Stage::Object] {
            let of_stage = stream::iter(documents.iter().filter(|document| document.stage() == stage));
            let mut applied = of_stage.map(|document| self.apply_one(document)).buffered(AT_A_TIME);
            while let Some(made) = applied.try_next().await? {
                changes.extend(made);
            }
        }
        Ok(changes)
    }

    async fn apply_one(&self, document: &Document) -> Result<Vec<Change>, ClusterError> {
        let changes = self.compare(document).await?;
        if changes.is_empty() {
            return Ok(changes);
        }
        let api = self.api(document).await?;
        let parameters = PatchParams::apply(FIELD_MANAGER).force().validation_strict();
        let patch = Patch::Apply(&document.value);
        let asked = format!("apply {}", document.title());
        ask(&asked, || api.patch(&document.name, &parameters, &patch)).await?;
        if document.stage() == Stage::Definition {
            self.served(document).await?;
        }
        Ok(changes)
    }

    /// The changes one document would make.
    async fn compare(&self, document: &Document) -> Result<Vec<Change>, ClusterError> {
        let api = self.api(document).await?;
        let title = document.title();
        let asked = format!("read {title}");
        let Some(live) = ask(&asked, || api.get_opt(&document.name)).await? else {
            return Ok(vec![absent(document)]);
        };
        let parameters = PatchParams::apply(FIELD_MANAGER).force().validation_strict().dry_run();
        let patch = Patch::Apply(&document.value);
        let asked = format!("try out {title}");
        let preview = ask(&asked, || api.patch(&document.name, &parameters, &patch)).await?;
        let value = |object: &DynamicObject| {
            serde_json::to_value(object).map_err(|error| ClusterError::Answer {
                asked: asked.clone(),
                found: format!("something that is no JSON ({error})"),
            })
        };
        Ok(difference::difference(&title, &value(&live)?, &value(&preview)?))
    }

    /// The interface to a document's kind, in its namespace.
    async fn api(&self, document: &Document) -> Result<Api<DynamicObject>, ClusterError> {
        let found = self.resource(&document.kind).await?;
        let (resource, capabilities) = found.ok_or_else(|| ClusterError::Kind {
            kind: document.kind.kind.clone(),
            api_version: document.kind.api_version(),
        })?;
        let client = self.client.clone();
        Ok(match (capabilities.scope, document.namespace.as_deref()) {
            (Scope::Cluster, _) => Api::all_with(client, &resource),
            (Scope::Namespaced, Some(namespace)) => Api::namespaced_with(client, namespace, &resource),
            (Scope::Namespaced, None) => Api::default_namespaced_with(client, &resource),
        })
    }

    /// Waits until the server serves the kind a definition has just defined.
    async fn served(&self, definition: &Document) -> Result<(), ClusterError> {
        let api: Api<CustomResourceDefinition> = Api::all(self.client.clone());
        let title = definition.title();
        self.until(api, &definition.name, &format!("{title} to be served"), NEW_KIND, |found| {
            let conditions = found.and_then(|crd| crd.status.as_ref()?.conditions.as_ref());
            let established = conditions.is_some_and(|conditions| {
                conditions.iter().any(|one| one.type_ == "Established" && one.status == "True")
            });
            if established { Vec::new() } else { vec![format!("{title}: not established")] }
        })
        .await?;
        if let Some((group, _)) = definition.defines() {
            let versions = definition.value.pointer("/spec/versions").and_then(Value::as_array);
            let names = versions.into_iter().flatten().filter_map(|version| version.get("name")?.as_str());
            names.for_each(|version| self.discovered.forget(&format!("{group}/{version}")));
        }
        Ok(())
    }
}

fn absent(document: &Document) -> Change {
    Change::new(document.title(), Field::Kind, None, Some(document.kind.kind.clone()))
}

/// Whether a definition among `documents` makes this one's kind.
fn defined(documents: &[Document], document: &Document) -> bool {
    let kind = (document.kind.group.as_str(), document.kind.kind.as_str());
    documents.iter().any(|other| other.defines() == Some(kind))
}
