//! `docs/events.md` and the schema say what the code does: both are made from it, and compared with what is checked in.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use garboard::output::event::schema;
use garboard::output::{Event, json};
use serde_json::Value;

use crate::{example, golden};

const INTRODUCTION: &str = include_str!("events_introduction.md");

fn kinds(schema: &Value) -> Vec<&Value> {
    schema["oneOf"].as_array().unwrap().iter().collect()
}

fn name(kind: &Value) -> &str {
    kind["properties"]["event"]["const"].as_str().unwrap()
}

#[test]
fn the_schema_that_is_checked_in_is_current() {
    golden::compare("docs/events.schema.json", &(serde_json::to_string_pretty(&schema()).unwrap() + "\n"));
}

#[test]
fn every_kind_of_event_is_documented_with_its_fields_and_an_example() {
    let (schema, examples) = (schema(), example::events());
    let mut text = INTRODUCTION.to_owned();
    for kind in kinds(&schema) {
        let of_kind = |event: &&Event| serde_json::to_value(event).unwrap()["event"] == name(kind);
        let example = examples.iter().find(of_kind);
        let example = example.unwrap_or_else(|| panic!("`{}` has no example", name(kind)));
        let example = String::from_utf8(json::line(example).unwrap()).unwrap();
        let about = kind["description"].as_str().unwrap();
        let _ =
            write!(text, "\n### `{}`\n\n{about}\n\n| field | type | meaning |\n|---|---|---|\n", name(kind));
        for (field, property) in kind["properties"].as_object().unwrap() {
            if field == "event" {
                continue;
            }
            let description =
                property["description"].as_str().unwrap_or_else(|| panic!("`{field}` is not described"));
            let optional = !kind["required"].as_array().unwrap().contains(&Value::from(field.as_str()));
            let left_out = if optional { "; may be left out" } else { "" };
            let _ = writeln!(
                text,
                "| `{field}` | {}{left_out} | {} |",
                of_type(property),
                description.replace('\n', " ")
            );
        }
        let _ = write!(text, "\n```json\n{example}```\n");
    }
    golden::compare("docs/events.md", &text);
}

/// A type, as a table names it.
fn of_type(property: &Value) -> String {
    if let Some(reference) = property["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap();
        return format!("[{name}](#{})", name.to_lowercase());
    }
    match &property["type"] {
        Value::String(kind) if kind == "array" => format!("list of {}", of_type(&property["items"])),
        Value::String(kind) => kind.clone(),
        Value::Array(kinds) => {
            kinds.iter().find_map(|kind| kind.as_str().filter(|kind| *kind != "null")).unwrap().to_owned()
        }
        other => panic!("a type the table cannot name: {other} in {property}"),
    }
}

/// What is printed between the fences of the page, as a reader finds it there.
fn documented_examples() -> Vec<Value> {
    let text = fs_err::read_to_string(golden::in_repository("docs/events.md")).unwrap();
    let blocks = text.split("```json\n").skip(1).map(|rest| rest.split("\n```").next().unwrap().to_owned());
    blocks
        .flat_map(|block| block.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<_>>())
        .collect()
}

#[test]
fn every_documented_example_fits_the_schema_that_is_checked_in() {
    let schema = fs_err::read_to_string(golden::in_repository("docs/events.schema.json")).unwrap();
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let examples = documented_examples();
    for example in &examples {
        let faults: Vec<String> = validator.iter_errors(example).map(|fault| fault.to_string()).collect();
        assert!(faults.is_empty(), "{example}: {faults:?}");
        let read: garboard::output::Event = serde_json::from_value(example.clone()).unwrap();
        assert_eq!(&serde_json::to_value(read).unwrap(), example);
    }
    let shown: BTreeSet<&str> = examples.iter().map(|example| example["event"].as_str().unwrap()).collect();
    let known: BTreeSet<&str> = kinds(&schema).into_iter().map(name).collect();
    assert_eq!(shown, known);
    // The schema is one that can say no.
    assert!(!validator.is_valid(&serde_json::json!({ "event": "note" })));
    assert!(!validator.is_valid(&serde_json::json!({ "event": "moonrise", "text": "x" })));
}
