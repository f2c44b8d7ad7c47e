//! The executor over in-memory streams.

mod blobs;
mod client;
mod conversation;
