//! Playbooks that are wrong, each with all that is said about it. `UPDATE_GOLDEN=1` rewrites the `.stderr` files.

// All of this file is tests, their helpers too.
#![allow(clippy::unwrap_used)]

mod support;

use fs_err as fs;
use garboard_playbooks::Site;
use support::{THREE_HOSTS, bundle, folder, golden, inventory};

#[test]
fn every_wrong_site_is_refused_with_exactly_these_diagnostics() {
    let inventory = inventory(THREE_HOSTS);
    let mut cases: Vec<_> = fs::read_dir(folder("fails"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "site"))
        .collect();
    cases.sort();
    assert!(cases.len() >= 20, "the cases are gone");
    let mut differing = Vec::new();
    for path in cases {
        let said = match Site::parse(&bundle(&path)) {
            Err(said) => said,
            Ok(site) => site.check(&inventory).expect_err(&format!("{} was taken", path.display())),
        };
        let text = said.render(false);
        let harmful = text.chars().find(|character| {
            (character.is_control() && *character != '\n')
                || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        });
        assert_eq!(harmful, None, "{}: {text:?}", path.display());
        let golden_path = path.with_extension("stderr");
        if std::panic::catch_unwind(|| golden(&golden_path, &text)).is_err() {
            differing.push(path);
        }
    }
    assert!(differing.is_empty(), "these differ: {differing:?}");
}

#[test]
fn a_site_without_a_table_of_contents_is_refused() {
    let said = Site::parse(&std::collections::BTreeMap::new()).unwrap_err();
    assert!(said.to_string().starts_with("error: there is no file `site.yaml`"), "{said}");
}
