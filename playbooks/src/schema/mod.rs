//! JSON Schema of a `playbook.yaml`, for editors.
//!
//! The readers in `crate::parse` say more than a schema can, with places and suggestions; these types say the shape once
//! more, and `tests/schema.rs` asks the readers whether it is theirs: every kind, every key, what must be there.

// Never made: only their shape is of use.
#![allow(dead_code)]

mod scalar;
mod step;

use std::collections::BTreeMap;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde_json::{Value, json};

use scalar::{Literal, Path, Text};
use step::Step;

/// One playbook: typed steps for some hosts, or for the cluster.
#[derive(JsonSchema)]
#[schemars(rename = "Playbook", deny_unknown_fields)]
struct Playbook {
    /// One line for a person.
    about: Text,
    /// Where its steps run: `all`, `leader` (the control plane a run works through), `control_plane`, `worker`, a host's
    /// name, or `cluster`.
    hosts: Text,
    /// Playbooks that come before this one on the same host.
    after: Option<Vec<Text>>,
    /// Values for this playbook's templates, of any type.
    vars: Option<BTreeMap<String, Value>>,
    /// Whether what its steps made goes back to what it was before, where the playbook, or a step of it, is no longer for a host; false if
    /// left out.
    reversible: Option<bool>,
    /// What is done, in order.
    #[schemars(length(min = 1))]
    steps: Vec<Step>,
    /// What the software makes by itself, so that `reset` knows it from what others own.
    owns: Option<Vec<Owned>>,
}

/// One thing that the software makes by itself.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, transform = one_of_its_keys)]
struct Owned {
    /// A file, or a folder with all below it, up to the next mount.
    path: Option<Path>,
    /// The same, kept unless data is to be deleted.
    data: Option<Path>,
    /// A network link; `*` at the end stands for any end.
    link: Option<Literal>,
    /// A network namespace; `*` at the end stands for any end.
    network_namespace: Option<Literal>,
    /// An nft table: its family and its name.
    nft_table: Option<Literal>,
    /// Chains whose names begin so, and the rules that jump to them.
    iptables_chains: Option<Literal>,
    /// Kernel modules whose names begin so and that were not loaded before: unloaded when nobody uses them any more.
    kernel_modules: Option<Literal>,
    /// A cgroup below the root.
    cgroup: Option<Literal>,
    /// The dotted key of a sysctl, put back to what it was before.
    sysctl: Option<Literal>,
    /// Every mount at or below this path that was not there before.
    mounts: Option<Path>,
}

/// The JSON Schema (draft 2020-12) of a `playbook.yaml`. It knows the shape; what belongs together is for
/// [`crate::Site::parse`] and [`crate::Site::check`].
pub fn schema() -> Value {
    let settings = SchemaSettings::draft2020_12();
    without_null(settings.into_generator().into_root_schema_for::<Playbook>().to_value())
}

/// Exactly one of the keys stands there.
fn one_of_its_keys(schema: &mut Schema) {
    one_key_but(schema, &[]);
}

/// Exactly one of the keys stands there, not counting `others`.
fn one_key_but(schema: &mut Schema, others: &[&str]) {
    let keys = schema.get("properties").and_then(Value::as_object).into_iter().flat_map(|keys| keys.keys());
    let one: Vec<Value> =
        keys.filter(|key| !others.contains(&key.as_str())).map(|key| json!({ "required": [key] })).collect();
    schema.insert("oneOf".to_owned(), one.into());
}

/// A key that may be left out is no key that may be null.
fn without_null(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(without_null).collect(),
        Value::Object(mut map) => {
            if let Some(Value::Array(types)) = map.get_mut("type") {
                types.retain(|name| name != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    map.insert("type".to_owned(), only);
                }
            }
            if let Some(Value::Array(choices)) = map.get_mut("anyOf") {
                choices.retain(|choice| choice["type"] != "null");
                if let [Value::Object(only)] = choices.as_slice() {
                    let only = only.clone();
                    map.remove("anyOf");
                    map.extend(only);
                }
            }
            map.into_iter().map(|(key, value)| (key, without_null(value))).collect()
        }
        other => other,
    }
}
