//! A site of playbooks and templates: taken, or refused with words that drive no terminal. Files are parted by lines
//! `==> PATH <==`, as in the tests of the crate.
#![no_main]

use std::collections::BTreeMap;

use garboard_playbooks::Site;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Err(faults) = Site::parse(&files(text)) {
        assert!(!faults.is_empty(), "refused without a word");
        let said = faults.render(false);
        let drives = |character: char| {
            (character.is_control() && !matches!(character, '\n' | '\t'))
                || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        assert!(!said.contains(drives), "{said:?}");
    }
});

fn files(text: &str) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let mut path = "site.yaml";
    for line in text.split_inclusive('\n') {
        match line.trim_end().strip_prefix("==> ").and_then(|rest| rest.strip_suffix(" <==")) {
            Some(next) => path = next,
            None => files.entry(path.to_owned()).or_insert_with(String::new).push_str(line),
        }
    }
    files
}
