//! What starts a virtual machine's kernel, and the line it gives it.

use std::path::Path;

use super::{boot_partition, qemu};
use crate::Result;
use crate::machine::{Accelerator, Architecture, Firmware, Vm};

/// What a Raspberry Pi's firmware puts before that line, and what in the line undoes it. The undoing word is one that only
/// kernels of Raspberry Pi know; a stock kernel passes over it, so that here the firmware heeds it.
const OFF: &str = "cgroup_disable=memory";
const ON: [&str; 2] = ["cgroup_enable=memory", "cgroup_memory=1"];

/// The kernel line of the next boot of the machine whose folder this is.
pub(super) fn kernel_line(vm: Vm, folder: &Path) -> Result<String> {
    let own = own_words(vm);
    match vm.firmware {
        Firmware::Plain => Ok(format!("{own} quiet")),
        Firmware::Pi => Ok(of_pi(&own, &boot_partition::line(folder)?)),
    }
}

/// What every such machine is given.
fn own_words(vm: Vm) -> String {
    let words =
        format!("root=/dev/vda ro console={} net.ifnames=0 mitigations=off", qemu::console(vm.architecture));
    // A kernel that changes its own code is now and then seen half changed by QEMU's other emulated processor (int3 in `sched_clock_cpu`,
    // version 7.2), and panics. The machine starts once more then, instead of standing still.
    let words = if vm.accelerator == Accelerator::Tcg { format!("{words} panic=-1") } else { words };
    match (vm.accelerator, vm.architecture) {
        // Emulated processors show their counters at slightly different moments, which the kernel takes for a fault. It would then
        // ask a device for the time at each look at a clock, which costs an emulated machine more than all else it does.
        (Accelerator::Tcg, Architecture::Amd64) => format!("{words} tsc=reliable"),
        _ => words,
    }
}

/// As a Raspberry Pi's firmware puts it together: its own words, then the first line of the file.
fn of_pi(own: &str, file: &str) -> String {
    let line = file.lines().next().unwrap_or_default().trim();
    let is_on = line.split_ascii_whitespace().any(|word| ON.contains(&word));
    let memory = if is_on { String::new() } else { format!("{OFF} ") };
    format!("{memory}{own} {line}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_emulated_processors_counter_is_its_clock_and_its_panic_a_reboot() {
        let vm = |accelerator, architecture| Vm { architecture, firmware: Firmware::Plain, accelerator };
        let reboots = |vm| own_words(vm).contains(" panic=-1");
        assert!(reboots(vm(Accelerator::Tcg, Architecture::Arm64)));
        assert!(!reboots(vm(Accelerator::Kvm, Architecture::Amd64)));
        let asks = |vm| own_words(vm).ends_with(" tsc=reliable");
        assert!(asks(vm(Accelerator::Tcg, Architecture::Amd64)));
        assert!(!asks(vm(Accelerator::Kvm, Architecture::Amd64)));
        assert!(!asks(vm(Accelerator::Tcg, Architecture::Arm64)));
    }

    #[test]
    fn the_memory_cgroup_is_off_until_the_files_first_line_says_otherwise() {
        assert_eq!(of_pi("root=x", "quiet\n"), "cgroup_disable=memory root=x quiet");
        assert_eq!(of_pi("root=x", "quiet cgroup_enable=memory\n"), "root=x quiet cgroup_enable=memory");
        // A second line is nothing that the firmware reads.
        assert_eq!(of_pi("root=x", "quiet\ncgroup_enable=memory\n"), "cgroup_disable=memory root=x quiet");
        assert_eq!(of_pi("root=x", ""), "cgroup_disable=memory root=x ");
    }
}
