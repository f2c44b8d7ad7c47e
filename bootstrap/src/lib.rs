//! The laptop's side: the `garboard` command.
//!
//! inventory → plan → session → engine → step → system: data goes one way. `cli` holds a file a command; `check`,
//! `membership` and `run::difference` are pure; `ssh`, `deploy`, `session`, `store` and `cluster` do the talking;
//! `output` shows what happens.

pub mod agent;
pub mod check;
pub mod cli;
pub mod cluster;
pub mod ddns;
pub mod deploy;
#[cfg(test)]
mod facts_for_tests;
pub mod init;
pub mod invocation;
pub mod kubeconfig;
pub mod lock;
pub mod membership;
pub mod output;
pub mod outside;
pub mod person;
pub mod pki;
pub mod problem;
pub mod run;
pub mod secrets;
pub mod serving;
pub mod session;
pub mod ssh;
pub mod state;
pub mod store;
pub mod trust;
pub mod vpn;
