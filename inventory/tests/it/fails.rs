//! Bad inventories and what the user is told: `tests/fails/NN_name.yaml` and `.stderr`.

use crate::golden::{compare, inventories, none};

#[test]
fn bad_inventories_are_refused_with_all_their_faults() {
    let mut differences = Vec::new();
    for path in inventories("tests/fails", 16) {
        let text = fs_err::read_to_string(&path).unwrap();
        let Err(diagnostics) = garboard_inventory::parse("garboard.yaml", &text) else {
            panic!("`{}` was taken", path.display());
        };
        differences.extend(compare(&path.with_extension("stderr"), &diagnostics.render(false)));
    }
    none(&differences);
}

/// The number of faults stands in the file's first line, so that a golden file rewritten in haste cannot lose one.
#[test]
fn every_fault_of_a_file_is_reported_at_once() {
    let mut several = 0;
    for path in inventories("tests/fails", 16) {
        let text = fs_err::read_to_string(&path).unwrap();
        let expected: usize = text
            .lines()
            .next()
            .and_then(|line| line.strip_prefix("# faults: "))
            .unwrap_or_else(|| panic!("`{}` does not begin with `# faults: N`", path.display()))
            .parse()
            .unwrap();
        let diagnostics = garboard_inventory::parse("garboard.yaml", &text).unwrap_err();
        assert_eq!(diagnostics.len(), expected, "{}\n{diagnostics}", path.display());
        several += usize::from(expected > 1);
        for diagnostic in &diagnostics {
            assert!(diagnostic.line > 0 && diagnostic.column > 0, "{diagnostic:?}");
            assert!(!diagnostic.message.ends_with('.'), "{diagnostic:?}");
            assert!(diagnostic.help.as_ref().is_some_and(|help| !help.ends_with('.')), "{diagnostic:?}");
        }
    }
    assert!(several >= 3);
}

#[test]
fn a_diagnostic_knows_its_place() {
    let text = "cluster: { name: a, kubernetes: v1.36.3 }\nhosts:\n  cp1: { address: 10.0.0.1, rolle: control_plane }\n";
    let diagnostics = garboard_inventory::parse("my.yaml", text).unwrap_err();
    let unknown = diagnostics.iter().find(|diagnostic| diagnostic.message.contains("unknown")).unwrap();
    assert_eq!((unknown.file.as_str(), unknown.line, unknown.column), ("my.yaml", 3, 29));
    assert_eq!(unknown.help.as_deref(), Some("did you mean `role`?"));
}

#[test]
fn colour_is_only_there_when_asked_for() {
    let diagnostics = garboard_inventory::parse("garboard.yaml", "cluster: 1\n").unwrap_err();
    assert!(!diagnostics.render(false).contains('\u{1b}'));
    assert!(diagnostics.render(true).contains('\u{1b}'));
}

#[test]
fn what_an_inventory_says_never_reaches_the_terminal_as_a_command() {
    let text = "cluster: { name: \"\\e[31mred\\u0007\", kubernetes: v1.36.3 }\nhosts: {}\n";
    let diagnostics = garboard_inventory::parse("garboard.yaml", text).unwrap_err();
    let shown = diagnostics.render(false);
    assert!(!shown.contains(['\u{1b}', '\u{7}']), "{shown:?}");
    for diagnostic in &diagnostics {
        assert!(!diagnostic.message.contains(char::is_control), "{diagnostic:?}");
    }
}

#[test]
fn a_secret_written_into_the_file_is_not_repeated() {
    for ssh in [
        "ssh: { passphrase: hunter2 }",
        "ssh: { sudo: { password: hunter2 } }",
        "ssh: { passphrase: [hunter2] }",
        "ssh: { passphrase: { env: hunter2 hunter2 } }",
        "ssh: { passphrase: { env: $hunter2 } }",
        "ssh: { passphrase: { command: hunter2 } }",
        "ssh: { passphrase: { text: hunter2 } }",
        "ssh: { passphrase: { file: f, text: [a, { b: hunter2 }] } }",
        "ssh: { password: hunter2",
        "ssh:\n  password: |\n    hunter2\n",
        "edge: { ddns: [ { name: a.org, provider: { desec: { token: hunter2 } } } ] }",
        "edge: { ddns: [ { name: a.org, provider: { dyndns2: { server: \"https://me:hunter2@a.org/\" } } } ] }",
    ] {
        let text = format!("hosts: {{}}\n{ssh}\n");
        let shown = garboard_inventory::parse("garboard.yaml", &text).unwrap_err().to_string();
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}

#[test]
fn an_inventory_made_to_exhaust_memory_is_refused() {
    use std::fmt::Write;
    let mut laughs = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..20 {
        let before = level - 1;
        writeln!(laughs, "a{level}: &a{level} [{}]", vec![format!("*a{before}"); 10].join(", ")).unwrap();
    }
    for text in [laughs, "[".repeat(100), "{a: ".repeat(200), "x".repeat(2 * 1024 * 1024)] {
        assert_eq!(garboard_inventory::parse("garboard.yaml", &text).unwrap_err().len(), 1);
    }
}

#[test]
fn line_ends_and_wide_letters_do_not_move_the_caret() {
    let text =
        "cluster: { name: a, kubernetes: v1.36.3 }\r\nhosts:\r\n  cp1: { address: \"pi-ü\", rolle: x }\r\n";
    for (mark, text) in [("", text.to_owned()), ("with a byte order mark", format!("\u{feff}{text}"))] {
        let diagnostics = garboard_inventory::parse("garboard.yaml", &text).unwrap_err();
        let unknown = diagnostics.iter().find(|diagnostic| diagnostic.message.contains("rolle")).unwrap();
        assert_eq!((unknown.line, unknown.column), (3, 27), "{mark}\n{diagnostics}");
    }
}

#[test]
fn an_inventory_without_a_byte_is_empty() {
    for text in ["", "\n", "# only a comment\n", "---\n", "~"] {
        let diagnostics = garboard_inventory::parse("garboard.yaml", text).unwrap_err();
        assert!(diagnostics.to_string().contains("the inventory is empty"), "{text:?}\n{diagnostics}");
    }
}
