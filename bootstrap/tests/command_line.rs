//! What the command line says about itself: schemas, completions, manual pages.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};

fn garboard(arguments: &[&str]) -> Output {
    Command::new(assert_cmd::cargo::cargo_bin!("garboard")).args(arguments).output().unwrap()
}

#[track_caller]
fn printed(arguments: &[&str]) -> String {
    let output = garboard(arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_schema_is_printed_as_it_is_checked_in() {
    for (arguments, path) in [
        (["schema"].as_slice(), "inventory/garboard.schema.json"),
        (&["schema", "inventory"], "inventory/garboard.schema.json"),
        (&["schema", "playbook"], "playbooks/playbook.schema.json"),
        (&["schema", "events"], "docs/events.schema.json"),
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
        assert_eq!(printed(arguments), fs_err::read_to_string(path).unwrap(), "{arguments:?}");
    }
}

/// What bash offers after these words; the last one is still being written.
fn offered(words: &str) -> BTreeSet<String> {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("garboard.bash");
    fs_err::write(&script, printed(&["completions", "bash"])).unwrap();
    // What readline does when somebody presses Tab: it looks the function up and calls it with the words.
    let asked = "source \"$1\"; shift; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); \
                 function=$(complete -p garboard | sed 's/.*-F \\([^ ]*\\).*/\\1/'); \
                 \"$function\" garboard \"${COMP_WORDS[COMP_CWORD]}\" \"${COMP_WORDS[COMP_CWORD-1]}\"; \
                 printf '%s\\n' \"${COMPREPLY[@]}\"";
    let output = Command::new("bash")
        .args(["--norc", "--noprofile", "-c", asked, "bash"])
        .arg(script)
        .args(words.split(' '))
        .output()
        .unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn set(words: &[&str]) -> BTreeSet<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn bash_completes_commands_flags_and_values() {
    assert_eq!(offered("garboard sta"), set(&["status"]));
    assert_eq!(offered("garboard co"), set(&["completions"]));
    assert_eq!(offered("garboard trust --fin"), set(&["--fingerprint"]));
    assert_eq!(offered("garboard reset --del"), set(&["--delete-data"]));
    assert_eq!(offered("garboard --output j"), set(&["json"]));
    assert!(offered("garboard lab ").is_superset(&set(&["up", "down", "exec"])));
}

#[test]
fn other_shells_have_their_script_too() {
    for (shell, words) in [
        ("zsh", "#compdef garboard"),
        ("fish", "complete -c garboard"),
        ("elvish", "edit:completion"),
        ("powershell", "Register-ArgumentCompleter"),
    ] {
        assert!(printed(&["completions", shell]).contains(words), "{shell}");
    }
    assert_eq!(garboard(&["completions", "cmd"]).status.code(), Some(2));
}

#[test]
fn every_command_has_a_manual_page_that_formats_without_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    printed(&["man", folder.path().to_str().unwrap()]);
    let mut names = BTreeSet::new();
    for entry in fs_err::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        let output = Command::new("man")
            .args(["--warnings", "--local-file"])
            .arg(&path)
            .env("LC_ALL", "C.UTF-8")
            .output();
        let output = output.expect("this test needs Debian's package `man-db`");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{}: {said}", path.display());
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let shown = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(shown.contains("NAME") && shown.contains(&name) && shown.contains("garboard 0."), "{shown}");
        names.insert(name);
    }
    let help = printed(&["--help"]);
    let commands = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let commands = commands.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let commands: BTreeSet<String> = commands
        .map(|line| line.split_whitespace().next().unwrap())
        .filter(|name| *name != "help")
        .map(|name| format!("garboard-{name}"))
        .collect();
    assert!(commands.len() >= 10 && names.is_superset(&commands), "{commands:?} {names:?}");
    assert!(
        names.contains("garboard") && names.contains("garboard-lab-up") && !names.contains("garboard-help")
    );
    let main = fs_err::read_to_string(folder.path().join("garboard.1")).unwrap();
    assert_eq!(printed(&["man"]), main);
}
