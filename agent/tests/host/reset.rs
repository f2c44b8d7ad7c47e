//! Giving a host back.

use std::collections::BTreeMap;

use garboard_agent::reset;
use garboard_agent::steps::Entry;
use garboard_agent::system::Look as _;
use garboard_protocol::event::Body;
use garboard_protocol::reset::{Keepsake, ResetOptions, ResetReport};
use garboard_protocol::step::{Directory, File, Hostname, HostsEntry, KernelModule, Swap, Sysctl, Unit};
use garboard_protocol::{Owned, Step};

use crate::machine::Machine;
use crate::membership::init;
use crate::software::containerd;

fn owned() -> Vec<Owned> {
    vec![
        Owned::Path("/etc/kubernetes".into()),
        Owned::Path("/etc/cni".into()),
        Owned::Path("/var/lib/kubelet".into()),
        Owned::Path("/var/lib/etcd".into()),
        Owned::Path("/run/containerd".into()),
        Owned::Data("/var/lib/volumes".into()),
        Owned::Link("cni0".into()),
        Owned::NetworkNamespace("cni-*".into()),
        Owned::NftTable("ip kube-proxy".into()),
        Owned::Sysctl("vm.overcommit_memory".into()),
        Owned::Mounts("/var/lib/kubelet".into()),
    ]
}

fn steps() -> Vec<Step> {
    vec![
        Step::Hostname(Hostname { name: "cp1".into() }),
        Step::HostsEntry(HostsEntry { address: "10.0.0.1".into(), names: vec!["cp1".into()] }),
        Step::Swap(Swap {}),
        Step::KernelModule(KernelModule { name: "br_netfilter".into(), optional: false }),
        Step::Sysctl(Sysctl { key: "net.ipv4.ip_forward".into(), value: "1".into() }),
        Step::Directory(Directory { path: "/opt/ours".into(), mode: 0o755 }),
        Step::File(File {
            path: "/etc/containerd/deep/config.toml".into(),
            content: "version = 3\n".into(),
            mode: 0o644,
            secret: false,
        }),
        containerd("[Service]\n"),
        Step::Unit(Unit {
            name: "kubelet.service".into(),
            content: Some("[Service]\n".into()),
            enabled: true,
            active: None,
            restart_on: Vec::new(),
        }),
        init(),
    ]
}

/// What Kubernetes does by itself once it runs.
fn live_on(machine: &Machine) {
    machine.fake.put("/etc/cni/net.d/10-flannel.conflist", b"{}", 0o644);
    machine.fake.put("/var/lib/kubelet/pods/1/volumes/file", b"", 0o644);
    machine.fake.put("/var/lib/volumes/database", b"precious", 0o644);
    machine.fake.put_directory("/sys/class/net/cni0");
    machine.fake.put("/proc/sys/vm/overcommit_memory", b"1\n", 0o644);
    let mut world = machine.world.lock().unwrap();
    world.tables.extend(["ip kube-proxy".to_owned(), "ip6 mine".to_owned()]);
    for unit in ["network-online.target", "systemd-networkd-wait-online@eth0.service"] {
        world.active.insert(unit.to_owned(), machine.fake.now());
    }
}

pub(crate) fn reset(machine: &Machine, options: &ResetOptions) -> (ResetReport, Option<Keepsake>) {
    let mut keepsake = None;
    let report = reset::reset(&machine.engine(), options, &mut |body| {
        if let Body::Keepsake(kept) = body {
            keepsake = Some(kept);
        }
    });
    (report.unwrap(), keepsake)
}

pub(crate) fn verify(machine: &Machine, keepsake: &Keepsake) -> ResetReport {
    reset::verify(&machine.engine(), Some(keepsake)).unwrap()
}

/// Volatile in the memory of the fake: written back, with another time and inode, but the same in content.
fn built() -> (Machine, BTreeMap<String, String>) {
    let machine = Machine::new();
    machine.fake.put("/proc/swaps", b"Filename Type Size Used Priority\n/dev/sda2 partition 1 0 -2\n", 0o444);
    machine.fake.put("/proc/modules", b"", 0o444);
    machine.world.lock().unwrap().tables.insert("inet foreign".into());
    let before = machine.state();
    machine.run_owning(&steps(), &owned()).unwrap();
    live_on(&machine);
    (machine, before)
}

