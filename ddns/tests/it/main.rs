//! The real program against servers that speak the documented formats over real sockets.
#![allow(clippy::unwrap_used)]

mod address_sources;
mod configuration;
mod fake_http;
mod interface_address;
mod knot;
mod lifetime;
mod provider_terms;
mod providers;
mod quorum;
mod secrets;
mod service;
mod update_messages;
