//! The product on a real terminal.

use std::process::Command;

use crate::site::Site;

#[track_caller]
fn shown(mut command: Command) -> String {
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.code() == Some(1) && text.contains("cp1") && text.contains("report: "), "{text}");
    text
}

/// Sequences that choose a colour or a weight (`ESC [ ... m`).
fn has_colours(text: &str) -> bool {
    text.split("\u{1b}[").skip(1).any(|rest| {
        rest.trim_start_matches(|character: char| character.is_ascii_digit() || character == ';')
            .starts_with('m')
    })
}

#[test]
fn a_terminal_gets_colours_and_lines_that_move_unless_somebody_says_otherwise() {
    let site = Site::new("go away");
    let usual = shown(site.garboard_on_terminal("up"));
    assert!(has_colours(&usual), "{usual:?}");
    assert!(usual.contains("connecting to 192.0.2.1"), "{usual:?}");
    let flag = shown(site.garboard_on_terminal("up --no-color"));
    assert!(!has_colours(&flag) && flag.contains("connecting to 192.0.2.1"), "{flag:?}");
    let mut no_color = site.garboard_on_terminal("up");
    no_color.env("NO_COLOR", "1");
    assert!(!has_colours(&shown(no_color)));
    let mut dumb = site.garboard_on_terminal("up");
    dumb.env("TERM", "dumb");
    let dumb = shown(dumb);
    assert!(!dumb.contains('\u{1b}') && !dumb.contains("connecting"), "{dumb:?}");
}

#[test]
fn the_report_of_a_run_that_failed_lies_where_its_last_line_says() {
    let site = Site::new("go away");
    let output = site.garboard().args(["up"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let path = said.lines().last().unwrap().strip_prefix("report: ").unwrap();
    let page = fs_err::read_to_string(path).unwrap();
    assert!(page.starts_with("<!doctype html>") && page.contains("go away"), "{page}");
    let document = fs_err::read_to_string(path.replace(".html", ".json")).unwrap();
    let document: serde_json::Value = serde_json::from_str(&document).unwrap();
    let last = document["events"].as_array().unwrap().last().unwrap();
    assert_eq!((&last["event"], &last["page"]), (&"run_finished".into(), &path.into()));
}

#[test]
fn a_program_is_told_what_failed_also_by_a_command_that_prints_a_document() {
    let site = Site::new("go away");
    for command in ["check", "plan", "status"] {
        let output = site.garboard().args(["--output", "json", command]).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let lines = String::from_utf8(output.stdout).unwrap();
        let event: serde_json::Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
        assert_eq!(
            (&event["event"], &event["problem"]["host"]),
            (&"failed".into(), &"cp1".into()),
            "{command}"
        );
        assert!(event["problem"]["help"].is_string(), "{event}");
    }
}
