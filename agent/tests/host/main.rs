//! Every kind of step, and reset, on a host in memory.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests are tests")]

mod boot;
mod clock;
mod files;
mod guarded;
mod machine;
mod membership;
mod modules;
mod packages;
mod packet_filter;
mod programs;
mod raspberry_pi;
mod reset;
mod settings;
mod software;
mod sshd;
mod sshd_program;
mod swap;
mod withdraw;
