//! What must be shown on real hosts, with the real product: one file a promise. Needs root and `cargo xtask test`,
//! which sets `GARBOARD_BINARY` and `GARBOARD_MIRROR`.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that cannot go on has failed; a long one says what it does"
)]

mod harness;

mod addons;
mod damage;
mod ddns;
mod drain;
mod failures;
mod firewall;
mod growth;
mod home;
mod host_keys;
mod ingress;
mod init;
mod interrupts;
mod kills;
mod life;
mod login;
mod machines;
mod mesh;
mod odd_hosts;
mod openvpn;
mod own_playbook;
mod packages;
mod ready;
mod reboots;
mod refusals;
mod releases;
mod repair;
mod reset;
mod second_up;
mod silence;
mod taken;
mod token;
mod whole_edge;
