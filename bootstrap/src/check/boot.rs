//! How the host boots: the memory controller that a Raspberry Pi's firmware turns off, reboots that pend or did not help.

use super::{Row, Subject};

/// What turns the memory controller on; the word of Raspberry Pi's and Ubuntu's kernels for their boards alone
/// (raspberrypi/linux#6439, #6980).
const MEMORY: &str = "cgroup_enable=memory";
const OFF: &str = "the memory controller is off";

pub(super) fn rows(subject: &Subject<'_>, rows: &mut Vec<Row>) {
    let boot = &subject.facts.boot;
    // What concerns the memory controller is told by its own row.
    let in_vain: Vec<&str> =
        boot.in_vain.iter().map(String::as_str).filter(|parameter| *parameter != MEMORY).collect();
    if !in_vain.is_empty() {
        rows.push(subject.blocking("reboot", vain(&in_vain.join(" "), &boot.files), BY_HAND));
    } else if boot.reboot_required && !subject.facts.shared_kernel {
        rows.push(subject.warning(
            "reboot",
            "the operating system asks for one (`/run/reboot-required`)",
            "reboot the host when it suits you; `up` does not, unless a playbook says `reboot: { if: [required] }`",
        ));
    }
}

const BY_HAND: &str = "see what the boot loader reads (`/proc/cmdline` shows what the kernel was given), mend that, and reboot the host \
                       yourself; nothing is rebooted a second time for this";

fn vain(parameters: &str, files: &[String]) -> String {
    let files = files.join("` and `");
    format!("`{files}` has `{parameters}`, but the kernel was started without it, also after a reboot for it")
}

/// The row of a host whose kernel offers no memory controller.
pub(super) fn without_memory(subject: &Subject<'_>) -> Row {
    let (facts, boot) = (subject.facts, &subject.facts.boot);
    let blocking = |text: String, help: &str| subject.blocking("cgroups", text, help);
    if facts.shared_kernel {
        return blocking(
            OFF.to_owned(),
            "it is the machine's kernel that lacks it: add `cgroup_enable=memory` to its command line and reboot the machine",
        );
    }
    let words: Vec<&str> = boot.command_line.split_whitespace().collect();
    let last = |word: &str| words.iter().rposition(|one| *one == word);
    if let Some(enabled) = last(MEMORY) {
        let disabled = last("cgroup_disable=memory").filter(|disabled| *disabled > enabled);
        return match disabled {
            Some(_) => blocking(
                format!("{OFF}: the kernel was given `{MEMORY}`, but `cgroup_disable=memory` after it"),
                "take `cgroup_disable=memory` out of the boot file and reboot",
            ),
            None => blocking(
                format!("{OFF}, though the kernel was given `{MEMORY}`: {} does not heed it", facts.kernel),
                "use a kernel with the memory controller (`CONFIG_MEMCG`): the operating system's own for this board",
            ),
        };
    }
    if boot.in_vain.iter().any(|parameter| parameter == MEMORY) {
        return blocking(format!("{OFF}: {}", vain(MEMORY, &boot.files)), BY_HAND);
    }
    match (boot.loader.as_str(), &boot.unmounted) {
        ("firmware", None) => subject.warning(
            "cgroups",
            format!(
                "{OFF}: `{MEMORY}` goes into `{}`, and the host reboots once",
                boot.files.join("` and `")
            ),
            "nothing to do; `reset` takes the word away again",
        ),
        ("firmware", Some(folder)) => blocking(
            format!(
                "{OFF}, and the boot partition, whose `cmdline.txt` turns it on, is not mounted at `{folder}`"
            ),
            &format!("mount it: `mount {folder}` (see its line in `/etc/fstab`)"),
        ),
        ("grub", _) => blocking(
            OFF.to_owned(),
            "add `cgroup_enable=memory` to `GRUB_CMDLINE_LINUX` in `/etc/default/grub`, run `update-grub` and reboot; GRUB's \
             configuration is not edited in this version",
        ),
        _ => blocking(
            OFF.to_owned(),
            "add `cgroup_enable=memory` to the kernel's command line in your boot loader and reboot",
        ),
    }
}
