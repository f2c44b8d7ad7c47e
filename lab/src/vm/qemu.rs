//! The last steps before a virtual machine starts, in a process that then becomes QEMU.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;

use super::{boot_partition, disk, firmware, guest, monitor};
use crate::machine::{Accelerator, Architecture, Firmware, Vm};
use crate::record::{HostRecord, Role};
use crate::{Error, Lab, Places, Result, base, cgroup, namespace, network, program};

/// Becomes the virtual machine of a host; comes back only when that fails.
///
/// # Errors
/// When one of the steps fails.
pub(crate) fn boot(
    places: &Places,
    lab: &str,
    host: &HostRecord,
    vm: Vm,
) -> Result<std::convert::Infallible> {
    // The supervisor's end is a power cut: nobody would be left to restart the host.
    set_pdeathsig(Signal::SIGKILL).map_err(Error::system("tie the host to its supervisor"))?;
    let record = Lab::open(places, lab)?.record;
    let folder = places.host(lab, &host.name);
    let base = base::folder(places, record.base(host)?);
    let line = firmware::kernel_line(vm, &folder)?;
    let version = version(emulator(vm.architecture))?;
    cgroup::join(&namespace::of_host(lab, &host.name))?;
    // The tap is there, and nothing of QEMU's own network is anybody else's.
    namespace::enter(&namespace::of_lab(lab))?;
    let argv = argv(host, vm, version, &base, &folder, &line);
    let source = Command::new(emulator(vm.architecture)).args(argv).current_dir(&folder).exec();
    Err(Error::Spawn { command: emulator(vm.architecture).into(), source })
}

/// The program that is such a machine.
fn emulator(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::Amd64 => "qemu-system-x86_64",
        Architecture::Arm64 => "qemu-system-aarch64",
    }
}

/// Memory in MiB: kubeadm asks for 1700 on a control plane, and etcd, the API server and what comes with them fill that.
fn memory(role: Role) -> u32 {
    match role {
        Role::ControlPlane => 3072,
        Role::Worker => 2048,
    }
}

/// The console that the kernel writes to.
pub(super) fn console(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::Amd64 => "ttyS0",
        Architecture::Arm64 => "ttyAMA0",
    }
}

fn argv(host: &HostRecord, vm: Vm, version: u32, base: &Path, folder: &Path, line: &str) -> Vec<String> {
    let path = |name: &str| folder.join(name).display().to_string();
    let (kernel, initrd) = (base.join(base::KERNEL), base.join(base::INITRD));
    let memory = memory(host.role).to_string();
    // A disk image's writes reach this machine's memory at once and outlive QEMU: what the guest has synced is kept over
    // a power cut, what it has not is lost. That this machine's own disk also has it is nothing a lab needs to wait for.
    let drive = format!("file={},format=raw,if=none,id=disk,cache=unsafe", path(disk::NAME));
    let card = format!("virtio-net-pci,netdev=network,mac={},romfile=", network::card(host.address));
    let tap = format!("tap,id=network,ifname={},script=no,downscript=no", host.name);
    let agent = format!("socket,id=agent,path={},server=on,wait=off", path(guest::SOCKET));
    let events = format!("socket,id=events,path={}", path(monitor::SOCKET));
    let mut words = vec!["-nodefaults", "-no-user-config", "-display", "none"];
    let accelerator = accelerator(vm.accelerator);
    words.extend([
        "-machine",
        machine(vm.architecture),
        "-accel",
        accelerator,
        "-cpu",
        processor(vm, version),
    ]);
    words.extend(["-smp", "2", "-m", &memory]);
    let (kernel, initrd) = (kernel.display().to_string(), initrd.display().to_string());
    words.extend(["-kernel", &kernel, "-initrd", &initrd, "-append", line]);
    words.extend(["-drive", &drive, "-device", "virtio-blk-pci,drive=disk"]);
    let boot = format!("file={},format=raw,if=none,id=boot,cache=unsafe", path(boot_partition::NAME));
    if vm.firmware == Firmware::Pi {
        words.extend(["-drive", &boot, "-device", "virtio-blk-pci,drive=boot"]);
    }
    words.extend(["-netdev", &tap, "-device", &card, "-device", "virtio-rng-pci"]);
    words.extend(["-device", "virtio-serial-pci", "-chardev", &agent]);
    words.extend(["-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0"]);
    words.extend(["-chardev", &events, "-mon", "chardev=events,mode=control"]);
    // Into the file that is this process's standard output.
    words.extend(["-serial", "stdio"]);
    // Firmware reads the kernel line anew at each boot; QEMU would start the old one.
    words.push("-no-reboot");
    words.into_iter().map(str::to_owned).collect()
}

