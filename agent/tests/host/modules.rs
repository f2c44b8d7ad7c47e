//! Kernel modules that came with the software, and go when nobody needs them; with the kernel that counts who does.

use garboard_agent::store::Snapshot;
use garboard_agent::system::Output;
use garboard_agent::system::fake::Fake;
use garboard_protocol::reset::{Keepsake, ResetOptions, ResetReport};
use garboard_protocol::step::{KernelModule, Sysctl};
use garboard_protocol::{Owned, Step};

use crate::machine::Machine;
use crate::programs::World;
use crate::reset::{reset, verify};

const MODULES: &str = "/proc/modules";
/// What a host had before: a filter that somebody loads at each boot, and modules that nobody uses.
const BEFORE: &str =
    "nfnetlink 20480 1 nf_tables, Live 0x0\nnf_tables 200704 3 - Live 0x0\nxt_mine 16384 0 - Live 0x0\n";
/// What came with kube-proxy and the CNI plugins: rules are gone, so that the counts are of other modules alone.
const CAME: &str = "nft_ct 24576 0 - Live 0x0\nnf_conntrack 172032 1 nft_ct, Live 0x0\n\
                    nf_defrag_ipv4 16384 1 nf_conntrack, Live 0x0\nveth 32768 0 - Live 0x0\n\
                    bridge 300000 0 - Live 0x0\nstp 16384 1 bridge, Live 0x0\nllc 16384 2 bridge,stp, Live 0x0\n\
                    usb_storage 80000 0 - Live 0x0\n";

fn owned() -> Vec<Owned> {
    let prefixes = ["nf_", "nft_", "nfnetlink", "xt_", "veth", "bridge", "stp", "llc", "bonding"];
    prefixes.map(|prefix| Owned::KernelModules(prefix.into())).into()
}

/// A host with these modules before, that we changed, and with these since.
fn host(before: Option<&str>, came: &str) -> Machine {
    let machine = Machine::new();
    if let Some(before) = before {
        machine.fake.put(MODULES, before.as_bytes(), 0o444);
    }
    forwards(&machine);
    machine.fake.put(MODULES, format!("{}{came}", before.unwrap_or_default()).as_bytes(), 0o444);
    machine
}

fn forwards(machine: &Machine) {
    let step = Step::Sysctl(Sysctl { key: "net.ipv4.ip_forward".into(), value: "1".into() });
    machine.run_owning(&[step], &owned()).unwrap();
}

/// Gives it back, which has to end well.
fn given_back(machine: &Machine) -> (ResetReport, Keepsake) {
    let (report, keepsake) = reset(machine, &ResetOptions::default());
    assert_eq!(report.leftovers, []);
    assert!(!machine.fake.tree().keys().any(|path| path.starts_with("/var/lib/garboard")));
    (report, keepsake.unwrap())
}

fn loaded(machine: &Machine) -> Vec<String> {
    let text = machine.fake.content(MODULES).unwrap_or_default();
    text.lines().map(|line| line.split(' ').next().unwrap().to_owned()).collect()
}

/// The snapshot as it would be, had something else been noted.
fn note_in_snapshot(machine: &Machine, change: impl FnOnce(&mut serde_json::Value)) {
    let host = machine.host();
    let mut snapshot = Snapshot::load(host.system.look(), &host.layout).unwrap().unwrap();
    change(&mut snapshot.0);
    snapshot.save(&*host.system, &host.layout).unwrap();
}

#[test]
fn modules_that_came_since_go_after_their_users_and_all_others_stay() {
    let machine = host(Some(BEFORE), CAME);
    let (report, keepsake) = given_back(&machine);
    assert_eq!(loaded(&machine), ["nfnetlink", "nf_tables", "xt_mine", "usb_storage"]);
    assert_eq!(report.kept, []);
    assert_eq!(verify(&machine, &keepsake).leftovers, []);
}

