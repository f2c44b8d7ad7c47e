use std::collections::BTreeMap;
use std::fmt::Write as _;

use garboard_inventory::{Inventory, Role};
use garboard_protocol::Facts;
use garboard_protocol::mesh::{Answer, Heard, Listener, ListenerState, Port, Protocol, Said, Target};

use super::{Answers, Mesh};
use crate::check::{Row, Verdict};
use crate::facts_for_tests::facts;

/// `control_planes` and `workers` by their names, at 192.168.1.11 and so on.
struct Site {
    inventory: Inventory,
    facts: BTreeMap<String, Facts>,
}

impl Site {
    fn of(control_planes: &[&str], workers: &[&str]) -> Self {
        let mut text = "cluster: { name: home, kubernetes: v1.36.3 }\nhosts:\n".to_owned();
        // More control planes than one are not in this version of the inventory; the mesh is ready for them.
        let role = |position| if position == 0 { "control_plane" } else { "worker" };
        let roles = control_planes.iter().enumerate().map(|(position, name)| (name, role(position)));
        let mut all = BTreeMap::new();
        for (number, (name, role)) in roles.chain(workers.iter().map(|name| (name, "worker"))).enumerate() {
            let address = format!("192.168.1.{}", 11 + number);
            writeln!(text, "  {name}: {{ address: {address}, role: {role} }}").unwrap();
            let mut facts = facts();
            facts.addresses[0].address = address;
            all.insert((*name).to_owned(), facts);
        }
        let mut inventory = garboard_inventory::parse("garboard.yaml", &text).unwrap();
        for host in &mut inventory.hosts[..control_planes.len()] {
            host.role = Role::ControlPlane;
        }
        Self { inventory, facts: all }
    }

    fn with_member(mut self, host: &str) -> Self {
        self.facts.get_mut(host).unwrap().kubernetes.kubelet_conf = true;
        self
    }

    fn mesh(&self) -> Mesh<'_> {
        Mesh::of(&self.inventory, &self.facts, |_, _| true)
    }
}

const KUBELET: Port = Port { protocol: Protocol::Tcp, number: 10250 };
const API: Port = Port { protocol: Protocol::Tcp, number: 6443 };
const NODE_PORT: Port = Port { protocol: Protocol::Tcp, number: 32767 };
const VXLAN: Port = Port { protocol: Protocol::Udp, number: 8472 };

/// A network that does what `passes` says of each packet from host to host, played through as agents would.
struct Played {
    answers: Answers,
}

