//! The crate as its users meet it.

mod examples;
mod golden;
mod ok;
mod paths;
mod schema;
mod secrets;
