//! A host that says what would drive a terminal, reorder a line or be markup.

use garboard::output::paint::Paint;
use garboard::output::report::{Document, Timed, page};
use garboard::output::{Event, json};
use serde_json::Value;

use crate::site::Site;
use crate::{example, lines};

/// The title of the window set, a line of ours faked, text reordered, a script.
const EVIL: &str = "\u{1b}]0;evil\u{7}\u{9b}2J\r\nw2  ok\u{202e}txt.exe\u{2066}<script>alert(1)</script>";

/// Every event, each of its texts with the evil one in it.
fn hostile_events() -> Vec<Event> {
    let mut events = Vec::new();
    for event in example::events() {
        let mut event = serde_json::to_value(event).unwrap();
        let Value::Object(map) = &mut event else { panic!("no object") };
        for (key, value) in map {
            if key != "event" && key != "exit" {
                spoil(value);
            }
        }
        events.push(serde_json::from_value(event).unwrap());
    }
    events
}

fn spoil(value: &mut Value) {
    match value {
        Value::String(text) => text.push_str(EVIL),
        Value::Array(items) => items.iter_mut().for_each(spoil),
        Value::Object(map) => {
            let fields =
                map.iter_mut().filter(|(key, _)| !matches!(key.as_str(), "exit" | "field" | "verdict"));
            fields.for_each(|(_, value)| spoil(value));
        }
        _ => {}
    }
}

#[track_caller]
fn assert_harmless(text: &str) {
    let is_harmful = |character: char| {
        (character.is_control() && character != '\n')
            || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let harmful = text.chars().find(|character| is_harmful(*character));
    assert_eq!(harmful, None, "{text:?}");
}

#[test]
fn lines_for_a_person_hold_nothing_that_drives_a_terminal() {
    let text = lines::plain(true, Paint::default(), hostile_events());
    assert_harmless(&text);
    assert!(text.contains("\\u{1b}]0;evil\\u{7}") && text.contains("\\u{202e}"), "{text}");
    // Only problems and notes have lines of their own, and only set in or as notes.
    let faked = text.lines().filter(|line| line.starts_with("w2  ok")).count();
    assert_eq!(faked, 1, "the note's own second line and no other:\n{text}");
}

#[test]
fn with_colours_only_our_own_sequences_are_written() {
    let text = lines::plain(true, Paint { colour: true, utf8: true }, hostile_events());
    let mut rest = text.as_str();
    while let Some(at) = rest.find('\u{1b}') {
        let sequence = rest[at + 1..].split_once('m').unwrap().0;
        assert!(
            sequence.starts_with('[')
                && sequence[1..].bytes().all(|byte| byte.is_ascii_digit() || byte == b';'),
            "{sequence:?}"
        );
        rest = &rest[at + 1..];
    }
    assert_harmless(&text.replace('\u{1b}', ""));
}

#[test]
fn json_for_a_program_may_be_shown_on_a_terminal_and_loses_nothing() {
    for event in hostile_events() {
        let line = String::from_utf8(json::line(&event).unwrap()).unwrap();
        assert_harmless(&line);
        assert_eq!(serde_json::from_str::<Event>(&line).unwrap(), event);
    }
}

#[test]
fn the_page_shows_it_and_holds_no_markup_of_it() {
    let at = "2026-07-04T10:15:00Z".parse().unwrap();
    let events = hostile_events().into_iter().map(|event| Timed { at, event }).collect();
    let page = page(&Document { version: "0.1.0".to_owned(), started: at, events });
    assert_harmless(&page);
    assert!(!page.contains("<script") && page.contains("&lt;script&gt;"), "{page}");
    assert!(page.contains("\\u{1b}]0;evil\\u{7}") && page.contains("\\u{202e}"));
}

/// The whole product: what stands in for the host says it on the way to its login.
#[test]
fn what_a_host_says_while_it_is_called_does_not_drive_the_terminal() {
    let site = Site::new(EVIL);
    for format in ["human", "json"] {
        let output = site.garboard().args(["up", "--output", format]).output().unwrap();
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert_harmless(&said);
        let escaped = if format == "json" { "\\u001b]0;evil" } else { "\\u{1b}]0;evil" };
        assert!(said.contains(escaped) && said.contains("txt.exe"), "it was not said at all: {said}");
    }
}
