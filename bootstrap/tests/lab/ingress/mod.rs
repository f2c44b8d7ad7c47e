//! The ingress on an edge host: two names and a path, asked for by an address of nobody at home, with and without TLS.

mod acme;
pub(crate) mod objects;

use std::time::Duration;

use crate::harness::{Asked, From, Phases, Shape, States, TestLab, Watch, assert_same, until};

/// An address of nobody at home, as the internet has them.
const FOREIGN: &str = "203.0.113.9";
/// The edge host.
const EDGE: &str = "w1";
/// How long the controller and kube-proxy may take to follow.
const FOLLOWS: Duration = Duration::from_mins(1);

#[test]
fn an_ingress_on_the_edge() {
    let mut phases = Phases::of("an_ingress_on_the_edge");
    let lab = phases
        .must("a control plane, an edge host and a worker", || TestLab::up("t-ingress", Shape::workers(2)));
    phases.must("a foreign address in the lab's network", || {
        in_network(&lab, &["ip", "address", "add", &format!("{FOREIGN}/32"), "dev", "lo"]);
    });
    lab.host(EDGE).use_a_dynamic_user();
    let bare = phases.must("the state before the first up", || lab.states());
    let edge = lab.edited("  w1: {", "  w1: { edge: true,");
    let plain = lab.edited(
        "\nhosts:",
        "\nedge:\n  ingress: { hosts: [app1.example.org, app2.example.org], namespaces: [default, shop] }\nhosts:",
    );
    phases.must("up", || up_tells_where_it_is(&lab));
    phases.check("a_second_up_changes_nothing", || {
        let watch = Watch::begin(&lab, &lab.host_names());
        lab.converged();
        watch.end().assert_no_write_of_ours("w1");
    });
    phases.must("two backends behind two names", || objects::serve(&lab, "w2"));
    phases.check("each_name_and_each_path_leads_to_its_backend", || each_leads_to_its_backend(&lab));
    phases.check("the_backend_sees_the_clients_own_address", || the_backend_sees_the_client(&lab));
    phases.check("nobody_listens_on_other_ports", || nobody_else_listens(&lab));
    phases.check("the_controller_has_few_rights", || the_controller_has_few_rights(&lab));
    phases.check("an_ingress_in_another_namespace_is_not_answered", || another_namespace(&lab));
    phases.check("a_secret_that_an_ingress_names_is_its_certificate", || {
        objects::certificate_of_an_ingress(&lab);
    });
    drop(plain);
    let secret = lab.edited(
        "\nhosts:",
        "\nedge:\n  ingress: { hosts: [app1.example.org], namespaces: [default, shop], tls: { secret: wildcard } }\nhosts:",
    );
    phases.check("a_secret_is_everybodys_certificate_and_plain_http_leads_to_it", || {
        lab.converge();
        objects::certificate_of_all(&lab);
        lab.converged();
    });
    drop(secret);
    phases.check("certificates_come_by_acme", || acme::certificates_come_by_acme(&lab));
    phases.check("a_wildcard_comes_by_dns_with_port_80_closed", || acme::a_wildcard_comes_by_dns(&lab));
    drop(edge);
    phases.check("reset_leaves_nothing", || given_back(&lab, &bare));
    in_network(&lab, &["ip", "address", "delete", &format!("{FOREIGN}/32"), "dev", "lo"]);
    phases.must("lab down", || drop(lab));
    phases.finish();
}

/// The edge host, asked from there.
fn asked(lab: &TestLab) -> Asked<'_> {
    Asked::at(lab, From::Address(FOREIGN), EDGE)
}

#[track_caller]
fn in_network(lab: &TestLab, words: &[&str]) {
    lab.lab_command(&["run"], &[&["--"], words].concat()).expect(0);
}

fn up_tells_where_it_is(lab: &TestLab) {
    let up = lab.converge();
    let door = up.of_kind("front_door").last().unwrap_or_else(|| panic!("{}", up.story()));
    assert_eq!(door["urls"], serde_json::json!(["http://app1.example.org/", "http://app2.example.org/"]));
    let ports: Vec<String> = door["forwards"]
        .as_array()
        .unwrap()
        .iter()
        .map(|forward| format!("{}/{}", forward["port"], forward["protocol"].as_str().unwrap()))
        .collect();
    assert_eq!(ports, ["80/tcp", "443/tcp"]);
    assert_eq!(door["host"], "w1");
}