/// What becomes of a way in the play.
#[derive(Clone)]
enum Fate {
    /// It passes, the answer too.
    Passes,
    /// It arrives, the answer is lost.
    Unanswered,
    /// The answer is this, nothing arrives.
    Ends(Answer),
    /// It arrives at another host.
    ArrivesAt(&'static str),
}

fn play(
    mesh: &Mesh<'_>,
    state: impl Fn(&str, Port, bool) -> (ListenerState, bool),
    fate: impl Fn(&str, &str, Port) -> Fate,
) -> Played {
    let mut answers = Answers::default();
    for (host, listen) in mesh.listens("n") {
        let listeners = listen.ports.iter().map(|wanted| {
            let (state, hears) = state(&host, wanted.port, wanted.in_place);
            Listener { port: wanted.port, state, hears }
        });
        let listeners = listeners.collect();
        answers.listeners.insert(host, Ok(listeners));
    }
    let mut heard: BTreeMap<String, Vec<Heard>> = BTreeMap::new();
    for (from, targets) in mesh.targets(&answers) {
        let mut hear = |at: &str, target: &Target| {
            let is_half_open = target.port.protocol == Protocol::Tcp && at == target.host;
            let said = (!is_half_open).then(|| Said { from: from.clone(), to: target.host.clone() });
            let address = mesh.nodes[from.as_str()].address;
            heard.entry(at.to_owned()).or_default().push(Heard { port: target.port, address, said });
        };
        let mut said = Vec::new();
        for target in &targets {
            said.push(match fate(&from, &target.host, target.port) {
                Fate::Passes => {
                    if target.port.protocol == Protocol::Udp {
                        hear(&target.host, target);
                    }
                    Answer::Reached
                }
                Fate::Unanswered => {
                    hear(&target.host, target);
                    Answer::Silent
                }
                Fate::Ends(answer) => answer,
                Fate::ArrivesAt(host) => {
                    hear(host, target);
                    Answer::Silent
                }
            });
        }
        answers.probed.insert(from, Ok(said));
    }
    for host in answers.listeners.keys() {
        let heard = heard.remove(host).unwrap_or_default();
        answers.closed.insert(host.clone(), Ok((heard, Vec::new())));
    }
    Played { answers }
}

/// What agents find on bare hosts.
fn opened(_: &str, _: Port, in_place: bool) -> (ListenerState, bool) {
    assert!(!in_place, "bare hosts have no port that belongs to somebody");
    (ListenerState::Open, true)
}

/// What agents find on members: all their own ports are served.
fn served(_: &str, _: Port, in_place: bool) -> (ListenerState, bool) {
    let held = ListenerState::Served { process: "kubelet".into(), pid: 7 };
    (if in_place { held } else { ListenerState::Open }, true)
}

fn told(rows: &[Row]) -> String {
    let mut text = String::new();
    for row in rows {
        let verdict = if row.verdict == Verdict::Blocking { "BLOCKS" } else { "warning" };
        assert_eq!(row.check, "mesh");
        writeln!(text, "{} {verdict}: {}\n  help: {}", row.host, row.text, row.help.as_ref().unwrap())
            .unwrap();
    }
    text
}

#[track_caller]
fn golden(name: &str, rows: &[Row]) {
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!(name, told(rows));
    });
}

#[test]
fn every_way_is_in_the_table_and_none_of_a_host_to_itself() {
    let site = Site::of(&["cp1", "cp2", "cp3"], &["w1"]);
    let mesh = site.mesh();
    let mut lines: Vec<String> =
        mesh.ways.iter().map(|way| format!("{} → {} {}", way.from, way.to, way.port.port)).collect();
    lines.sort();
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("mesh_ways", lines.join("\n"));
    });
    let single = Site::of(&["cp1"], &[]);
    assert!(single.mesh().is_empty());
    let pair = Site::of(&["cp1"], &["w1"]);
    assert!(pair.mesh().ways.iter().all(|way| ![2379, 2380].contains(&way.port.port.number)));
}

#[test]
fn hosts_that_reach_each_other_have_no_row() {
    let bare = Site::of(&["cp1"], &["w1", "w2"]);
    let mesh = bare.mesh();
    assert_eq!(mesh.rows(&play(&mesh, opened, |_, _, _| Fate::Passes).answers), []);
    let members = bare.with_member("cp1").with_member("w1").with_member("w2");
    let mesh = members.mesh();
    assert_eq!(mesh.rows(&play(&mesh, served, |_, _, _| Fate::Passes).answers), []);
}

#[test]
fn one_blocked_port_is_one_row_with_all_who_do_not_reach_it() {
    let site = Site::of(&["cp1"], &["w1", "w2"]);
    let mesh = site.mesh();
    let fate = |_: &str, to: &str, port| {
        if (to, port) == ("w1", KUBELET) { Fate::Ends(Answer::Silent) } else { Fate::Passes }
    };
    golden("mesh_blocked", &mesh.rows(&play(&mesh, opened, fate).answers));
}

#[test]
fn one_way_that_is_blocked_is_named_once_whichever_packets_it_takes() {
    let site = Site::of(&["cp1"], &["w1", "w2"]);
    let mesh = site.mesh();
    // Nothing from w2 gets to w1, so that what w1 asks is heard and not answered.
    let fate = |from: &str, to: &str, port: Port| match (from, to, port.protocol) {
        ("w2", "w1", _) => Fate::Ends(Answer::Silent),
        ("w1", "w2", _) => Fate::Unanswered,
        _ => Fate::Passes,
    };
    golden("mesh_one_way", &mesh.rows(&play(&mesh, opened, fate).answers));
}

