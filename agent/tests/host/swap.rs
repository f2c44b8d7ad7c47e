//! Swap of every kind: off now and at the next boot, and back with reset.

use garboard_protocol::Step;
use garboard_protocol::reset::ResetOptions;
use garboard_protocol::step::Swap;

use crate::machine::Machine;
use crate::reset::reset;

const SWAPS: &str = "Filename Type Size Used Priority\n";

fn off() -> Step {
    Step::Swap(Swap {})
}

/// A host whose `/etc/fstab` says nothing of swap.
fn bare() -> Machine {
    let machine = Machine::new();
    machine.fake.put("/etc/fstab", b"/dev/sda1 / ext4 defaults 0 1\n", 0o644);
    machine
}

fn active(machine: &Machine, path: &str) {
    machine.fake.put("/proc/swaps", format!("{SWAPS}{path} partition 1 0 -2\n").as_bytes(), 0o644);
}

/// Turns swap off, sees that it is off for good, gives the host back and sees that all is as it was.
fn there_and_back(machine: &Machine, gone: &[&str], masked: &[&str]) {
    let before = machine.state();
    machine.run(&[off()]).unwrap();
    assert_eq!(machine.fake.content("/proc/swaps").as_deref(), Some(SWAPS));
    assert!(machine.probe(&off()).is_converged());
    let state = machine.state();
    for path in gone {
        assert!(!state.contains_key(*path), "{path}");
    }
    for unit in masked {
        assert!(
            state.get(&format!("/etc/systemd/system/{unit}")).is_some_and(|what| what.starts_with("Symlink")),
            "{unit}"
        );
    }
    let (report, _) = reset(machine, &ResetOptions::default());
    assert_eq!(report.leftovers, []);
    assert_eq!(machine.state(), before);
}

fn generator(machine: &Machine, name: &str) {
    machine.fake.put(&format!("/usr/lib/systemd/system-generators/{name}"), b"", 0o755);
}

#[test]
fn a_swap_partition_that_a_generator_found_is_masked_by_its_unit() {
    let machine = bare();
    active(&machine, "/dev/sda3");
    let unit = "/run/systemd/generator.late/dev-disk-by\\x2dpartuuid-1.swap";
    machine.fake.put(unit, b"# made by systemd-gpt-auto-generator\n[Swap]\nWhat=/dev/sda3\n", 0o644);
    there_and_back(&machine, &[], &["dev-sda3.swap", "dev-disk-by\\x2dpartuuid-1.swap"]);
}

#[test]
fn swap_of_zram_generator_is_masked_and_what_is_no_swap_stays() {
    let machine = bare();
    generator(&machine, "zram-generator");
    let text = b"[zram0]\nzram-size = ram / 2\n\n[zram1]\nmount-point = /var/tmp\n\n[zram2]\nfs-type=ext4\n";
    machine.fake.put("/etc/systemd/zram-generator.conf", text, 0o644);
    machine.fake.put(
        "/run/systemd/generator/dev-zram0.swap",
        b"# made by zram-generator\n[Swap]\nWhat=/dev/zram0\n",
        0o644,
    );
    active(&machine, "/dev/zram0");
    there_and_back(
        &machine,
        &["/etc/systemd/system/dev-zram1.swap", "/etc/systemd/system/dev-zram2.swap"],
        &["dev-zram0.swap"],
    );
    // After a reboot the device is empty: its unit sets it up before it turns it on.
    assert!(machine.fake.commands().contains(&"run systemctl start -- dev-zram0.swap".to_owned()));
}

#[test]
fn swap_that_only_comes_with_the_next_boot_is_a_change_too() {
    for (path, text, unit) in [
        ("/usr/lib/systemd/zram-generator.conf", "[zram0]\n", Some("dev-zram0.swap")),
        ("/etc/systemd/zram-generator.conf", "", None),
        ("/etc/rpi/swap.conf", "[Main]\n#Mechanism=none\n", Some("dev-zram0.swap")),
        ("/etc/rpi/swap.conf", "[Main]\nMechanism=swapfile\n[File]\nPath=/srv/swap\n", Some("srv-swap.swap")),
        ("/etc/rpi/swap.conf.d/90-mine.conf", "[Main]\nMechanism=none\n", None),
    ] {
        let machine = bare();
        generator(&machine, if path.contains("rpi") { "rpi-swap-generator" } else { "zram-generator" });
        machine.fake.put(path, text.as_bytes(), 0o644);
        match unit {
            Some(unit) => {
                assert!(!machine.probe(&off()).is_converged(), "{path}: {text}");
                there_and_back(&machine, &[], &[unit]);
            }
            None => assert!(machine.probe(&off()).is_converged(), "{path}: {text}"),
        }
    }
}

#[test]
fn each_service_that_makes_swap_is_disabled_and_enabled_again() {
    for service in ["dphys-swapfile.service", "zramswap.service", "zram-config.service"] {
        let machine = bare();
        let file = format!("/usr/lib/systemd/system/{service}");
        machine.fake.put(&file, b"[Install]\nWantedBy=multi-user.target\n", 0o644);
        let link = format!("/etc/systemd/system/multi-user.target.wants/{service}");
        machine.fake.put_link(&link, &file);
        there_and_back(&machine, &[&link], &[]);
    }
}

#[test]
fn a_swap_unit_of_somebodys_own_is_disabled_and_not_overwritten() {
    let machine = bare();
    let file = "/etc/systemd/system/srv-swap.swap";
    machine.fake.put(file, b"[Swap]\nWhat=/srv/swap\n[Install]\nWantedBy=swap.target\n", 0o644);
    machine.fake.put_link("/etc/systemd/system/swap.target.wants/srv-swap.swap", file);
    active(&machine, "/srv/swap");
    there_and_back(&machine, &["/etc/systemd/system/swap.target.wants/srv-swap.swap"], &[]);
}

#[test]
fn a_line_of_fstab_is_switched_off_where_it_stands_and_the_unit_made_of_it_goes_with_it() {
    let machine = Machine::new();
    let unit = b"[Unit]\nSourcePath=/etc/fstab\n[Swap]\nWhat=/dev/sda2\n";
    machine.fake.put("/run/systemd/generator/dev-sda2.swap", unit, 0o644);
    machine.run(&[off()]).unwrap();
    let fstab = machine.fake.content("/etc/fstab").unwrap();
    assert!(fstab.ends_with("\n# garboard: /dev/sda2 none swap sw 0 0\n"), "{fstab}");
    assert!(!machine.state().contains_key("/etc/systemd/system/dev-sda2.swap"), "masked without need");
    assert!(machine.probe(&off()).is_converged());
}
