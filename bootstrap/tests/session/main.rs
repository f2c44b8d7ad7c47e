//! The way to a host and the conversation there: SSH against a real sshd on loopback, deployment on this machine,
//! sessions against a scripted agent.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails the test as well")]

mod again;
mod blobs;
mod certificates;
mod confirmation;
mod conversation;
mod deploy;
mod fake_agent;
mod host_keys;
mod jump;
mod keys;
mod native;
mod openssh;
mod sshd;
mod sudo;
mod trust;
