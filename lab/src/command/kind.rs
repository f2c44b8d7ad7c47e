//! What hosts are, as a user says it.

use clap::{Args, ValueEnum};

use crate::base::Release;
use crate::machine::{Accelerator, Architecture, Firmware, Machine, Vm};
use crate::{Error, Result};

/// A container or a virtual machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Kind {
    /// A system container on this machine's kernel
    #[default]
    Container,
    /// A virtual machine with its own kernel
    Vm,
}

/// What the hosts are that a lab lacks.
#[derive(Debug, Clone, Default, Args)]
pub struct Arguments {
    /// What the hosts are that the lab lacks
    #[arg(long, value_enum, default_value_t)]
    pub kind: Kind,
    /// What their processors are; this machine's own if left out
    #[arg(long, value_name = "ARCH", value_enum)]
    pub arch: Option<Architecture>,
    /// What starts the kernel of a virtual machine
    #[arg(long, value_enum, default_value_t)]
    pub firmware: Firmware,
    /// What runs the processor of a virtual machine
    #[arg(long, value_enum, default_value_t)]
    pub accel: Accelerator,
}

impl Arguments {
    /// What that is, and of which release.
    pub(super) fn resolve(&self, os: Option<Release>) -> Result<(Release, Machine)> {
        let refused = |message: String| Err(Error::Refused { message });
        let Some(architecture) = self.arch.or_else(Architecture::own) else {
            return refused(format!(
                "the lab has no hosts for this machine's processor ({}); name one with `--kind vm --arch`",
                std::env::consts::ARCH
            ));
        };
        let is_foreign = Architecture::own() != Some(architecture);
        if self.kind == Kind::Container {
            let for_vm = [
                (is_foreign, "--arch"),
                (self.firmware != Firmware::Plain, "--firmware"),
                (self.accel != Accelerator::Tcg, "--accel"),
            ];
            if let Some((_, option)) = for_vm.into_iter().find(|(given, _)| *given) {
                return refused(format!(
                    "`{option}` is for virtual machines, containers run on this machine's own kernel and processor; add `--kind vm`"
                ));
            }
            return Ok((os.unwrap_or_default(), Machine::Container));
        }
        let os = os.unwrap_or(Release::Trixie);
        if os != Release::Trixie {
            return refused(format!(
                "virtual machines are made of trixie only, not of {os}; leave `--os` out"
            ));
        }
        if self.accel == Accelerator::Kvm && is_foreign {
            return refused(format!(
                "`--accel kvm` runs programs for this machine's own processor only, not for {}; leave it out",
                architecture.as_str()
            ));
        }
        let vm = Vm { architecture, firmware: self.firmware, accelerator: self.accel };
        Ok((os, Machine::Vm(vm)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_is_refused_with_the_option_that_asks_for_it() {
        let foreign = match Architecture::own() {
            Some(Architecture::Arm64) => Architecture::Amd64,
            _ => Architecture::Arm64,
        };
        let said = |arguments: &Arguments, os| arguments.resolve(os).unwrap_err().to_string();
        let container = Arguments { arch: Some(foreign), ..Arguments::default() };
        assert!(said(&container, None).contains("`--arch` is for virtual machines"));
        let container = Arguments { firmware: Firmware::Pi, ..Arguments::default() };
        assert!(said(&container, None).contains("`--firmware` is for virtual machines"));
        let vm = Arguments { kind: Kind::Vm, arch: Some(foreign), ..Arguments::default() };
        assert!(said(&vm, Some(Release::Noble)).contains("not of noble"));
        let kvm = Arguments { accel: Accelerator::Kvm, ..vm.clone() };
        assert!(said(&kvm, None).contains("`--accel kvm`"));
        let (os, machine) = vm.resolve(None).unwrap();
        assert_eq!((os, machine.vm().unwrap().architecture), (Release::Trixie, foreign));
        assert_eq!(Arguments::default().resolve(None).unwrap(), (Release::Bookworm, Machine::Container));
    }
}
