//! The crate as its users meet it.
#![expect(clippy::unwrap_used, reason = "clippy allows it in tests, but not in the functions they share")]

mod any_text;
mod examples;
mod fails;
mod golden;
mod ok;
mod paths;
mod schema;
mod secrets;