fn compared(state: &BTreeMap<String, String>) -> Vec<(&String, &String)> {
    // The kernel shows values its own way, and folders like /run exist or not by chance of the test's set-up.
    let is_kernels = |path: &str| path.starts_with("/proc/") || path == "/sys/module";
    state.iter().filter(|(path, _)| !is_kernels(path)).collect()
}

#[test]
fn the_host_is_as_it_was_and_data_stays() {
    let (machine, mut before) = built();
    let (report, keepsake) = reset(&machine, &ResetOptions::default());
    assert_eq!(report.leftovers, []);
    assert!(report.kept.iter().any(|kept| kept.subject == "/var/lib/volumes"), "{report:?}");
    let mut after = machine.state();
    assert!(after.remove("/var/lib/volumes/database").is_some());
    after.remove("/var/lib/volumes");
    before.remove("/var/lib/volumes");
    assert_eq!(compared(&after), compared(&before));
    for (path, value) in [
        ("/proc/sys/net/ipv4/ip_forward", "0"),
        ("/proc/sys/vm/overcommit_memory", "0"),
        ("/proc/sys/kernel/hostname", "debian"),
    ] {
        assert_eq!(machine.fake.content(path).unwrap().trim(), value, "{path}");
    }
    assert!(machine.fake.content("/proc/swaps").unwrap().contains("/dev/sda2"));
    let world = machine.world.lock().unwrap();
    assert_eq!(world.tables.iter().collect::<Vec<_>>(), ["inet foreign", "ip6 mine"]);
    assert!(world.active.is_empty(), "{:?}", world.active);
    drop(world);
    assert!(!machine.fake.tree().keys().any(|path| path.starts_with("/var/lib/garboard")));
    assert_eq!(verify(&machine, &keepsake.unwrap()).leftovers, []);
}

#[test]
fn what_had_waited_for_the_network_before_stays_active() {
    let machine = Machine::new();
    let waited = "ifupdown-wait-online.service";
    machine.world.lock().unwrap().active.insert(waited.to_owned(), machine.fake.now());
    machine.run_owning(&steps(), &owned()).unwrap();
    live_on(&machine);
    reset(&machine, &ResetOptions::default());
    assert_eq!(machine.world.lock().unwrap().active.keys().collect::<Vec<_>>(), [waited]);
}

#[test]
fn data_goes_when_asked() {
    let (machine, _) = built();
    reset(&machine, &ResetOptions { delete_data: true, ..ResetOptions::default() });
    assert!(!machine.state().contains_key("/var/lib/volumes/database"));
}

#[test]
fn a_second_reset_finds_nothing_to_do() {
    let (machine, _) = built();
    reset(&machine, &ResetOptions::default());
    machine.fake.forget_calls();
    let (report, _) = reset(&machine, &ResetOptions { owned: owned(), ..ResetOptions::default() });
    assert_eq!((report.restored, report.leftovers), (0, Vec::new()));
    assert_eq!(machine.fake.changes(), Vec::<String>::new());
}

#[test]
fn a_host_that_was_never_changed_by_us_keeps_its_own_kubernetes() {
    let machine = Machine::new();
    live_on(&machine);
    machine.fake.put("/etc/kubernetes/kubelet.conf", b"foreign", 0o600);
    let before = machine.state();
    let (report, keepsake) = reset(&machine, &ResetOptions { owned: owned(), ..ResetOptions::default() });
    assert_eq!((report.restored, keepsake), (0, None));
    assert_eq!(machine.state(), before);
}

#[test]
fn what_was_there_before_us_stays_in_owned_places() {
    let machine = Machine::new();
    machine.fake.put("/etc/cni/net.d/99-mine.conf", b"mine", 0o644);
    machine.fake.put_directory("/sys/class/net/cni0");
    machine.world.lock().unwrap().tables.insert("ip kube-proxy".into());
    machine.run_owning(&[steps()[4].clone()], &owned()).unwrap();
    machine.fake.put("/etc/cni/net.d/10-flannel.conflist", b"{}", 0o644);
    let (report, _) = reset(&machine, &ResetOptions::default());
    assert_eq!(report.leftovers, []);
    let state = machine.state();
    assert!(state.contains_key("/etc/cni/net.d/99-mine.conf") && state.contains_key("/sys/class/net/cni0"));
    assert!(!state.contains_key("/etc/cni/net.d/10-flannel.conflist"));
    assert!(machine.world.lock().unwrap().tables.contains("ip kube-proxy"));
}

