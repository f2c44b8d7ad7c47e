//! The mirror as its clients see it: a small made-up folder, a real server, real HTTP.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod faults;
mod files;
mod fixture;
mod registry;
