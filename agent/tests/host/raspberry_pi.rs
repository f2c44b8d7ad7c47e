//! Roots of Raspberry Pis, written from what their makers document: what the facts are, what `plan` shows for a control plane on
//! them, and that reset gives the same bytes back. `UPDATE_GOLDEN=1` rewrites `tests/fixtures/*.plan`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fs_err as fs;
use garboard_agent::facts;
use garboard_agent::store::Layout;
use garboard_agent::system::Look as _;
use garboard_agent::system::fake::Fake;
use garboard_inventory::Inventory;
use garboard_playbooks::{Artifacts, FILES, IMAGES, Inputs, PlannedStep, shipped};
use garboard_protocol::facts::{InterfaceAddress, Power, SwapSource};
use garboard_protocol::request::FactsQuery;
use garboard_protocol::reset::ResetOptions;
use garboard_protocol::step::{Blob, ClockReference, ImageSource};
use garboard_protocol::{Digest, Facts, Observation, Step};

use crate::machine::Machine;
use crate::reset::reset;

const BOOKWORM: &str = "raspberry-pi-os-bookworm";
const TRIXIE: &str = "raspberry-pi-os-trixie";
const UBUNTU: &str = "ubuntu-24.04-raspberry-pi";

/// Playbooks that set up the operating system. Those that follow install software, whose steps say the same on every host.
const OF_THE_SYSTEM: [&str; 3] = ["boot", "host", "sd-card"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// A host in memory from a file of files: each below a line `==> PATH <==`, a link in a line `==> PATH -> TARGET <==`, NUL
/// written as `\0`. Two hours behind, as a machine without a battery may be.
fn root(name: &str) -> Machine {
    let text = fs::read_to_string(folder().join(format!("{name}.root"))).unwrap();
    let fake = Fake::with(&[]);
    for place in
        ["/etc/systemd/system", "/etc/sysctl.d", "/etc/modules-load.d", "/usr/local/bin", "/var/lib", "/run"]
    {
        fake.put_directory(place);
    }
    for piece in text.split("==> ").skip(1) {
        let (head, content) = piece.split_once(" <==\n").unwrap();
        match head.split_once(" -> ") {
            Some((path, target)) => fake.put_link(path, target),
            // The kernel adds the line's end itself when a setting is read.
            None if head.starts_with("/proc/sys/net/") => {
                fake.put(head, content.trim_end().as_bytes(), 0o644);
            }
            None => fake.put(head, content.replace("\\0", "\0").as_bytes(), 0o644),
        }
    }
    fake.put("/bin/sh", b"\x7fELF\x02\x01\x01", 0o755);
    let page: u64 = if name == TRIXIE { 16_384 } else { 4_096 };
    fake.put("/proc/self/auxv", &[6, page, 0, 0].map(u64::to_ne_bytes).concat(), 0o400);
    fake.put_clock(-2 * 3_600_000, false);
    let machine = Machine::of(Arc::new(fake));
    let mut world = machine.world.lock().unwrap();
    let services = [
        "systemd-timesyncd.service",
        "dphys-swapfile.service",
        "systemd-journald.service",
        "rpi-zram-writeback.timer",
    ];
    for service in services {
        let is_off = name == UBUNTU && service == "systemd-timesyncd.service";
        if !is_off
            && (text.contains(&format!("systemd/system/{service} <=="))
                || text.contains(&format!("generator/{service} <==")))
        {
            world.active.insert(service.to_owned(), machine.fake.now());
        }
    }
    drop(world);
    machine
}

/// Facts as the agent of such a host gives them; what it takes from its own process and network is that of an arm64 machine.
fn facts_of(machine: &Machine) -> Facts {
    let address = InterfaceAddress { interface: "eth0".into(), address: "192.168.1.11".into(), prefix: 24 };
    Facts {
        architecture: "arm64".into(),
        addresses: vec![address],
        processors: 4,
        ..facts::collect(&*machine.fake, &Layout::host(), &FactsQuery::default())
    }
}

/// What lies in the memory of the kernel, and comes with each boot.
const OF_THE_BOOT: [&str; 3] =
    ["/proc/cmdline", "/proc/sys/kernel/random/boot_id", "/sys/fs/cgroup/cgroup.controllers"];

/// What a boot does: the firmware's words and the file's line, another boot id, and the controller that the line asks for.
fn boot(machine: &Machine) {
    let [command_line, boot_id, controllers] = OF_THE_BOOT;
    let read = |path: &str| machine.fake.content(path).unwrap();
    let (running, line) = (read(command_line), read("/boot/firmware/cmdline.txt"));
    let firmware = running.split_once("console=").unwrap().0;
    machine.fake.put(command_line, format!("{firmware}{line}").as_bytes(), 0o444);
    machine.fake.put(boot_id, b"11111111-2222-4333-8444-555555555555\n", 0o444);
    if line.split_whitespace().any(|word| word == "cgroup_enable=memory") {
        machine.fake.put(controllers, format!("{} memory\n", read(controllers).trim_end()).as_bytes(), 0o444);
    }
}

fn inventory(more: &str) -> Inventory {
    let text = format!(
        "cluster: {{ name: home, kubernetes: v1.36.3{more} }}\nhosts:\n  cp1: {{ address: 192.168.1.11, role: control_plane }}\n"
    );
    garboard_inventory::parse("garboard.yaml", &text).unwrap()
}

fn artifacts() -> Artifacts {
    let blob = |name: &str| Blob { digest: Digest::of(name.as_bytes()), size: 1 };
    let arm64 = |name: &str| BTreeMap::from([("arm64".to_owned(), blob(name))]);
    let image = |name: &str| {
        let (reference, blob) = (format!("registry.example/{name}:v1"), blob(name));
        let image = ImageSource { reference, index: blob, manifest: blob, config: blob, layers: vec![blob] };
        BTreeMap::from([("arm64".to_owned(), image)])
    };
    Artifacts {
        files: FILES.map(|name| (name.to_owned(), arm64(name))).into(),
        images: IMAGES.map(|name| (name.to_owned(), image(name))).into(),
    }
}

/// The chain of the host's system, and how many steps follow it.
fn chain(inventory: &Inventory, facts: &Facts) -> (Vec<PlannedStep>, usize) {
    let reference = ClockReference {
        boot_id: facts.boot_id.clone(),
        boot_milliseconds: facts.clock.boot_milliseconds,
        time_milliseconds: facts.clock_milliseconds + 2 * 3_600_000,
    };
    let inputs = Inputs {
        inventory,
        facts: &BTreeMap::from([("cp1".to_owned(), facts.clone())]),
        artifacts: &artifacts(),
        leader: "cp1",
        clocks: &BTreeMap::from([("cp1".to_owned(), reference)]),
        openvpn: None,
        ddns: None,
        ingress: None,
        serving: None,
    };
    let mut rendered = shipped().unwrap().render(&inputs).unwrap();
    let whole = rendered.hosts.remove("cp1").unwrap();
    let (system, software): (Vec<_>, Vec<_>) =
        whole.into_iter().partition(|step| OF_THE_SYSTEM.contains(&step.playbook.as_str()));
    (system, software.len())
}

/// What `plan` shows.
fn plan(machine: &Machine, inventory: &Inventory) -> String {
    let facts = facts_of(machine);
    let (chain, others) = chain(inventory, &facts);
    let mut text = format!("{}, {}, kernel {}\n", facts.machine.model, facts.os.name, facts.kernel);
    for planned in &chain {
        let _ = write!(text, "{} {} {}", planned.id, planned.step.kind(), planned.step.target());
        match machine.probe(&planned.step) {
            Observation::Converged { .. } => text.push_str(": as it should be\n"),
            Observation::Unknown { because } => {
                let _ = writeln!(text, ": unknown: {because}");
            }
            Observation::Differs { changes } => {
                text.push('\n');
                for change in changes {
                    let word = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
                    let (before, after) = (word(&change.before), word(&change.after));
                    let line = format!("{} {:?}: {before} -> {after}", change.subject, change.field);
                    for line in line.trim_end().lines() {
                        let _ = writeln!(text, "    {}", line.trim_end());
                    }
                }
            }
        }
    }
    let _ = writeln!(text, "and {others} steps that are the same on every host");
    text
}

fn golden(name: &str, actual: &str) {
    let path = folder().join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, actual).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(expected == actual, "{name} differs; with UPDATE_GOLDEN=1 it would become:\n{actual}");
}

