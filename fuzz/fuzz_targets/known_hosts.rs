//! A known-hosts file: whatever it holds, a key that it does not list is not right, and a revoked one never is.
#![no_main]

use garboard::ssh::is_known_host;
use libfuzzer_sys::fuzz_target;

const LISTED: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";

fuzz_target!(|text: &str| {
    let known = is_known_host(text, "node.lan", LISTED);
    if known == Some(true) {
        let listed = LISTED.split_once(' ').map_or(LISTED, |(_, key)| key);
        assert!(text.split_whitespace().any(|word| word == listed), "a key that stands nowhere is right");
    }
    // A line break of its own: the text may end inside a line.
    let revoked = format!("{text}\n@revoked * {LISTED}\n");
    assert_ne!(is_known_host(&revoked, "node.lan", LISTED), Some(true), "a revoked key is right");
    let listed = format!("node.lan {LISTED}\n{text}");
    if !text.contains("revoked") {
        assert_eq!(is_known_host(&listed, "node.lan", LISTED), Some(true), "a listed key is not right");
    }
});
