//! What has to do with a boot: the clock, kernel parameters, the boot itself.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The clock is right, and something keeps it so. A host whose clock follows a time service is believed; else the client's time
/// counts. Restore gives back whether the time service starts at boot and runs; the time itself stays right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clock {
    /// What the time is; `None`: nobody knows better than the host.
    pub reference: Option<ClockReference>,
    /// How far the host's clock may be off before it is set, in milliseconds.
    pub tolerance_milliseconds: u64,
}

/// A moment on two clocks: the client's, and the host's count since its boot. The count goes on evenly whatever happens to the
/// host's clock, so that the time can be told from it as long as the host is not booted again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockReference {
    /// The boot the count belongs to.
    pub boot_id: String,
    /// The host's `CLOCK_BOOTTIME`, in milliseconds.
    pub boot_milliseconds: u64,
    /// The client's clock at that moment, milliseconds since 1970.
    pub time_milliseconds: u64,
}

/// Kernel parameters in the file that the boot loader reads: a Raspberry Pi's `cmdline.txt`. They take effect at the next boot.
/// Its one line stays one, all else of it byte for byte; restore takes these words away again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BootConfig {
    /// Each as the kernel takes it, for example `cgroup_enable=memory`; at least one.
    pub kernel_parameters: Vec<String>,
}

/// A reboot, where something pends that only a boot brings about; never otherwise. The executor ends with it. Nothing to restore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reboot {
    /// What it looks for; at least one.
    pub pending: Vec<Pending>,
}

/// What only a boot brings about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pending {
    /// The boot loader's file has this parameter, the running kernel does not.
    KernelParameter(String),
    /// The operating system asks for it: `/run/reboot-required` of Debian and Ubuntu.
    Required,
}

impl fmt::Display for Pending {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::KernelParameter(parameter) => parameter,
            Self::Required => "the operating system's packages",
        })
    }
}
