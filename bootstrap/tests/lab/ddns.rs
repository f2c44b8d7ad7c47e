//! Dynamic DNS on an edge host: its name follows in a real DNS server when two sources agree, and only then; what is refused waits
//! for a person; a restart and a second `up` send nothing; `reset` gives all of it back.

mod fakes;

use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use crate::harness::{
    Echo, Finished, Knot, Network, Phases, Shape, States, TestLab, assert_same, json_of,
    tsig_secret as secret,
};
use crate::second_up::second_up_changes_nothing;
use fakes::Router;

const NAME: &str = "home.example.org";
/// Addresses that a name may get.
const FIRST: Ipv4Addr = Ipv4Addr::new(84, 20, 10, 1);
const SECOND: Ipv4Addr = Ipv4Addr::new(84, 20, 10, 2);
const THIRD: Ipv4Addr = Ipv4Addr::new(84, 20, 10, 3);
const LIE: Ipv4Addr = Ipv4Addr::new(84, 20, 10, 66);
/// What a provider gives its customers where it has too few addresses (RFC 6598).
const CARRIER_GRADE: Ipv4Addr = Ipv4Addr::new(100, 64, 3, 7);
/// Somebody's file in the folder that is the service's.
const FOREIGN: &str = "/etc/garboard-ddns/notes";
/// The most that `systemd-analyze security` may say of the unit; 10 is the worst.
const EXPOSURE: f64 = 2.0;

#[test]
fn a_name_follows_from_the_edge() {
    let mut phases = Phases::of("a_name_follows_from_the_edge");
    let lab = phases.must("a control plane and an edge host", || TestLab::up("t-ddns", Shape::workers(1)));
    phases.must("a file and a service of somebody else", || {
        lab.host("w1").write(FOREIGN, "mine\n");
        lab.host("w1").use_a_dynamic_user();
    });
    let before = phases.must("the state of both hosts", || lab.states());
    let mut home = phases.must("a DNS server, two services, a router", || Home::make(&lab));
    let edge = lab.edited("role: worker,", "role: worker, edge: true,");
    let inventory = lab.edited("\nhosts:", &home.section("[upnp]"));
    phases.must("up brings the service", || lab.converge());
    phases.check("the_name_leads_home", || {
        home.update().expect(0);
        assert_eq!(home.knot.addresses(), [FIRST]);
    });
    phases.check("second_up_changes_nothing", || second_up_changes_nothing(&lab));
    phases.check("one_lying_source_moves_nothing", || one_lying_source_moves_nothing(&home));
    phases.check("the_name_follows_when_two_sources_agree", || {
        home.all_say(SECOND);
        home.update().expect(0);
        assert_eq!(home.knot.addresses(), [SECOND]);
    });
    phases.check("a_restart_sends_nothing", || a_restart_sends_nothing(&home));
    phases.check("what_is_refused_waits_for_a_person_and_resume_sends_it", || {
        what_is_refused_waits_for_a_person_and_resume_sends_it(&mut home);
    });
    phases.check("a_changed_token_restarts_the_service", || a_changed_token_restarts_the_service(&home));
    phases.check("the_secret_is_in_its_file_alone", || the_secret_is_in_its_file_alone(&home));
    phases.check("the_unit_is_hardened", || the_unit_is_hardened(&lab));
    drop(inventory);
    let inventory = lab.edited("\nhosts:", &home.section("[nat_pmp]"));
    phases.check("a_carrier_grade_address_of_the_router_is_told", || {
        lab.converge();
        a_carrier_grade_address_of_the_router_is_told(&home);
    });
    drop(inventory);
    drop(edge);
    phases.check("without_names_it_is_a_wrong_call", || {
        lab.garboard(&["ddns", "status"]).expect(2).says(&["edge: { ddns:"]);
    });
    phases.check("reset_gives_it_all_back", || reset_gives_it_all_back(&lab, &before));
    drop(home);
    phases.must("lab down", || drop(lab));
    phases.finish();
}

