//! How a host boots: which file gives the kernel its parameters, what stands in it, and what a reboot was ordered for.

mod line;
mod loader;
mod ordered;

pub use line::{Fault, Line, has_word};
pub use loader::{Loader, running_line};
pub use ordered::{Ordered, boot_id};

/// Debian's and Ubuntu's wish for a reboot: update-notifier's and unattended-upgrades' hooks make it after an upgrade of the
/// kernel or the C library; `/run` is empty again after a boot.
pub const REBOOT_REQUIRED: &str = "/run/reboot-required";