#[test]
fn answers_that_are_lost_are_the_way_back() {
    let site = Site::of(&["cp1"], &["w1", "w2"]);
    let mesh = site.mesh();
    let fate = |from: &str, _: &str, port: Port| {
        // VXLAN needs no answer.
        if port == API || (port == VXLAN && from == "cp1") { Fate::Unanswered } else { Fate::Passes }
    };
    golden("mesh_way_back", &mesh.rows(&play(&mesh, opened, fate).answers));
}

#[test]
fn refusal_a_hosts_own_firewall_and_a_failed_socket_are_told_apart() {
    let site = Site::of(&["cp1"], &["w1", "w2"]);
    let mesh = site.mesh();
    let fate = |from: &str, to: &str, port: Port| match (from, to, port) {
        (_, "cp1", API) => Fate::Ends(Answer::Refused { why: "Connection refused".into() }),
        ("w1", _, VXLAN) => Fate::Ends(Answer::Withheld),
        ("w2", "w1", KUBELET) => {
            Fate::Ends(Answer::Failed { why: "Too many open files (os error 24)".into() })
        }
        _ => Fate::Passes,
    };
    golden("mesh_refused", &mesh.rows(&play(&mesh, opened, fate).answers));
}

#[test]
fn the_wrong_host_is_named_by_what_it_says_or_hears() {
    let site = Site::of(&["cp1"], &["w1", "w2"]);
    let mesh = site.mesh();
    let fate = |from: &str, to: &str, port: Port| match (from, to, port) {
        ("cp1", "w1", KUBELET) => Fate::Ends(Answer::Other { host: Some("w2".into()) }),
        ("cp1", "w1", VXLAN) => Fate::ArrivesAt("w2"),
        ("w1", "cp1", API) => Fate::Ends(Answer::Other { host: None }),
        _ => Fate::Passes,
    };
    golden("mesh_wrong_host", &mesh.rows(&play(&mesh, opened, fate).answers));
}

#[test]
fn what_was_not_probed_is_said() {
    let site = Site::of(&["cp1"], &["w1", "w2"]).with_member("w1");
    let mesh = site.mesh();
    let state = |host: &str, port, in_place| match (host, port) {
        ("w1", KUBELET) => (ListenerState::Vacant, true),
        ("w1", VXLAN) => (ListenerState::Served { process: String::new(), pid: 0 }, false),
        ("cp1", API) => {
            (ListenerState::Failed { why: "Cannot assign requested address (os error 99)".into() }, false)
        }
        _ => served(host, port, in_place),
    };
    golden("mesh_not_probed", &mesh.rows(&play(&mesh, state, |_, _, _| Fate::Passes).answers));
}

#[test]
fn a_host_without_an_answer_is_named_and_the_others_are_judged() {
    let site = Site::of(&["cp1"], &["w1", "w2"]);
    let mesh = site.mesh();
    let fate = |_: &str, to: &str, port| {
        if (to, port) == ("cp1", API) { Fate::Ends(Answer::Silent) } else { Fate::Passes }
    };
    let mut played = play(&mesh, opened, fate);
    played.answers.probed.insert("w2".into(), Err("nothing came within 13 s".into()));
    golden("mesh_no_answer", &mesh.rows(&played.answers));
}

#[test]
fn a_host_that_was_not_reached_is_named_and_blocks_nobody() {
    let rows = super::unreached(["w9"].into_iter());
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].host.as_str(), rows[0].verdict), ("w9", Verdict::Warning));
    assert_eq!(rows[0].text, "not probed: the host was not reached");
}

