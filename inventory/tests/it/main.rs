//! The crate as its users meet it.

mod any_text;
mod examples;
mod fails;
mod golden;
mod ok;
mod paths;
mod schema;
mod secrets;
