//! Raspberry Pis and other machines without a battery, a fast disk, or the right programs.

use garboard_inventory::Inventory;
use garboard_protocol::Facts;
use garboard_protocol::facts::{
    Clock, Machine, OperatingSystem, Power, SwapSource, SyncLatency, TimeService,
};

use super::{found, found_in, only};
use crate::check::{Row, Verdict};
use crate::facts_for_tests::facts;

fn pi() -> Facts {
    Facts {
        architecture: "arm64".into(),
        machine: Machine {
            model: "Raspberry Pi 4 Model B Rev 1.4".into(),
            raspberry_pi: true,
            ..facts().machine
        },
        ..facts()
    }
}

fn inventory(more: &str) -> Inventory {
    let text = format!(
        "cluster: {{ name: home, kubernetes: v1.36.3, {more} }}\nhosts:\n  cp1: {{ address: 192.168.1.11, role: control_plane }}\n"
    );
    garboard_inventory::parse("garboard.yaml", &text).unwrap()
}

/// The row of a check.
fn row(check: &str, rows: Vec<Row>) -> Row {
    let mut rows: Vec<Row> = rows.into_iter().filter(|row| row.check == check).collect();
    assert_eq!(rows.len(), 1, "{rows:#?}");
    rows.remove(0)
}

fn with_clock(ahead_milliseconds: i64, synchronised: bool) -> Facts {
    let now = facts().clock_milliseconds.cast_signed() + ahead_milliseconds;
    let mut found = facts();
    found.clock_milliseconds = u64::try_from(now).unwrap();
    found.clock.synchronised = synchronised;
    found
}

#[test]
fn thirty_two_bit_programs_under_a_64_bit_kernel_are_refused() {
    let mut old = pi();
    old.machine.userland_bits = 32;
    let row = only(old);
    assert_eq!((row.check, row.verdict), ("architecture", Verdict::Blocking));
    assert!(row.text.contains("32-bit programs") && row.help.unwrap().contains("64-bit image"));
    let mut unknown = pi();
    unknown.machine.userland_bits = 0;
    assert!(found(unknown).iter().all(|row| row.verdict == Verdict::Fine));
}

#[test]
fn a_clock_that_nothing_keeps_will_be_set() {
    let row = only(with_clock(7_200_000, false));
    assert_eq!((row.check, row.verdict), ("clock", Verdict::Warning));
    assert_eq!(row.text, "2 h 00 min ahead of this machine's; will be set");
    assert_eq!(only(with_clock(-6_000, false)).text, "6.0 s behind this machine's; will be set");
    assert!(found(with_clock(5_000, false)).iter().all(|row| row.verdict == Verdict::Fine));
}

#[test]
fn against_a_host_that_follows_a_time_service_it_is_the_laptop_that_is_wrong() {
    let row = only(with_clock(7_200_000, true));
    assert_eq!((row.check, row.verdict), ("clock", Verdict::Blocking));
    let end = "so it is this machine's that is wrong: 2 h 00 min behind the host's";
    assert!(row.text.ends_with(end), "{}", row.text);
    assert_eq!(only(with_clock(30_000, true)).verdict, Verdict::Warning);
}

#[test]
fn a_containers_clock_is_its_machines_and_is_not_set() {
    let container = |ahead| Facts { shared_kernel: true, ..with_clock(ahead, false) };
    assert_eq!(only(container(7_200_000)).verdict, Verdict::Blocking);
    assert_eq!(only(container(6_000)).verdict, Verdict::Warning);
}

#[test]
fn a_host_without_a_time_service_is_told_what_to_install() {
    let mut alone = facts();
    alone.clock = Clock::default();
    let row = only(alone);
    assert_eq!((row.check, row.verdict), ("time service", Verdict::Warning));
    assert!(row.text.contains("without a battery") && row.help.unwrap().contains("systemd-timesyncd"));
    let with = |unit: &str| {
        let services = vec![TimeService { unit: unit.into(), active: false }];
        only(Facts { clock: Clock { hardware: true, services, ..Clock::default() }, ..facts() })
    };
    assert!(with("systemd-timesyncd.service").text.ends_with("systemd-timesyncd will be turned on"));
    assert!(with("chrony.service").help.unwrap().ends_with("`systemctl enable --now chrony.service`"));
}

