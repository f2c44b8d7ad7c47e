//! A virtual machine: what only a kernel of its own can show. One machine for all of it: emulated, each boot takes its time.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::process::{Command, Stdio};

use garboard_lab::{Accelerator, Architecture, Error, Faults, Firmware, Machine, Role, Shape, Vm, observer};

use super::down::remains;
use super::fixture::{TestLab, places};

const LINE: &str = "/boot/firmware/cmdline.txt";

/// One that starts as a Raspberry Pi does, with this machine's own kind of processor: the quickest there is.
fn shape() -> Shape {
    let vm = Vm {
        architecture: Architecture::own().expect("a processor that the lab has a name for"),
        firmware: Firmware::Pi,
        accelerator: Accelerator::Tcg,
    };
    Shape {
        control_planes: 1,
        workers: 0,
        edge: false,
        os: garboard_lab::Release::Trixie,
        machine: Machine::Vm(vm),
    }
}

#[test]
fn a_virtual_machine_is_a_host_with_a_kernel_of_its_own() {
    let test = TestLab::up_shaped("t-vm", shape(), None);
    let boot = || test.says("cp1", &["cat", "/proc/sys/kernel/random/boot_id"]);
    assert_eq!(test.lab.host("cp1").unwrap().role, Role::ControlPlane);

    programs_run_without_the_network(&test);
    it_answers_ssh_by_the_pinned_key(&test);
    its_kernel_is_its_own(&test);
    assert_eq!(test.timers("cp1"), ["systemd-tmpfiles-clean.timer"]);
    assert!(matches!(observer::Observer::start(&test.lab, "cp1"), Err(Error::Refused { .. })));

    // The memory cgroup is off, as on a new Raspberry Pi, until the line says otherwise and the machine has booted with it.
    let line = || test.says("cp1", &["cat", "/proc/cmdline"]);
    assert!(line().starts_with("cgroup_disable=memory "), "{}", line());
    assert!(!has_memory(&test));
    // A first boot of a system does what no later one does.
    test.lab.reboot("cp1").unwrap();
    assert!(!test.lab.exec("cp1", &["test", "-e", "/run/gone"]).unwrap().status.success());
    let bare = test.lab.state("cp1").unwrap();
    each_thing_left_behind_is_seen_and_its_going_too(&test, &bare);

    test.says("cp1", &["sed", "-i", "1s/$/ cgroup_enable=memory/", LINE]);
    let before = boot();
    test.lab.reboot("cp1").unwrap();
    assert_ne!(boot(), before);
    assert!(!line().contains("cgroup_disable") && line().ends_with("cgroup_enable=memory"), "{}", line());
    assert!(has_memory(&test));

    what_was_synced_outlives_a_power_cut_and_nothing_else(&test);
    assert!(has_memory(&test), "the line was lost with the power");

    test.says("cp1", &["sed", "-i", "s/ cgroup_enable=memory//", LINE]);
    test.says("cp1", &["rm", "/root/synced"]);
    test.lab.reboot("cp1").unwrap();
    assert_eq!(test.lab.state("cp1").unwrap().differences(&bare), [""; 0], "reboots and a power cut");

    // A supervisor that is killed takes its machine along; `down` finds what it left.
    let listed = Command::new("pgrep").args(["-f", "lab supervise t-vm "]).output().unwrap();
    let pid = String::from_utf8_lossy(&listed.stdout).trim().to_owned();
    assert!(Command::new("kill").args(["-KILL", &pid]).status().unwrap().success(), "{pid}");
    assert!(!remains("t-vm").is_empty());
    garboard_lab::Lab::down(&test.places, "t-vm").unwrap();
    assert_eq!(remains("t-vm"), [""; 0]);
}

fn has_memory(test: &TestLab) -> bool {
    let controllers = test.says("cp1", &["cat", "/sys/fs/cgroup/cgroup.controllers"]);
    controllers.split(' ').any(|controller| controller == "memory")
}

fn programs_run_without_the_network(test: &TestLab) {
    test.lab.net("cp1", &Faults { loss: 10_000, ..Faults::default() }).unwrap();
    let mut command = Command::new(places().program);
    command.args(["lab", "exec", "t-vm", "cp1", "--", "sh", "-c"]);
    command.args(["printf '%s|' \"$@\"; cat; echo wrong >&2; exit 7", "-", "a b", ""]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"in").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "a b||in");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "wrong\n");
    assert_eq!(output.status.code(), Some(7));
    let much = test.lab.exec("cp1", &["head", "--bytes=5000000", "/dev/zero"]).unwrap();
    assert_eq!(much.stdout.len(), 5_000_000);
    let too_much = test.lab.exec("cp1", &["head", "--bytes=20000000", "/dev/zero"]).unwrap_err();
    assert!(too_much.to_string().contains("said more than"), "{too_much}");
    assert!(!test.ssh("cp1", "true").status.success(), "a dead cable carries nothing");
    test.lab.net("cp1", &Faults::default()).unwrap();
}

