//! The lab: throw-away hosts with real systemd and sshd on this machine, and a mirror of the upstream hosts for them.
//!
//! A lab is a bridge in a network namespace of its own and a number of hosts on it. A host is a system container
//! (systemd-nspawn) with its own root, network namespace, cgroups and host key, or a virtual machine (QEMU) with a kernel of
//! its own; nothing of it can be reached from the machine's own network. Around them there may be a home: a router, a DMZ and a
//! small internet. Everything a lab makes carries the lab's name, so that [`Lab::down`] finds it even after a crash.

pub mod base;
pub mod command;
pub mod hash;
pub mod mirror;
pub mod observer;
pub mod traffic;

mod cgroup;
mod connect;
mod error;
mod exec;
mod faults;
mod home;
mod host;
mod inventory;
mod lab;
mod leader;
mod limits;
mod lock;
mod machine;
mod machine_settings;
mod mirror_service;
mod namespace;
mod network;
mod packages;
mod places;
mod power;
mod process;
mod program;
mod record;
mod remains;
mod supervisor;
mod vm;

pub use base::Release;
pub use connect::connect;
pub use error::{Error, Result};
pub use faults::{Block, Faults};
pub use home::Summary as HomeSummary;
pub use lab::{HostSummary, Lab, Summary};
pub use machine::{Accelerator, Architecture, Firmware, Machine, Vm};
pub use packages::missing_packages;
pub use places::Places;
pub use record::{HostRecord, Record, Role, Segment, Shape};
