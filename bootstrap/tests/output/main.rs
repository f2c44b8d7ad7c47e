//! What a run shows: to a person, to a program, in its report.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod browser;
mod documented;
mod example;
mod golden;
mod hostile;
mod lines;
mod page;
mod site;
mod terminal;