fn it_answers_ssh_by_the_pinned_key(test: &TestLab) {
    let output = test.ssh("cp1", "hostname; exit 3");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "cp1", "{output:?}");
    assert_eq!(output.status.code(), Some(3));
    let inventory = garboard_inventory::load(&test.lab.inventory()).unwrap();
    let printed = test.says("cp1", &["ssh-keygen", "-lf", "/etc/ssh/ssh_host_ed25519_key.pub"]);
    assert_eq!(printed.split(' ').nth(1), inventory.hosts[0].host_key.as_deref());
    let written = fs_err::read_to_string(test.lab.inventory()).unwrap();
    assert!(!written.contains("allow_cgroup_v1"), "{written}");
}

fn its_kernel_is_its_own(test: &TestLab) {
    assert_eq!(test.says("cp1", &["systemctl", "is-system-running"]), "running");
    assert_eq!(test.says("cp1", &["stat", "--file-system", "--format=%T", "/sys/fs/cgroup"]), "cgroup2fs");
    let own = fs_err::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    assert_ne!(test.says("cp1", &["uname", "-r"]), own.trim());
    assert!(!test.says("cp1", &["dpkg-query", "-W"]).contains("containerd"));
    test.says("cp1", &["touch", "/run/gone"]);
}

/// How a thing comes, how it goes, and what the list then shows: beside what is so on containers, what only a kernel has.
const CHANGES: [(&[&str], &[&str], &str); 7] = [
    (&["touch", "/etc/x"], &["rm", "/etc/x"], "tree /etc/x file 0644 0:0 e3b0c442"),
    (&["mkdir", "/run/x"], &["rmdir", "/run/x"], "tree /run/x folder"),
    (&["modprobe", "vxlan"], &["modprobe", "--remove", "vxlan"], "module vxlan"),
    // Emulated machines are started with `panic=-1`.
    (&["sysctl", "-w", "kernel.panic=7"], &["sysctl", "-w", "kernel.panic=-1"], "sysctl kernel/panic 7"),
    (
        &["sh", "-c", "fallocate -l 16M /swap; chmod 600 /swap; mkswap /swap; swapon /swap"],
        &["sh", "-c", "swapoff /swap; rm /swap"],
        "swap /swap file",
    ),
    (
        &["nft", "add", "table", "inet", "x"],
        &["nft", "delete", "table", "inet", "x"],
        "nft 00000 table inet x",
    ),
    (
        &["systemd-run", "--quiet", "--unit=garboard-x", "sleep", "1000"],
        &["systemctl", "stop", "garboard-x"],
        "process /system.slice/garboard-x.service /usr/bin/sleep",
    ),
];

fn each_thing_left_behind_is_seen_and_its_going_too(test: &TestLab, bare: &garboard_lab::hash::State) {
    for (come, _, _) in CHANGES {
        test.says("cp1", come);
    }
    let differences = test.lab.state("cp1").unwrap().differences(bare);
    for (_, go, shown) in CHANGES {
        assert!(
            differences.iter().any(|line| line.starts_with(&format!("+ {shown}"))),
            "{shown}: {differences:#?}"
        );
        test.says("cp1", go);
    }
    assert_eq!(test.lab.state("cp1").unwrap().differences(bare), [""; 0]);
}

fn what_was_synced_outlives_a_power_cut_and_nothing_else(test: &TestLab) {
    test.says("cp1", &["sh", "-c", "echo kept > /root/synced; sync; echo lost > /root/unsynced"]);
    test.lab.power_cut("cp1").unwrap();
    assert!(matches!(test.lab.exec("cp1", &["true"]), Err(Error::Off { .. })));
    test.lab.power_on(&["cp1".into()]).unwrap();
    assert_eq!(test.says("cp1", &["cat", "/root/synced"]), "kept");
    let unsynced = test.lab.exec("cp1", &["cat", "/root/unsynced"]).unwrap();
    assert_ne!(String::from_utf8_lossy(&unsynced.stdout), "lost\n");
}
