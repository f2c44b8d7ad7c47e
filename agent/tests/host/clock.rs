//! The clock, set from the client's.

use garboard_agent::system::Look as _;
use garboard_protocol::Step;
use garboard_protocol::change::Field;
use garboard_protocol::reset::ResetOptions;
use garboard_protocol::step::{Clock, ClockReference};

use crate::machine::Machine;
use crate::reset::reset;

const BOOT_ID: &str = "61e4156d-02fc-48ea-8fb4-7fb4965f4db0";
/// What the client's clock says as the host has been running for a hundred seconds: when the fake's clock begins.
const TIME: u64 = 1_763_720_000_000;
const TIMESYNCD: &str = "systemd-timesyncd.service";

fn machine() -> Machine {
    let machine = Machine::new();
    machine.fake.put("/proc/sys/kernel/random/boot_id", format!("{BOOT_ID}\n").as_bytes(), 0o444);
    machine
}

fn clock() -> Step {
    Step::Clock(Clock {
        reference: Some(ClockReference {
            boot_id: BOOT_ID.to_owned(),
            boot_milliseconds: 100_000,
            time_milliseconds: TIME,
        }),
        tolerance_milliseconds: 5_000,
    })
}

fn ahead(machine: &Machine) -> i128 {
    let since_boot = i128::try_from(machine.fake.kernel_clock().unwrap().since_boot.as_nanos()).unwrap();
    machine.fake.now() - (i128::from(TIME) * 1_000_000 + since_boot - 100_000_000_000)
}

#[test]
fn a_clock_two_hours_wrong_is_right_afterwards_in_either_direction() {
    for (hours, words) in [(-2, "2 h 0 min behind"), (2, "2 h 0 min ahead"), (24 * 800, "800 d 0 h ahead")] {
        let machine = machine();
        machine.fake.put_clock(hours * 3_600_000, false);
        let changes = machine.run(&[clock()]).unwrap().remove(0).0;
        assert_eq!(changes.len(), 1, "{changes:?}");
        assert_eq!((changes[0].field, changes[0].before.as_deref()), (Field::Value, Some(words)));
        assert!(ahead(&machine).abs() < 1_000_000, "{} ns off", ahead(&machine));
        assert!(machine.probe(&clock()).is_converged());
        assert!(!machine.fake.changes().contains(&"set_hardware_clock".to_owned()), "it has none");
    }
}

#[test]
fn a_small_difference_and_a_clock_that_follows_a_source_are_left_alone() {
    let machine = machine();
    machine.fake.put_clock(4_900, false);
    assert!(machine.probe(&clock()).is_converged());
    machine.fake.put_clock(7_200_000, true);
    assert!(machine.probe(&clock()).is_converged(), "the host knows better");
    machine.fake.put_clock(7_200_000, false);
    assert!(!machine.probe(&clock()).is_converged());
    machine.fake.put("/run/systemd/timesync/synchronized", b"", 0o644);
    assert!(machine.probe(&clock()).is_converged(), "systemd-timesyncd has met a server");
}

#[test]
fn a_time_told_before_a_reboot_and_a_containers_clock_set_nothing() {
    let machine = machine();
    machine.fake.put_clock(7_200_000, false);
    machine.fake.put("/run/systemd/container", b"systemd-nspawn", 0o444);
    assert!(machine.probe(&clock()).is_converged());
    machine.fake.take("/run/systemd/container");
    assert!(!machine.probe(&clock()).is_converged());
    machine.fake.put("/proc/sys/kernel/random/boot_id", b"another\n", 0o444);
    assert!(machine.probe(&clock()).is_converged());
}

#[test]
fn the_clock_that_runs_while_the_machine_is_off_is_set_too() {
    let machine = machine();
    machine.fake.put("/sys/class/rtc/rtc0/name", b"rtc_cmos\n", 0o444);
    machine.fake.put_clock(-7_200_000, false);
    machine.run(&[clock()]).unwrap();
    let changes = machine.fake.changes();
    assert!(changes.contains(&"set_clock".to_owned()) && changes.contains(&"set_hardware_clock".to_owned()));
}

#[test]
fn a_time_service_that_was_off_is_on_until_reset_and_another_one_is_enough() {
    let machine = machine();
    machine.fake.put(
        &format!("/usr/lib/systemd/system/{TIMESYNCD}"),
        b"[Install]\nWantedBy=sysinit.target\n",
        0o644,
    );
    let before = machine.state();
    machine.run(&[clock()]).unwrap();
    assert!(machine.state().contains_key(&format!("/etc/systemd/system/sysinit.target.wants/{TIMESYNCD}")));
    assert!(machine.world.lock().unwrap().active.contains_key(TIMESYNCD));
    assert!(machine.probe(&clock()).is_converged());
    let (report, _) = reset(&machine, &ResetOptions::default());
    assert_eq!(report.leftovers, []);
    assert!(!machine.world.lock().unwrap().active.contains_key(TIMESYNCD));
    let after = machine.state();
    assert!(before.keys().all(|path| after.get(path) == before.get(path)));
    assert!(!after.contains_key(&format!("/etc/systemd/system/sysinit.target.wants/{TIMESYNCD}")));
    for name in ["chrony.service", "ntpsec.service"] {
        machine.fake.put(&format!("/sys/fs/cgroup/system.slice/{name}/cgroup.procs"), b"1\n", 0o444);
        assert!(machine.probe(&clock()).is_converged(), "{name}");
        machine.fake.take(&format!("/sys/fs/cgroup/system.slice/{name}"));
    }
}
