//! The way to a host and the conversation there: SSH against a real sshd on loopback, deployment on this machine,
//! sessions against a scripted agent.

mod conversation;
mod deploy;
mod fake_agent;
mod native;
mod sshd;