#[test]
fn a_module_that_a_package_brings_is_no_obstacle_and_any_other_is() {
    let without_vxlan = |id: &str, facts: Facts| {
        let mut bare = facts;
        bare.features.vxlan = false;
        only(Facts { os: OperatingSystem { id: id.into(), ..bare.os.clone() }, ..bare })
    };
    let row = without_vxlan("ubuntu", pi());
    assert_eq!(row.verdict, Verdict::Warning);
    assert!(row.text.ends_with("lacks vxlan; `linux-modules-extra-raspi` will be installed"), "{}", row.text);
    assert_eq!(without_vxlan("debian", pi()).verdict, Verdict::Blocking);
    let row = without_vxlan("ubuntu", facts());
    assert_eq!(row.verdict, Verdict::Blocking);
    assert!(row.help.unwrap().contains("linux-modules-extra-$(uname -r)"));
    let mut less = pi();
    (less.os.id, less.features.vxlan, less.features.nf_tables) = ("ubuntu".into(), false, false);
    assert_eq!(only(less).verdict, Verdict::Blocking, "the package does not bring all of it");
}

#[test]
fn large_pages_are_noted_with_the_images_they_break() {
    let row = only(Facts { page_size: 16_384, ..pi() });
    assert_eq!((row.check, row.verdict), ("page size", Verdict::Warning));
    assert!(row.text.starts_with("16 KiB: ") && row.text.contains("fluent-bit"), "{}", row.text);
    assert!(row.help.unwrap().contains("`kernel=kernel8.img`"));
    assert!(!only(Facts { page_size: 65_536, ..facts() }).help.unwrap().contains("kernel8.img"));
}

#[test]
fn too_little_power_is_a_warning_now_and_a_word_later() {
    let with = |power: Power| row("power", found(Facts { power: Some(power), ..pi() }));
    let now = with(Power { under_voltage: true, was_under_voltage: true, ..Power::default() });
    assert_eq!(now.verdict, Verdict::Warning);
    assert!(now.text.starts_with("the voltage is too low now"), "{}", now.text);
    assert_eq!(with(Power { throttled: true, ..Power::default() }).verdict, Verdict::Warning);
    let earlier = with(Power { was_under_voltage: true, ..Power::default() });
    assert_eq!(earlier.verdict, Verdict::Fine);
    assert!(earlier.text.contains("was too low since the boot"), "{}", earlier.text);
    assert!(with(Power { was_throttled: true, ..Power::default() }).text.contains("was slowed down"));
    assert_eq!(with(Power::default()).text, "enough");
}

#[test]
fn swap_is_named_with_who_makes_it_and_what_becomes_of_it() {
    let source =
        |maker: &str, name: &str, active| SwapSource { maker: maker.into(), name: name.into(), active };
    let with = |sources: Vec<SwapSource>| Facts { swap_sources: sources, ..facts() };
    let zram = vec![source("rpi-swap", "/dev/zram0", true), source("rpi-swap", "dev-zram0.swap", false)];
    assert_eq!(
        only(with(zram.clone())).text,
        "/dev/zram0 (rpi-swap) will be turned off, also for the next boot"
    );
    let dormant = only(with(vec![source("zram-generator", "dev-zram0.swap", false)]));
    assert_eq!(dormant.text, "none now; that of zram-generator will not come with the next boot");
    let kept = inventory("swap: kubelet");
    assert_eq!(row("swap", found_in(&kept, with(zram.clone()))).verdict, Verdict::Fine);
    let refused = row("swap", found_in(&kept, Facts { cgroup_version: 1, ..with(zram.clone()) }));
    assert_eq!(refused.verdict, Verdict::Blocking);
    let container = Facts { shared_kernel: true, swap: vec!["/dev/sda2".into()], ..with(zram) };
    assert_eq!(row("swap", found(container)).verdict, Verdict::Fine);
}

#[test]
fn a_disk_is_fast_slow_or_too_slow_for_etcd() {
    let measured = |milliseconds: u64| Facts {
        sync_latency: Some(SyncLatency {
            path: "/var/lib".into(),
            writes: 300,
            median_microseconds: 1_500,
            p99_microseconds: milliseconds * 1_000,
        }),
        ..pi()
    };
    let verdict = |milliseconds| row("etcd disk", found(measured(milliseconds))).verdict;
    assert_eq!([1, 10].map(verdict), [Verdict::Fine; 2]);
    assert_eq!([11, 100].map(verdict), [Verdict::Warning; 2]);
    let refused = row("etcd disk", found(measured(101)));
    assert_eq!(refused.verdict, Verdict::Blocking);
    assert!(
        refused.text.starts_with(
            "99 of 100 writes are kept within 101.0 ms (half within 1.5 ms, 300 writes at /var/lib)"
        ),
        "{}",
        refused.text
    );
    assert!(refused.help.unwrap().contains("SSD"));
    let allowed = inventory("allow_slow_disk: true");
    assert_eq!(row("etcd disk", found_in(&allowed, measured(101))).verdict, Verdict::Warning);
    let container = Facts { shared_kernel: true, ..measured(101) };
    assert_eq!(row("etcd disk", found(container)).verdict, Verdict::Warning);
}