/// What is around the edge host, in the lab's network.
struct Home<'a> {
    lab: &'a TestLab,
    network: Network,
    knot: Knot,
    one: Echo,
    two: Echo,
    router: Router,
}

impl<'a> Home<'a> {
    fn make(lab: &'a TestLab) -> Self {
        let network = Network::of(lab);
        let home = Self {
            lab,
            knot: Knot::start(&network, &lab.folder().join("knot"), &secret('E')),
            one: Echo::start(&network, 5301),
            two: Echo::start(&network, 5302),
            router: Router::start(&network),
            network,
        };
        home.keep_secret('E');
        home.all_say(FIRST);
        home
    }

    /// The part of the inventory, in front of its hosts.
    fn section(&self, router: &str) -> String {
        let address = self.network.address();
        let source = |operator: &str, port: u16| {
            format!(
                "{{ other: {{ operator: {operator}, ipv4: \"{address}:{port}\", name: me.example.net }} }}"
            )
        };
        let file = self.secret_file();
        format!(
            "\nedge:\n  ddns:\n    names:\n      - name: {NAME}\n        provider:\n          rfc2136: {{ server: {address}, \
             zone: example.org, key: {{ name: updater, secret: {{ file: {} }} }} }}\n    sources: {{ router: {router}, \
             https: [], dns: [{}, {}] }}\n    intervals: {{ router: 10s, echo: 1m }}\nhosts:",
            file.display(),
            source("one", 5301),
            source("two", 5302),
        )
    }

    fn secret_file(&self) -> std::path::PathBuf {
        self.lab.folder().join("tsig")
    }