#[test]
fn a_module_in_use_by_others_stays_and_is_no_failure() {
    let machine = host(Some(BEFORE), &CAME.replace("nft_ct 24576 0", "nft_ct 24576 2"));
    let (report, keepsake) = given_back(&machine);
    let stay = ["nft_ct", "nf_conntrack", "nf_defrag_ipv4"];
    assert_eq!(loaded(&machine)[3..6], stay);
    assert!(!loaded(&machine).contains(&"veth".to_owned()));
    assert_eq!(report.kept[0].subject, stay.join(" "));
    assert_eq!(verify(&machine, &keepsake).leftovers, []);
}

#[test]
fn a_module_that_links_of_others_need_stays_wherever_they_are() {
    let machine = host(Some(BEFORE), &format!("{CAME}bonding 9 0 - Live 0x0\n"));
    // One on the host, one in a process's namespace, one in a namespace that only a file keeps.
    machine.fake.put_link("/proc/self/ns/net", "net:[1]");
    machine.fake.put_link("/proc/1/ns/net", "net:[1]");
    machine.fake.put_link("/proc/77/ns/net", "net:[2]");
    machine.fake.put(
        "/proc/self/mountinfo",
        b"36 35 0:4 net:[3] /run/netns/theirs rw - nsfs nsfs rw\n",
        0o444,
    );
    let mut world = machine.world.lock().unwrap();
    world.links.insert(String::new(), vec!["bridge".into()]);
    world.links.insert("/proc/77/ns/net".into(), vec!["veth".into()]);
    world.links.insert("/run/netns/theirs".into(), vec!["bond".into()]);
    drop(world);
    let (_, keepsake) = given_back(&machine);
    let now = loaded(&machine);
    for name in ["bridge", "stp", "llc", "veth", "bonding"] {
        assert!(now.iter().any(|loaded| loaded == name), "{name} is gone: {now:?}");
    }
    assert!(!now.contains(&"nft_ct".to_owned()));
    assert_eq!(verify(&machine, &keepsake).leftovers, []);
}

#[test]
fn the_packet_filter_stays_while_there_are_tables_without_rules() {
    let came = "nf_tables 200704 0 - Live 0x0\n";
    let machine = host(Some(""), came);
    machine.fake.put_link("/proc/self/ns/net", "net:[1]");
    machine.fake.put_link("/proc/77/ns/net", "net:[2]");
    machine.world.lock().unwrap().tables_within.insert("/proc/77/ns/net".into(), "inet theirs".into());
    given_back(&machine);
    assert_eq!(loaded(&machine), ["nf_tables"]);

    let machine = host(Some(""), came);
    machine.world.lock().unwrap().tables.insert("inet theirs".into());
    given_back(&machine);
    assert_eq!(loaded(&machine), ["nf_tables"]);

    let machine = host(Some(""), came);
    given_back(&machine);
    assert_eq!(loaded(&machine), [""; 0]);
}

#[test]
fn a_module_that_does_not_go_is_told_of_until_it_does() {
    let machine = host(Some(BEFORE), &format!("{CAME}xt_forever 9 0 [permanent], Live 0x0\n"));
    machine.world.lock().unwrap().stuck_modules.insert("veth".into());
    let (report, keepsake) = given_back(&machine);
    let told: Vec<_> = report.kept.iter().map(|kept| kept.subject.as_str()).collect();
    assert_eq!(told, ["xt_forever", "veth"]);
    assert!(report.kept[1].detail.contains("Operation not permitted"), "{report:?}");
    let left = verify(&machine, &keepsake).leftovers;
    assert_eq!(left.iter().map(|left| left.subject.as_str()).collect::<Vec<_>>(), ["veth"]);
}

#[test]
fn nothing_is_unloaded_where_it_is_not_known_what_was_there() {
    let without = |machine: &Machine| {
        note_in_snapshot(machine, |value| drop(value.as_object_mut().unwrap().remove("modules").unwrap()));
    };
    let late = |machine: &Machine| note_in_snapshot(machine, |value| value["late"] = true.into());
    for change in [&without as &dyn Fn(&Machine), &late] {
        let machine = host(Some(BEFORE), CAME);
        change(&machine);
        let before = machine.fake.content(MODULES);
        let (_, keepsake) = given_back(&machine);
        assert_eq!(machine.fake.content(MODULES), before);
        assert_eq!(verify(&machine, &keepsake).leftovers, []);
    }
}