fn each_leads_to_its_backend(lab: &TestLab) {
    let asked = asked(lab);
    for (name, path, backend) in [
        ("app1.example.org", "/", "one-"),
        ("app2.example.org", "/", "two-"),
        ("app2.example.org", "/shop/cart", "one-"),
        ("app2.example.org", "/shopping", "two-"),
    ] {
        let right = until(FOLLOWS, || asked.http(name, path, &[]).body.starts_with(backend));
        assert!(right, "{name}{path} does not lead to {backend}*: {:?}", asked.http(name, path, &[]));
    }
    assert_eq!(asked.http("app3.example.org", "/", &[]).status, 404);
}

fn the_backend_sees_the_client(lab: &TestLab) {
    let asked = asked(lab);
    let honest = asked.http("app1.example.org", "/honest", &[]);
    assert!(honest.body.contains(&format!("forwarded_for={FOREIGN}\n")), "{honest:?}");
    let forged = asked.http(
        "app1.example.org",
        "/forged",
        &["X-Forwarded-For: 192.168.1.1", "X-Real-Ip: 192.168.1.1"],
    );
    assert!(forged.body.contains(&format!("forwarded_for={FOREIGN}\n")), "{forged:?}");
    let log = lab.kubectl(&["logs", "--selector=app=one", "--tail=200"]);
    for path in ["/honest", "/forged"] {
        let line = log
            .lines()
            .find(|line| line.contains(&format!("path=\"{path}\"")))
            .unwrap_or_else(|| panic!("{log}"));
        assert!(line.contains(&format!("forwarded_for=\"{FOREIGN}\"")), "{line}");
    }
    let access = lab.kubectl(&["logs", "--namespace=traefik", "daemonset/traefik", "--tail=200"]);
    assert!(access.lines().any(|line| line.starts_with(&format!("{FOREIGN} "))), "{access}");
}

/// As a program of nobody in particular, on two ports for everybody, and on none but loopback beside.
fn nobody_else_listens(lab: &TestLab) {
    let edge = lab.host("w1");
    let process = edge.exec(&["pgrep", "--full", "traefik --global"]);
    let process = process.trim();
    let status = edge.exec(&["cat", &format!("/proc/{process}/status")]);
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_whitespace().nth(1).unwrap_or_default().to_owned()
    };
    assert_eq!(field("Uid:"), "65532");
    for set in ["CapEff:", "CapPrm:", "CapBnd:"] {
        assert_eq!(u64::from_str_radix(&field(set), 16), Ok(0), "{set}");
    }
    assert_eq!(field("NoNewPrivs:"), "1");
    assert_eq!(field("Seccomp:"), "2");
    let listening = edge.exec(&["ss", "--listening", "--tcp", "--numeric", "--no-header", "--processes"]);
    let ours: Vec<&str> = listening
        .lines()
        .filter(|line| line.contains("\"traefik\""))
        .filter_map(|line| line.split_whitespace().nth(3))
        .collect();
    assert_eq!(ours.len(), 3, "{listening}");
    assert!(
        ours.contains(&"*:80") && ours.contains(&"*:443") && ours.contains(&"127.0.0.1:10281"),
        "{ours:?}"
    );
}

fn the_controller_has_few_rights(lab: &TestLab) {
    let account = "--as=system:serviceaccount:traefik:traefik";
    let can = |words: &[&str]| {
        let said = lab.try_kubectl(&[&["auth", "can-i", account], words].concat());
        said.stdout.trim() == "yes"
    };
    for namespace in ["default", "shop"] {
        assert!(can(&["list", "secrets", "--namespace", namespace]), "{namespace}");
        assert!(!can(&["create", "secrets", "--namespace", namespace]), "{namespace}");
        assert!(!can(&["create", "pods", "--namespace", namespace]), "{namespace}");
    }
    for namespace in ["kube-system", "traefik", "kube-public", "elsewhere"] {
        assert!(!can(&["get", "secrets", "--namespace", namespace]), "{namespace}");
        assert!(!can(&["list", "services", "--namespace", namespace]), "{namespace}");
    }
    assert!(!can(&["list", "secrets", "--all-namespaces"]));
}

fn another_namespace(lab: &TestLab) {
    let asked = asked(lab);
    objects::in_another_namespace(lab);
    // What the controller has seen after it, it has seen too.
    assert!(until(FOLLOWS, || asked.http("late.example.org", "/", &[]).status == 200));
    assert_eq!(asked.http("elsewhere.example.org", "/", &[]).status, 404);
    let up = lab.converged();
    assert!(up.notes().any(|note| note.contains("`elsewhere/three` is not answered")), "{}", up.story());
}

fn given_back(lab: &TestLab, bare: &States) {
    lab.reset(&[]);
    assert_same(bare, &lab.states());
    lab.garboard(&["reset", "--verify"]).expect(0);
}