#[test]
fn the_plan_of_each_raspberry_pi_is_what_its_makers_files_ask_for() {
    for name in [BOOKWORM, TRIXIE, UBUNTU] {
        golden(&format!("{name}.plan"), &plan(&root(name), &inventory("")));
    }
}

#[test]
fn a_raspberry_pi_has_its_bytes_back_after_a_reset() {
    for name in [BOOKWORM, TRIXIE, UBUNTU] {
        let machine = root(name);
        let before = machine.state();
        let steps = || -> Vec<_> {
            let (chain, _) = chain(&inventory(""), &facts_of(&machine));
            chain.into_iter().map(|planned| planned.step).collect()
        };
        let run = |steps: &[Step]| machine.run(steps).unwrap_or_else(|failure| panic!("{name}: {failure:?}"));
        // Up to the reboot, whose boot the rest of the chain is made for.
        let first = steps();
        let reboot = first.iter().position(|step| step.kind() == "reboot").unwrap();
        run(&first[..=reboot]);
        boot(&machine);
        let steps = steps();
        assert!(steps.iter().all(|step| !matches!(step.kind(), "boot_config" | "reboot")), "{name}");
        run(&steps);
        assert_ne!(machine.state(), before);
        for step in &steps {
            let seen = machine.probe(step);
            assert!(seen.is_converged(), "{name}: {} {}: {seen:?}", step.kind(), step.target());
        }
        assert!(
            facts::collect(&*machine.fake, &Layout::host(), &FactsQuery::default()).swap_sources.is_empty()
        );
        let journal = || machine.world.lock().unwrap().active.get("systemd-journald.service").copied();
        let with_ours = journal();
        let (report, _) = reset(&machine, &ResetOptions::default());
        assert_eq!(report.leftovers, [], "{name}");
        // A file that is gone still counts for a service that was not started since.
        assert_eq!(journal() > with_ours, name != UBUNTU, "{name}: {with_ours:?} {:?}", journal());
        let after = machine.state();
        for (path, what) in &before {
            if OF_THE_BOOT.contains(&path.as_str()) {
                continue;
            }
            assert_eq!(after.get(path), Some(what), "{name}: {path}");
        }
        let new: Vec<_> = after.keys().filter(|path| !before.contains_key(*path)).collect();
        assert_eq!(new, Vec::<&String>::new(), "{name}");
    }
}

