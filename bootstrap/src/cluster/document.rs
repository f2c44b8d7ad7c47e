//! Objects of a manifest, and the order in which they are applied.

use kube::core::GroupVersionKind;
use serde_json::Value;

use super::error::ClusterError;

/// One object.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Document {
    pub(super) value: Value,
    pub(super) kind: GroupVersionKind,
    pub(super) name: String,
    pub(super) namespace: Option<String>,
}

impl Document {
    /// Reads the object's identity; `number` (from 1) is for errors.
    fn parse(number: usize, value: &Value) -> Result<Self, ClusterError> {
        let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str);
        let lacks = |key| ClusterError::Document { number, key };
        let api_version = text("/apiVersion").ok_or_else(|| lacks("apiVersion"))?;
        let kind = text("/kind").ok_or_else(|| lacks("kind"))?;
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        Ok(Self {
            kind: GroupVersionKind::gvk(group, version, kind),
            name: text("/metadata/name").ok_or_else(|| lacks("metadata.name"))?.to_owned(),
            namespace: text("/metadata/namespace").map(str::to_owned),
            value: value.clone(),
        })
    }

    /// For a person: `DaemonSet kube-flannel/kube-flannel-ds`.
    pub(super) fn title(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("{} {namespace}/{}", self.kind.kind, self.name),
            None => format!("{} {}", self.kind.kind, self.name),
        }
    }

    /// The kind it defines, if it is a CRD.
    pub(super) fn defines(&self) -> Option<(&str, &str)> {
        let text = |pointer: &str| self.value.pointer(pointer).and_then(Value::as_str);
        (self.stage() == Stage::Definition)
            .then(|| Some((text("/spec/group")?, text("/spec/names/kind")?)))?
    }

    pub(super) fn stage(&self) -> Stage {
        match (self.kind.group.as_str(), self.kind.kind.as_str()) {
            ("", "Namespace") => Stage::Namespace,
            ("apiextensions.k8s.io", "CustomResourceDefinition") => Stage::Definition,
            _ => Stage::Object,
        }
    }
}

/// What has to be there before the next can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// Others live in it.
    Namespace,
    /// Others are of its kind.
    Definition,
    /// Anything else.
    Object,
}

/// All documents, namespaces first, then definitions, then the rest as written.
pub(super) fn in_order(documents: &[Value]) -> Result<Vec<Document>, ClusterError> {
    let numbered = documents.iter().enumerate();
    let mut parsed: Vec<Document> =
        numbered.map(|(index, value)| Document::parse(index + 1, value)).collect::<Result<_, _>>()?;
    parsed.sort_by_key(Document::stage);
    Ok(parsed)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::in_order;
    use crate::cluster::ClusterError;

    fn object(api_version: &str, kind: &str, name: &str) -> Value {
        json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}})
    }

    #[test]
    fn namespaces_come_first_then_definitions_then_the_rest_as_written() {
        let documents = [
            object("apps/v1", "DaemonSet", "b"),
            object("example.org/v1", "Widget", "w"),
            object("apiextensions.k8s.io/v1", "CustomResourceDefinition", "widgets.example.org"),
            object("v1", "ConfigMap", "a"),
            object("v1", "Namespace", "n"),
        ];
        let names: Vec<String> = in_order(&documents).unwrap().iter().map(super::Document::title).collect();
        let expected = [
            "Namespace n",
            "CustomResourceDefinition widgets.example.org",
            "DaemonSet b",
            "Widget w",
            "ConfigMap a",
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn a_document_without_identity_is_named_by_its_number() {
        let nameless = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "p-"}});
        let error = in_order(&[object("v1", "Pod", "p"), nameless]).unwrap_err();
        assert!(matches!(error, ClusterError::Document { number: 2, key: "metadata.name" }));
    }

    #[test]
    fn a_namespace_of_another_group_is_no_namespace() {
        let documents = [object("v1", "Pod", "p"), object("example.org/v1", "Namespace", "n")];
        assert_eq!(in_order(&documents).unwrap()[0].name, "p");
    }
}
