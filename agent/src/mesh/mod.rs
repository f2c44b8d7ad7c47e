//! This host's part of the port mesh: ports that are open for a few seconds, and probes of other hosts' ports.
//!
//! Sockets here are tasks of the executor's own loop. Whoever drops [`Listeners`] closes all of them; nothing is written.

mod half_open;
mod hearing;
mod listeners;
mod message;
mod probe;

pub use listeners::Listeners;
pub use probe::probe;