#[test]
fn the_facts_of_each_raspberry_pi_are_those_of_its_files() {
    let [bookworm, trixie, ubuntu] = [BOOKWORM, TRIXIE, UBUNTU].map(|name| facts_of(&root(name)));
    assert_eq!(bookworm.machine.model, "Raspberry Pi 4 Model B Rev 1.4");
    assert_eq!(trixie.machine.model, "Raspberry Pi 5 Model B Rev 1.0");
    assert_eq!(ubuntu.machine.model, "Raspberry Pi 4 Model B Rev 1.5");
    assert!([&bookworm, &trixie, &ubuntu].iter().all(|facts| facts.machine.raspberry_pi));
    assert!([&bookworm, &trixie, &ubuntu].iter().all(|facts| facts.machine.userland_bits == 64));
    assert_eq!([&bookworm, &trixie, &ubuntu].map(|facts| facts.machine.sd_card), [true, true, false]);
    assert_eq!([&bookworm, &trixie, &ubuntu].map(|facts| facts.clock.hardware), [false, true, false]);
    let services = [&bookworm, &trixie, &ubuntu].map(|facts| facts.clock.services[0].active);
    assert_eq!(services, [true, true, false]);
    assert_eq!(
        bookworm.power,
        Some(Power { was_under_voltage: true, was_throttled: true, ..Power::default() })
    );
    assert_eq!(trixie.power, Some(Power::default()));
    assert_eq!(ubuntu.power, Some(Power { under_voltage: true, ..Power::default() }));
    let source =
        |maker: &str, name: &str, active| SwapSource { maker: maker.into(), name: name.into(), active };
    assert_eq!(
        bookworm.swap_sources,
        [
            source("dphys-swapfile", "/var/swap", true),
            source("dphys-swapfile", "dphys-swapfile.service", false)
        ]
    );
    assert_eq!(
        trixie.swap_sources,
        [
            source("rpi-swap", "/dev/zram0", true),
            source("rpi-swap", "dev-zram0.swap", false),
            source("rpi-swap", "rpi-zram-writeback.timer", false)
        ]
    );
    assert_eq!(ubuntu.swap_sources, [source("/etc/fstab", "/swap.img\tnone\tswap\tsw\t0\t0", false)]);
}

#[test]
fn thirty_two_bit_programs_are_seen_below_a_64_bit_kernel() {
    let machine = root(BOOKWORM);
    machine.fake.put("/bin/sh", b"\x7fELF\x01\x01\x01", 0o755);
    assert_eq!(facts_of(&machine).machine.userland_bits, 32);
    machine.fake.put("/bin/sh", b"#!/bin/busybox sh", 0o755);
    assert_eq!(facts_of(&machine).machine.userland_bits, 0, "a script tells nothing");
}

#[test]
fn emmc_is_no_card_though_it_is_named_like_one() {
    let machine = root(TRIXIE);
    machine.fake.put("/sys/block/mmcblk0/device/type", b"MMC\n", 0o444);
    assert!(!facts_of(&machine).machine.sd_card);
}

#[test]
fn the_tool_of_raspberry_pi_os_is_asked_where_the_kernel_has_no_file() {
    let machine = root(TRIXIE);
    machine.fake.take("/sys/devices/platform");
    assert_eq!(facts_of(&machine).power, None);
    machine.fake.put("/usr/bin/vcgencmd", b"", 0o755);
    machine.fake.answer("/usr/bin/vcgencmd get_throttled", "throttled=0x80008\n");
    let hot = Power { throttled: true, was_throttled: true, ..Power::default() };
    assert_eq!(facts_of(&machine).power, Some(hot));
}

#[test]
fn swap_that_is_left_to_the_kubelet_stays() {
    let text = plan(&root(TRIXIE), &inventory(", swap: kubelet"));
    assert!(!text.contains("swap off") && text.contains("clock right"), "{text}");
}
