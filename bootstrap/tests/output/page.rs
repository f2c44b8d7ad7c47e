//! The page of a report.

use garboard::output::report::page;

use crate::{example, golden};

#[test]
fn the_page_of_a_run_is_this_one() {
    golden::compare("bootstrap/tests/output/golden/page.html", &page(&example::run()));
}

#[test]
fn the_document_says_all_that_the_page_needs() {
    let document = example::run();
    let read = serde_json::from_slice(&serde_json::to_vec(&document).unwrap()).unwrap();
    assert_eq!(document, read);
    assert_eq!(page(&document), page(&read));
}

#[test]
fn a_run_without_an_end_has_a_page_too() {
    let mut document = example::run();
    document.events.truncate(12);
    assert!(page(&document).contains("without an end"));
    document.events.clear();
    assert!(page(&document).contains("No step had to be taken."));
}
