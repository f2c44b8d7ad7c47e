//! What an apply would change: the live object against the server's own preview of it. Pure.

use garboard_protocol::{Change, Digest, change::Field};
use serde_json::{Map, Value};

use super::FIELD_MANAGER;

/// Kept by the server itself, or not part of what is applied.
const OWN_OF_THE_SERVER: [&str; 6] =
    ["managedFields", "resourceVersion", "generation", "creationTimestamp", "uid", "selfLink"];

/// Counters that controllers and the server keep in annotations; they follow a change, they are none.
const COUNTERS: [&str; 2] = ["deprecated.daemonset.template.generation", "deployment.kubernetes.io/revision"];

/// The differences between `live` and `preview` (the answer to a dry run), each leaf one change. Values of a Secret
/// appear as digests.
pub(super) fn difference(title: &str, live: &Value, preview: &Value) -> Vec<Change> {
    let secret = live.get("kind").and_then(Value::as_str) == Some("Secret");
    let mut changes = Vec::new();
    let (live_part, preview_part) = (applied(live), applied(preview));
    walk(&mut changes, title, "", secret, Some(&live_part), Some(&preview_part));
    if changes.is_empty() && owned(live) != owned(preview) {
        // The values are right, but were written by somebody else, or a field left our manifest: applying records that.
        let before = owned(live).is_some().then(|| format!("other fields of {FIELD_MANAGER}"));
        changes.push(Change::new(title, Field::Owner, before, Some(FIELD_MANAGER.to_owned())));
    }
    changes
}

/// The object without what an apply does not set.
fn applied(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(map) = object.as_object_mut() {
        map.remove("status");
        if let Some(metadata) = map.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.retain(|key, _| !OWN_OF_THE_SERVER.contains(&key.as_str()));
            if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
                annotations.retain(|key, _| !COUNTERS.contains(&key.as_str()));
            }
        }
    }
    object
}

/// The set of fields our applies own.
fn owned(object: &Value) -> Option<&Value> {
    let entries = object.pointer("/metadata/managedFields")?.as_array()?;
    let ours = entries.iter().find(|entry| {
        let text = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default();
        text("manager") == FIELD_MANAGER && text("operation") == "Apply" && text("subresource").is_empty()
    });
    ours?.get("fieldsV1")
}

fn walk(
    changes: &mut Vec<Change>,
    title: &str,
    path: &str,
    secret: bool,
    live: Option<&Value>,
    preview: Option<&Value>,
) {
    if live == preview {
        return;
    }
    if let (Some(Value::Object(live)), Some(Value::Object(preview))) = (live, preview) {
        let step = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
        for key in keys(live, preview) {
            walk(changes, title, &step(key), secret, live.get(key), preview.get(key));
        }
        return;
    }
    if let (Some(Value::Array(live)), Some(Value::Array(preview))) = (live, preview)
        && live.len() == preview.len()
    {
        for (index, (live, preview)) in live.iter().zip(preview).enumerate() {
            walk(changes, title, &format!("{path}[{index}]"), secret, Some(live), Some(preview));
        }
        return;
    }
    let data = secret && (path.starts_with("data") || path.starts_with("stringData"));
    let shown = |value: &Value| match value {
        value if data => Digest::of(value.to_string().as_bytes()).to_string(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let subject = format!("{title} {path}");
    changes.push(Change::new(subject, Field::Value, live.map(shown), preview.map(shown)));
}

/// The keys of both, each once, in order.
fn keys<'a>(left: &'a Map<String, Value>, right: &'a Map<String, Value>) -> Vec<&'a str> {
    let mut keys: Vec<&str> = left.keys().chain(right.keys()).map(String::as_str).collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::difference;

    fn config_map(value: &str, version: &str, manager: &str) -> Value {
        json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {
                "name": "c", "resourceVersion": version,
                "managedFields": [{"manager": manager, "operation": "Apply", "fieldsV1": {"f:data": {}}}],
            },
            "data": {"net-conf.json": value, "other": "same"},
        })
    }

    #[test]
    fn the_same_object_at_another_version_is_no_difference() {
        let live = config_map("{}", "7", "garboard");
        assert_eq!(difference("ConfigMap c", &live, &config_map("{}", "8", "garboard")), []);
    }

    #[test]
    fn each_leaf_that_differs_is_one_change_with_before_and_after() {
        let live = config_map("a", "7", "garboard");
        let mut preview = config_map("b", "7", "garboard");
        preview["metadata"]["labels"] = json!({"app": "x"});
        let changes = difference("ConfigMap c", &live, &preview);
        let told: Vec<_> = changes
            .iter()
            .map(|change| (change.subject.as_str(), change.before.as_deref(), change.after.as_deref()))
            .collect();
        let expected = [
            ("ConfigMap c data.net-conf.json", Some("a"), Some("b")),
            ("ConfigMap c metadata.labels", None, Some(r#"{"app":"x"}"#)),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn right_values_written_by_somebody_else_are_a_change_of_owner() {
        let live = config_map("a", "7", "kubectl");
        let changes = difference("ConfigMap c", &live, &config_map("a", "7", "garboard"));
        assert_eq!(changes.len(), 1);
        assert_eq!(changes[0].after.as_deref(), Some("garboard"));
    }

    #[test]
    fn a_secret_shows_digests_only() {
        let secret =
            |value: &str| json!({"kind": "Secret", "metadata": {"name": "s"}, "data": {"token": value}});
        let changes = difference("Secret s", &secret("b2xk"), &secret("bmV3"));
        let told = format!("{changes:?}");
        assert!(told.contains("sha256:") && !told.contains("b2xk") && !told.contains("bmV3"), "{told}");
    }

    #[test]
    fn what_controllers_report_is_no_difference() {
        let mut live = config_map("a", "7", "garboard");
        live["status"] = json!({"ready": 1});
        let mut preview = config_map("a", "7", "garboard");
        preview["status"] = json!({"ready": 2});
        assert_eq!(difference("ConfigMap c", &live, &preview), []);
    }
}