#[test]
fn a_mount_below_an_owned_folder_is_never_entered() {
    let (machine, _) = built();
    machine.fake.put("/var/lib/etcd/disk/file", b"another's", 0o644);
    machine.fake.put(
        "/proc/self/mountinfo",
        b"36 35 8:2 / /var/lib/etcd/disk rw - ext4 /dev/sdb rw\n",
        0o444,
    );
    let (_, _) = reset(&machine, &ResetOptions::default());
    let state = machine.state();
    assert!(state.contains_key("/var/lib/etcd/disk/file"));
    assert!(!state.contains_key("/var/lib/etcd/member"));
}

#[test]
fn a_folder_of_ours_with_files_of_others_is_left_and_said() {
    let (machine, _) = built();
    machine.fake.put("/opt/ours/theirs", b"", 0o644);
    let (report, _) = reset(&machine, &ResetOptions::default());
    assert!(machine.state().contains_key("/opt/ours/theirs"));
    assert!(report.kept.iter().any(|kept| kept.detail.contains("/opt/ours")), "{report:?}");
}

#[test]
fn a_power_cut_at_any_change_of_a_reset_is_healed_by_the_next() {
    let (whole, _) = built();
    let keepsake = reset(&whole, &ResetOptions::default()).1.unwrap();
    let mut cuts = 0;
    for nth in (1..).step_by(2) {
        let (machine, _) = built();
        machine.fake.forget_calls();
        machine.fake.cut_power(nth);
        let mut kept = None;
        let _ = reset::reset(&machine.engine(), &ResetOptions::default(), &mut |body| {
            if let Body::Keepsake(keepsake) = body {
                kept = Some(keepsake);
            }
        });
        machine.fake.restore_power();
        if (machine.fake.changes().len() as u64) < nth {
            break;
        }
        cuts += 1;
        let kept = reset(&machine, &ResetOptions::default()).1.or(kept).unwrap();
        assert_eq!(compared(&machine.state()), compared(&whole.state()), "cut at change {nth}");
        assert_eq!(kept.0["entries"], keepsake.0["entries"], "cut at change {nth}");
        assert_eq!(verify(&machine, &kept).leftovers, [], "cut at change {nth}");
    }
    assert!(cuts > 20, "only {cuts} changes were cut");
}

/// Which change of `work` is `call`, counted from 1.
fn position(machine: &Machine, call: &str, work: impl FnOnce(&Machine)) -> u64 {
    machine.fake.forget_calls();
    work(machine);
    let changes = machine.fake.changes();
    let index = changes.iter().position(|change| change == call).unwrap_or_else(|| panic!("{changes:#?}"));
    index as u64 + 1
}

#[test]
fn what_could_not_be_given_back_stays_noted_and_only_that() {
    let (machine, _) = built();
    let commented = machine.fake.content("/etc/fstab").unwrap();
    machine.fake.take("/etc/fstab");
    machine.fake.put_directory("/etc/fstab");
    let (report, _) = reset(&machine, &ResetOptions::default());
    assert!(report.leftovers.iter().any(|left| left.subject.contains("/etc/fstab")), "{report:?}");
    let noted = machine.engine().baseline().entries();
    assert!(matches!(noted.as_slice(), [Entry::Line { path, .. }] if path == "/etc/fstab"), "{noted:?}");
    machine.fake.take("/etc/fstab");
    machine.fake.put("/etc/fstab", commented.as_bytes(), 0o644);
    let (report, keepsake) = reset(&machine, &ResetOptions::default());
    assert_eq!(report.leftovers, []);
    assert!(keepsake.unwrap().0["entries"].as_array().unwrap().len() > 5);
    assert!(machine.fake.content("/etc/fstab").unwrap().contains("\n/dev/sda2 none swap"));
}

