//! `garboard-ddns`: keeps names pointing at the address the internet sees.
//!
//! Data goes one way: [`sources`] → [`quorum`] → [`machine`] (pure) → [`providers`]. [`service`] is the loop around them and
//! [`state`] what it remembers.

pub mod address;
pub mod cli;
pub mod configuration;
pub mod http;
pub mod machine;
pub mod metrics;
pub mod providers;
pub mod quorum;
pub mod report;
pub mod secret;
pub mod service;
pub mod sources;
pub mod state;