#[test]
fn a_members_own_ports_are_left_in_place_and_the_sample_is_opened() {
    let site = Site::of(&["cp1"], &["w1"]).with_member("cp1");
    let mesh = site.mesh();
    let listens = mesh.listens("n");
    let in_place = |host: &str| -> Vec<u16> {
        listens[host].ports.iter().filter(|port| port.in_place).map(|port| port.port.number).collect()
    };
    assert_eq!(in_place("cp1"), [6443, 10250, 8472]);
    assert_eq!(in_place("w1"), [0; 0]);
    // Where a service has that node port, its pod answers: something was reached.
    let fate = |_: &str, _: &str, port| {
        if port == NODE_PORT { Fate::Ends(Answer::Other { host: None }) } else { Fate::Passes }
    };
    let rows = mesh.rows(&play(&mesh, served, fate).answers);
    assert_eq!(rows.len(), 1, "{rows:#?}");
    assert!(rows[0].host == "w1" && rows[0].text.contains("something else answers"), "{rows:#?}");
}

#[test]
fn a_program_that_stops_in_between_is_no_refusal() {
    let site = Site::of(&["cp1"], &["w1"]).with_member("cp1");
    let mesh = site.mesh();
    let refused = |_: &str, to: &str, port| {
        let refused = Answer::Refused { why: "Connection refused".into() };
        if (to, port) == ("cp1", API) { Fate::Ends(refused) } else { Fate::Passes }
    };
    let mut played = play(&mesh, served, refused);
    assert_eq!(mesh.rows(&played.answers)[0].verdict, Verdict::Blocking);
    let gone = Listener { port: API, state: ListenerState::Vacant, hears: true };
    played.answers.closed.insert("cp1".into(), Ok((Vec::new(), vec![gone])));
    let api: Vec<Row> =
        mesh.rows(&played.answers).into_iter().filter(|row| row.text.contains("6443")).collect();
    assert_eq!((api.len(), api[0].verdict), (1, Verdict::Warning), "{api:#?}");
}

#[test]
fn a_converged_cluster_has_no_newcomer_and_a_newcomer_only_its_own_ways() {
    let newcomers = |_: &str, facts: &Facts| !facts.kubernetes.kubelet_conf;
    let site = Site::of(&["cp1"], &["w1", "w2"]).with_member("cp1").with_member("w1");
    let mesh = Mesh::of(&site.inventory, &site.facts, newcomers);
    assert!(!mesh.is_empty() && mesh.ways.iter().all(|way| way.from == "w2" || way.to == "w2"));
    let site = site.with_member("w2");
    let mesh = Mesh::of(&site.inventory, &site.facts, newcomers);
    assert!(mesh.is_empty() && mesh.listens("n").is_empty() && mesh.targets(&Answers::default()).is_empty());
}

/// Its packet filter goes by the last run's inventory, and is written anew in this one before the newcomer joins.
#[test]
fn a_former_edge_host_is_not_probed_through_the_filters_that_still_keep_it_out() {
    let mut site = Site::of(&["cp1"], &["w1", "w2"]).with_member("cp1").with_member("w1");
    let ports = |site: &Site, to: &str| -> Vec<Port> {
        let mesh = Mesh::of(&site.inventory, &site.facts, |host, _| host == "w2");
        let ways = mesh.ways.iter().filter(|way| (way.from, way.to) == ("w2", to));
        ways.map(|way| way.port.port).collect()
    };
    assert_eq!(ports(&site, "cp1"), [API, KUBELET, NODE_PORT, VXLAN]);
    site.facts.get_mut("cp1").unwrap().garboard.public_tier = vec!["192.168.1.13".parse().unwrap()];
    assert_eq!(ports(&site, "cp1"), [API, VXLAN], "what they let in is probed");
    assert_eq!(ports(&site, "w1"), [KUBELET, NODE_PORT, VXLAN]);
    site.facts.get_mut("w2").unwrap().garboard.edge_filter = true;
    assert!(Mesh::of(&site.inventory, &site.facts, |host, _| host == "w2").is_empty());
}
