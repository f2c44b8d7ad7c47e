//! What steps made that a host is not to have any more: back to what it was before, and nothing else.

use std::sync::Arc;
use std::time::Duration;

use garboard_agent::guard::Guard;
use garboard_protocol::Step;
use garboard_protocol::reset::ResetOptions;
use garboard_protocol::step::{Directory, File, Nft, Sysctl, Thing, Unit, Withdraw};

use crate::machine::Machine;

const TABLE: &str = "inet garboard_edge";
const RP_FILTER: &str = "net.ipv4.conf.all.rp_filter";
const WATCH: &str = "garboard-firewall-watch.service";

fn machine() -> Machine {
    let machine = Machine::new();
    // As a step writes it; the kernel would add the line's end.
    for key in ["conf/all/rp_filter", "ip_forward"] {
        machine.fake.put(&format!("/proc/sys/net/ipv4/{key}"), b"0", 0o644);
    }
    machine.fake.put("/etc/motd", b"theirs\n", 0o600);
    machine
}

fn file(path: &str) -> Step {
    Step::File(File { path: path.into(), content: "ours\n".into(), mode: 0o644, secret: false })
}

fn sysctl(key: &str, value: &str) -> Step {
    Step::Sysctl(Sysctl { key: key.into(), value: value.into() })
}

/// What every host has.
fn kept() -> [Step; 2] {
    [sysctl("net.ipv4.ip_forward", "1"), file("/etc/garboard/kept")]
}

/// What only an edge host has.
fn make(machine: &Machine) {
    let unit = Unit {
        name: WATCH.into(),
        content: Some("[Install]\nWantedBy=multi-user.target\n".into()),
        enabled: true,
        active: Some(true),
        restart_on: vec![],
    };
    let steps = [
        sysctl(RP_FILTER, "2"),
        Step::Directory(Directory { path: "/etc/openvpn/garboard".into(), mode: 0o755 }),
        file("/etc/openvpn/garboard/server.conf"),
        Step::Directory(Directory { path: "/etc/openvpn/garboard/users".into(), mode: 0o755 }),
        file("/etc/openvpn/garboard/users/alice"),
        file("/etc/motd"),
        Step::Unit(unit),
    ];
    machine.run(&steps).unwrap();
    let rules = format!("table {TABLE} {{\n\tone\n}}\n");
    let table = Step::Nft(Nft { table: TABLE.into(), rules, keep_sets: false });
    let guard = Arc::new(Guard::with_patience(Duration::from_secs(30)));
    let confirm = |id: &_| {
        guard.arrived(1);
        guard.confirm(id, 1).unwrap();
    };
    machine.run_guarded(&table, &guard, confirm).unwrap();
}

fn withdraw() -> Step {
    let things = vec![
        Thing::Sysctl(RP_FILTER.into()),
        Thing::Path("/etc/openvpn/garboard".into()),
        Thing::Path("/etc/openvpn/garboard/server.conf".into()),
        Thing::Path("/etc/openvpn/garboard/users".into()),
        Thing::FilesIn("/etc/openvpn/garboard/users".into()),
        Thing::Path("/etc/motd".into()),
        Thing::Unit(WATCH.into()),
        Thing::NftTable(TABLE.into()),
        Thing::KernelModule("never".into()),
    ];
    Step::Withdraw(Withdraw { playbook: "edge".into(), things, kept: vec![] })
}

fn is_without(machine: &Machine) -> bool {
    let world = machine.world.lock().unwrap();
    world.tables.is_empty() && !world.active.contains_key(WATCH)
}

#[test]
fn what_a_playbook_made_goes_back_and_all_else_stays_until_reset() {
    let machine = machine();
    let bare = machine.state();
    machine.run(&kept()).unwrap();
    let before = machine.state();
    assert!(machine.probe(&withdraw()).is_converged(), "there is nothing to take back yet");
    make(&machine);
    assert!(!machine.probe(&withdraw()).is_converged() && machine.state() != before);
    machine.run(&[withdraw()]).unwrap();
    assert_eq!(machine.state(), before);
    assert!(is_without(&machine));

    machine.fake.forget_calls();
    machine.run(&[withdraw()]).unwrap();
    assert_eq!(machine.fake.changes(), Vec::<String>::new(), "a second time changes something");
    // And it may come once more.
    make(&machine);
    assert!(machine.world.lock().unwrap().tables.contains(TABLE));
    machine.run(&[withdraw()]).unwrap();
    garboard_agent::reset::reset(&machine.engine(), &ResetOptions::default(), &mut |_| ()).unwrap();
    assert_eq!(machine.state(), bare);
}

#[test]
fn a_withdrawal_that_fails_anywhere_is_brought_to_its_end_by_the_next_run() {
    let mut cuts = 0;
    for nth in 1.. {
        let machine = machine();
        machine.run(&kept()).unwrap();
        let before = machine.state();
        make(&machine);
        machine.fake.fail_change(nth, 5);
        let ended = machine.run(&[withdraw()]);
        if ended.is_ok() && machine.state() == before {
            break;
        }
        cuts += u32::from(ended.is_err());
        machine.run(&[withdraw()]).unwrap();
        assert_eq!(machine.state(), before, "after a failure of change {nth}");
        assert!(is_without(&machine));
    }
    assert!(cuts > 5, "only {cuts} changes failed: the test shows nothing");
}

#[test]
fn a_folder_in_which_others_have_put_something_stays() {
    let machine = machine();
    make(&machine);
    machine.fake.put("/etc/openvpn/garboard/theirs", b"theirs\n", 0o600);
    machine.run(&[withdraw()]).unwrap();
    assert_eq!(machine.fake.content("/etc/openvpn/garboard/theirs").as_deref(), Some("theirs\n"));
    assert!(machine.fake.content("/etc/openvpn/garboard/server.conf").is_none());
    assert!(machine.probe(&withdraw()).is_converged());
}