#[test]
fn what_lay_at_an_owned_place_before_stays() {
    let machine = Machine::new();
    machine.fake.put("/srv/app/letters/first", b"precious", 0o644);
    // The host was a member before us: of Kubernetes' own places nothing is known, of this one it is.
    machine.fake.put("/etc/kubernetes/kubelet.conf", b"", 0o600);
    let step = |number: &str| {
        Step::File(File {
            path: format!("/etc/app-{number}.conf"),
            content: "x".into(),
            mode: 0o644,
            secret: false,
        })
    };
    machine.run(&[step("one")]).unwrap();
    let owned = [Owned::Path("/srv/app".into()), Owned::Path("/srv/new".into())];
    machine.run_owning(&[step("two")], &owned).unwrap();
    machine.fake.put("/srv/app/letters/second", b"made by the app", 0o644);
    machine.fake.put("/srv/new/third", b"made by the app", 0o644);
    machine.run_owning(&[step("three")], &owned).unwrap();
    let (report, keepsake) = reset(&machine, &ResetOptions::default());
    assert_eq!(report.leftovers, []);
    assert_eq!(machine.fake.content("/srv/app/letters/first").as_deref(), Some("precious"));
    assert!(machine.fake.content("/srv/app/letters/second").is_none());
    assert!(!machine.state().contains_key("/srv/new"));
    machine.fake.take("/srv/app/letters/first");
    assert_eq!(verify(&machine, &keepsake.unwrap()).leftovers[0].subject, "/srv/app/letters/first");
}

#[test]
fn a_fault_that_passes_is_healed_within_one_reset() {
    let (whole, _) = built();
    let nth = position(&whole, "write /etc/fstab", |machine| drop(reset(machine, &ResetOptions::default())));
    let (machine, _) = built();
    machine.fake.forget_calls();
    machine.fake.fail_change(nth, 5);
    assert_eq!(reset(&machine, &ResetOptions::default()).0.leftovers, []);
    assert_eq!(compared(&machine.state()), compared(&whole.state()));
}

#[test]
fn a_write_that_a_power_cut_tore_leaves_nothing_behind() {
    let nth =
        position(&Machine::new(), "write /etc/hosts", |machine| drop(machine.run(&steps()[1..2]).unwrap()));
    let machine = Machine::new();
    let before = machine.state();
    machine.fake.cut_power(nth);
    machine.run(&steps()[1..2]).unwrap_err();
    machine.fake.restore_power();
    assert_ne!(machine.state(), before, "nothing was torn");
    reset(&machine, &ResetOptions::default());
    assert_eq!(compared(&machine.state()), compared(&before));
}

#[test]
fn blobs_stay_when_asked_so_that_a_rebuild_sends_nothing() {
    let (machine, _) = built();
    let blob = machine.put_blob(b"layer");
    reset(&machine, &ResetOptions { keep_blobs: true, ..ResetOptions::default() });
    let kept = format!("/var/lib/garboard/blobs/sha256/{}", blob.digest.hex());
    assert_eq!(machine.fake.content(&kept).as_deref(), Some("layer"));
    assert!(machine.fake.content("/var/lib/garboard/snapshot.json").is_none());
}

#[test]
fn verify_names_what_is_left_and_writes_nothing() {
    let (machine, _) = built();
    let (_, keepsake) = reset(&machine, &ResetOptions::default());
    machine.fake.put_directory("/sys/class/net/cni0");
    machine.fake.put("/etc/kubernetes/admin.conf", b"", 0o600);
    machine.fake.put("/proc/sys/net/ipv4/ip_forward", b"1\n", 0o644);
    machine.world.lock().unwrap().tables.insert("ip kube-proxy".into());
    machine.fake.forget_calls();
    let report = verify(&machine, &keepsake.unwrap());
    let found: Vec<_> = report.leftovers.iter().map(|left| left.subject.as_str()).collect();
    assert_eq!(found, ["cni0", "ip kube-proxy", "/etc/kubernetes", "net.ipv4.ip_forward"]);
    assert_eq!(machine.fake.changes(), Vec::<String>::new());
}