fn machine(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::Amd64 => "q35",
        Architecture::Arm64 => "virt,gic-version=3",
    }
}

fn accelerator(accelerator: Accelerator) -> &'static str {
    match accelerator {
        Accelerator::Tcg => "tcg,thread=multi,tb-size=512",
        Accelerator::Kvm => "kvm",
    }
}

/// The richest processor that works in this version of QEMU.
fn processor(vm: Vm, version: u32) -> &'static str {
    match (vm.accelerator, vm.architecture, version) {
        (Accelerator::Kvm, ..) => "host",
        // Version 7 emulates a 16-byte exchange that the kernel trips over.
        (_, Architecture::Amd64, ..8) => "max,-cx16",
        (_, Architecture::Amd64, _) => "max",
        (_, Architecture::Arm64, ..8) => "cortex-a72",
        // Pointer authentication by the architecture's own cipher takes half of the time of all calls.
        (_, Architecture::Arm64, _) => "max,pauth-impdef=on",
    }
}

/// The first number of QEMU's version.
fn version(emulator: &str) -> Result<u32> {
    let said = program::run(&[emulator, "--version"])?;
    major(&said).ok_or_else(|| Error::Refused {
        message: format!("`{emulator} --version` names no version: {}", program::tail(&said, 1)),
    })
}

fn major(said: &str) -> Option<u32> {
    said.split_once("version ")?.1.split('.').next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Machine;
    use crate::{Release, Role};

    fn vm(architecture: Architecture) -> Vm {
        Vm { architecture, firmware: Firmware::Plain, accelerator: Accelerator::Tcg }
    }

    #[test]
    fn each_version_of_qemu_gets_a_processor_that_works_there() {
        let said =
            "QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)\nCopyright (c) 2003-2022\n";
        assert_eq!(major(said), Some(7));
        assert_eq!(major("nonsense"), None);
        assert_eq!(processor(vm(Architecture::Amd64), 7), "max,-cx16");
        assert_eq!(processor(vm(Architecture::Amd64), 10), "max");
        assert_eq!(processor(vm(Architecture::Arm64), 10), "max,pauth-impdef=on");
        let kvm = Vm { accelerator: Accelerator::Kvm, ..vm(Architecture::Amd64) };
        assert_eq!(processor(kvm, 10), "host");
    }

    #[test]
    fn the_kernel_line_is_one_word_and_the_card_is_the_hosts_own() {
        let machine = vm(Architecture::Arm64);
        let host = HostRecord {
            segment: crate::Segment::Lan,
            name: "w1".into(),
            role: Role::Worker,
            os: Release::Trixie,
            machine: Machine::Vm(machine),
            address: [10, 66, 3, 12].into(),
        };
        let argv = argv(&host, machine, 10, Path::new("/base"), Path::new("/w1"), "root=/dev/vda a b");
        let after = |word: &str| argv[argv.iter().position(|one| one == word).unwrap() + 1].as_str();
        assert_eq!(after("-append"), "root=/dev/vda a b");
        assert_eq!(after("-m"), "2048");
        assert_eq!(after("-netdev"), "tap,id=network,ifname=w1,script=no,downscript=no");
        assert!(argv.iter().any(|word| word.contains("mac=02:67:62:00:03:0c")), "{argv:?}");
    }
}
