//! What a host is: a system container, or a whole virtual machine.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// What a host is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Machine {
    /// A system container on this machine's kernel.
    #[default]
    Container,
    /// A virtual machine with a kernel of its own.
    Vm(Vm),
}

/// What kind of virtual machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vm {
    /// What its processor is.
    #[serde(rename = "arch")]
    pub architecture: Architecture,
    /// What starts its kernel.
    #[serde(default)]
    pub firmware: Firmware,
    /// What runs its processor.
    #[serde(default, rename = "accel")]
    pub accelerator: Accelerator,
}

impl Machine {
    /// The virtual machine, if it is one.
    pub fn vm(self) -> Option<Vm> {
        match self {
            Self::Container => None,
            Self::Vm(vm) => Some(vm),
        }
    }

    /// `container` or `vm`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::Vm(_) => "vm",
        }
    }

    /// What its processor is; none where this machine's own is of a kind that the lab has no name for.
    pub fn architecture(self) -> Option<Architecture> {
        self.vm().map_or_else(Architecture::own, |vm| Some(vm.architecture))
    }
}

/// What a processor is, as Debian calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Architecture {
    /// `x86_64`
    Amd64,
    /// `aarch64`, what Raspberry Pis are
    Arm64,
}

impl Architecture {
    /// This machine's own.
    pub fn own() -> Option<Self> {
        match std::env::consts::ARCH {
            "x86_64" => Some(Self::Amd64),
            "aarch64" => Some(Self::Arm64),
            _ => None,
        }
    }

    /// As Debian writes it, and the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }
}

/// What starts the kernel of a virtual machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Firmware {
    /// The kernel line is the lab's own
    #[default]
    Plain,
    /// As a Raspberry Pi's: reads `/boot/firmware/cmdline.txt`, and switches the memory cgroup off unless that says otherwise
    Pi,
}

/// What runs the processor of a virtual machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Accelerator {
    /// Emulation by QEMU: slow, runs everywhere
    #[default]
    Tcg,
    /// This machine's processor, through `/dev/kvm`
    Kvm,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_of_before_there_were_virtual_machines_is_one_of_containers() {
        let text = r#"{"kind":"vm","arch":"arm64"}"#;
        let machine: Machine = serde_json::from_str(text).unwrap();
        let vm = machine.vm().unwrap();
        assert_eq!((vm.architecture, vm.firmware), (Architecture::Arm64, Firmware::Plain));
        assert_eq!(serde_json::to_string(&Machine::default()).unwrap(), r#"{"kind":"container"}"#);
    }
}
