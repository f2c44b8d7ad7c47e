//! An inventory: any text is either taken or refused with words that drive no terminal.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Err(faults) = garboard_inventory::parse("garboard.yaml", text) {
        assert!(!faults.is_empty(), "refused without a word");
        let said = faults.render(false);
        let drives = |character: char| {
            (character.is_control() && !matches!(character, '\n' | '\t'))
                || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        assert!(!said.contains(drives), "{said:?}");
    }
});