    fn keep_secret(&self, which: char) {
        let file = self.secret_file();
        fs_err::write(&file, secret(which)).unwrap();
        fs_err::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn all_say(&self, address: Ipv4Addr) {
        self.one.say(address);
        self.two.say(address);
        self.router.say(Some(address));
    }

    /// The service looks, and has done what follows when this returns.
    fn update(&self) -> Finished {
        self.lab.garboard(&["ddns", "update"])
    }

    /// What is said of the one name.
    fn name(&self, code: i32, words: &[&str]) -> Value {
        let report = json_of(&self.lab.garboard(&[&["ddns"], words].concat()).expect(code));
        assert_eq!(report["names"].as_array().unwrap().len(), 1, "{report}");
        report["names"][0].clone()
    }
}

/// Nobody but the two services is there: the router is silent, so that it is one word against another.
fn one_lying_source_moves_nothing(home: &Home<'_>) {
    let sent = home.knot.updates();
    home.router.say(None);
    home.one.say(LIE);
    // Each round begins with another service, and one that confirms what is published is enough.
    let mut rounds = 0;
    loop {
        let asked = home.one.count();
        let report = json_of(&home.update());
        let name = &report["names"][0];
        assert_eq!(name["published"]["ipv4"], FIRST.to_string(), "{report}");
        if home.one.count() > asked && name["standing"] == "changing" {
            break;
        }
        rounds += 1;
        assert!(rounds < 6, "the liar was not heard: {report}");
    }
    home.name(1, &["status"]);
    assert_eq!((home.knot.addresses(), home.knot.updates()), (vec![FIRST], sent));
}

fn a_restart_sends_nothing(home: &Home<'_>) {
    let (sent, asked) = (home.knot.updates(), home.one.count() + home.two.count());
    home.lab.host("w1").exec(&["systemctl", "restart", "garboard-ddns"]);
    let name = home.name(0, &["update"]);
    assert_eq!(
        (&name["standing"], &name["published"]["ipv4"]),
        (&"in_sync".into(), &SECOND.to_string().into())
    );
    assert!(home.one.count() + home.two.count() > asked, "it has looked");
    assert_eq!(home.knot.updates(), sent, "an update was sent");
}

fn what_is_refused_waits_for_a_person_and_resume_sends_it(home: &mut Home<'_>) {
    home.knot.restart(&secret('I'));
    home.all_say(THIRD);
    let name = home.name(5, &["update"]);
    assert_eq!(name["standing"], "held_fatal", "{name}");
    // The server has changed its mind, and nobody asks it again before a person says so.
    home.knot.restart(&secret('E'));
    assert_eq!(home.name(5, &["update"])["standing"], "held_fatal");
    assert_eq!(home.name(5, &["status"])["standing"], "held_fatal");
    assert_eq!(home.knot.addresses(), [SECOND]);
    home.lab
        .garboard(&["ddns", "resume", "other.example.org"])
        .expect(2)
        .says(&["its names are home.example.org"]);
    assert_eq!(home.name(0, &["resume", "Home.Example.org."])["standing"], "in_sync");
    assert_eq!(home.knot.addresses(), [THIRD]);
}

fn a_changed_token_restarts_the_service(home: &Home<'_>) {
    home.keep_secret('I');
    assert!(home.lab.converge().changes() > 0);
    let name = home.name(5, &["update"]);
    assert_eq!(name["standing"], "held_fatal", "{name}");
    home.keep_secret('E');
    home.lab.converge();
    assert_eq!(home.name(0, &["update"])["standing"], "in_sync");
    home.lab.converged();
}

fn the_secret_is_in_its_file_alone(home: &Home<'_>) {
    let host = home.lab.host("w1");
    let find = |folders: &str| {
        let text = secret('E');
        let search = format!(
            "grep --recursive --files-with-matches --fixed-strings --devices=skip -e '{text}' {folders} || true"
        );
        host.exec(&["sh", "-c", &search])
    };
    assert_eq!(find("/etc /home /opt /root /srv /tmp /usr /var").trim(), "/etc/garboard-ddns/secrets.json");
    let mode = host.exec(&["stat", "--format", "%a %U", "/etc/garboard-ddns/secrets.json"]);
    assert_eq!(mode.trim(), "600 root");
    let journal = host.exec(&["journalctl", "--unit", "garboard-ddns", "--output", "export"]);
    assert!(journal.contains(NAME) && !journal.contains(&secret('E')), "{journal}");
    assert!(!host.command_lines().iter().any(|line| line.contains(&secret('E'))));
}

fn the_unit_is_hardened(lab: &TestLab) {
    let host = lab.host("w1");
    let said = host.exec(&["systemd-analyze", "security", "--no-pager", "garboard-ddns.service"]);
    let line = said.lines().find(|line| line.contains("Overall exposure level")).unwrap();
    println!("   {line}");
    let level = line.split_whitespace().find_map(|word| word.parse::<f64>().ok()).unwrap();
    assert!(level <= EXPOSURE, "{said}");
    let status = host.exec(&[
        "sh",
        "-c",
        "cat /proc/$(systemctl show --property MainPID --value garboard-ddns)/status",
    ]);
    let field =
        |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
    assert_eq!(
        (field("CapEff:").as_str(), field("NoNewPrivs:").as_str(), field("Seccomp:").as_str()),
        ("0000000000000000", "1", "2")
    );
    assert!(!field("Uid:").starts_with("0\t"), "it runs as root: {status}");
}

fn a_carrier_grade_address_of_the_router_is_told(home: &Home<'_>) {
    home.router.say(Some(CARRIER_GRADE));
    let report = json_of(&home.update());
    assert_eq!(
        (&report["outside"]["is"], &report["outside"]["router"]),
        (&"behind_nat".into(), &CARRIER_GRADE.to_string().into())
    );
    let status = json_of(&home.lab.garboard(&["status"]).expect(0));
    assert_eq!(status["ddns"]["names"][0]["name"], NAME);
    assert_eq!(status["ddns"]["outside"]["is"], "behind_nat");
    assert_eq!(home.knot.addresses(), [THIRD], "a carrier-grade address was published");
}

fn reset_gives_it_all_back(lab: &TestLab, before: &States) {
    lab.reset(&[]);
    assert_eq!(lab.host("w1").exec(&["cat", FOREIGN]), "mine\n");
    assert_same(before, &lab.states());
    lab.garboard(&["reset", "--verify"]).expect(0);
}
