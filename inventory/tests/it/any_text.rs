//! Whatever is in the file, the answer is an inventory or diagnostics with a place.

use proptest::prelude::*;

const HOMELAB: &str = include_str!("../../examples/homelab.yaml");
const EVERYTHING: &str = include_str!("../ok/everything.yaml");

fn answers(text: &str) {
    match garboard_inventory::parse("garboard.yaml", text) {
        Ok(inventory) => assert!(inventory.control_planes().count() == 1),
        Err(diagnostics) => {
            assert!(!diagnostics.is_empty());
            let lines = text.matches('\n').count() + 1;
            for diagnostic in &diagnostics {
                assert!((1..=lines).contains(&diagnostic.line) && diagnostic.column > 0, "{diagnostic:?}");
            }
            assert!(diagnostics.render(true).contains("error"));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_gets_an_answer(text in "(\\PC|[ \n:{}\\[\\],*&!~'\"#-]){0,80}") {
        answers(&text);
    }

    #[test]
    fn a_good_inventory_with_a_slip_gets_an_answer(
        first in any::<bool>(), at in any::<prop::sample::Index>(), gone in 0_usize..12, slip in "(\\PC|[ \n\t:{}~]){0,6}"
    ) {
        let text: Vec<char> = (if first { HOMELAB } else { EVERYTHING }).chars().collect();
        let at = at.index(text.len());
        let rest = text.iter().skip(at + gone);
        answers(&text[..at].iter().copied().chain(slip.chars()).chain(rest.copied()).collect::<String>());
    }
}
