//! The executor over in-memory streams.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod blobs;
mod client;
mod conversation;
mod mesh;
