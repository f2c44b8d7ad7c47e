//! Dynamic DNS as the laptop sees it: the program that travels to the edge host, and the conversation with the service there.
//! The playbook `ddns` brings it to its host.

mod control;
mod program;
mod report;

pub use control::{Command, ControlError, ask};
pub use program::{Program, embedded};
pub use report::{Addresses, Name, Outside, Report, Standing};

/// Where the running service is spoken with, on its host.
pub const CONTROL_SOCKET: &str = "/run/garboard-ddns/control.sock";