#[test]
fn a_container_unloads_nothing_of_its_machine() {
    // With the machine's own list, or without any.
    for before in [Some(BEFORE), None] {
        let machine = Machine::new();
        machine.fake.put("/run/systemd/container", b"systemd-nspawn", 0o444);
        if let Some(before) = before {
            machine.fake.put(MODULES, before.as_bytes(), 0o444);
        }
        forwards(&machine);
        if before.is_some() {
            machine.fake.put(MODULES, format!("{BEFORE}{CAME}").as_bytes(), 0o444);
        }
        let listed = machine.fake.content(MODULES);
        let (_, keepsake) = given_back(&machine);
        assert_eq!(machine.fake.content(MODULES), listed);
        assert_eq!(verify(&machine, &keepsake).leftovers, []);
        assert!(!machine.fake.commands().iter().any(|command| command.contains("rmmod")));
    }
}

#[test]
fn a_module_that_a_step_loaded_goes_alone_and_only_when_no_link_needs_it() {
    let load = |machine: &Machine| {
        machine.fake.put(MODULES, b"bridge 300000 0 - Live 0x0\n", 0o444);
        let step = |name: &str| Step::KernelModule(KernelModule { name: name.into(), optional: false });
        machine.run_owning(&[step("br_netfilter"), step("vxlan")], &owned()).unwrap();
        let listed = "br_netfilter 9 0 - Live 0x0\nvxlan 9 0 - Live 0x0\nbridge 9 1 br_netfilter, Live 0x0\n";
        machine.fake.put(MODULES, listed.as_bytes(), 0o444);
    };
    let machine = Machine::new();
    load(&machine);
    given_back(&machine);
    assert_eq!(loaded(&machine), ["bridge"], "one that was there before");

    let machine = Machine::new();
    load(&machine);
    machine.world.lock().unwrap().links.insert(String::new(), vec!["vxlan".into()]);
    given_back(&machine);
    assert_eq!(loaded(&machine), ["vxlan", "bridge"], "somebody has a link of that kind");
}

/// What the kernel does: it refuses one in use; those that only this one needed are free then.
pub(crate) fn unload(fake: &Fake, name: &str) -> Output {
    let listed = fake.content(MODULES).unwrap_or_default();
    let is_free = |line: &str| line.split(' ').nth(2) == Some("0") && line.split(' ').nth(3) == Some("-");
    if !listed.lines().any(|line| line.split(' ').next() == Some(name) && is_free(line)) {
        let stderr = format!("rmmod: ERROR: Module {name} is in use or not loaded");
        return Output { code: 1, stdout: String::new(), stderr };
    }
    let mut left = String::new();
    for line in listed.lines() {
        let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        if words[0] == name {
            continue;
        }
        let users: Vec<&str> = words[3].split_terminator(',').filter(|user| *user != name).collect();
        if users.len() < words[3].split_terminator(',').count() {
            words[3] = if users.is_empty() { "-".to_owned() } else { format!("{},", users.join(",")) };
            words[2] = (words[2].parse::<u32>().unwrap() - 1).to_string();
        }
        left.push_str(&words.join(" "));
        left.push('\n');
    }
    fake.put(MODULES, left.as_bytes(), 0o644);
    fake.take(&format!("/sys/module/{name}"));
    if name == "br_netfilter" {
        fake.take("/proc/sys/net/bridge");
    }
    Output { code: 0, stdout: String::new(), stderr: String::new() }
}

/// What `ip` tells of a network namespace's links.
pub(crate) fn links(world: &World, namespace: &str) -> String {
    let kinds = world.links.get(namespace).into_iter().flatten();
    let mut links = vec![serde_json::json!({ "ifname": "lo" })];
    links.extend(kinds.map(|kind| serde_json::json!({ "ifname": kind, "linkinfo": { "info_kind": kind } })));
    serde_json::Value::Array(links).to_string()
}
