//! The schema that is checked in is the one the types give, and it agrees with the readers.

use serde_json::Value;

use crate::golden::{compare, in_crate, inventories, none};

#[test]
fn the_schema_that_is_checked_in_is_current() {
    let actual = serde_json::to_string_pretty(&garboard_inventory::schema()).unwrap() + "\n";
    none(&compare(&in_crate("garboard.schema.json"), &actual).into_iter().collect::<Vec<_>>());
}

#[test]
fn the_schema_knows_no_null_and_no_key_of_a_later_version() {
    let schema = garboard_inventory::schema();
    let text = schema.to_string();
    assert!(!text.contains("\"null\""), "{text}");
    assert!(!text.contains("\"taints\":"), "`taints` is in the schema");
}

#[test]
fn every_inventory_that_is_taken_uses_only_keys_the_schema_knows() {
    let schema = garboard_inventory::schema();
    let mut known = Vec::new();
    properties(&schema, &mut known);
    for path in inventories("examples", 3).into_iter().chain(inventories("tests/ok", 3)) {
        let text = fs_err::read_to_string(&path).unwrap();
        let value: Value = serde_saphyr::from_str(&text).unwrap();
        for (section, free) in [("cluster", false), ("ssh", false), ("hosts", true), ("edge", false)] {
            let Some(section) = value.get(section) else { continue };
            let maps: Vec<&Value> =
                if free { section.as_object().unwrap().values().collect() } else { vec![section] };
            for key in maps.iter().flat_map(|map| map.as_object().unwrap().keys()) {
                assert!(known.contains(key), "`{key}` in {}", path.display());
            }
        }
    }
}

fn properties(schema: &Value, known: &mut Vec<String>) {
    match schema {
        Value::Object(map) => {
            if let Some(Value::Object(properties)) = map.get("properties") {
                known.extend(properties.keys().cloned());
            }
            map.values().for_each(|value| properties(value, known));
        }
        Value::Array(items) => items.iter().for_each(|item| properties(item, known)),
        _ => {}
    }
}
