//! A home: who reaches whom through its router, what the router says and the DNS server takes, and that nothing of it stays.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use garboard_lab::{HomeSummary, Lab, Shape};

use super::down::remains;
use super::fixture::{TestLab, cli, places, shape};

/// Another address that the provider has.
const OTHER: Ipv4Addr = Ipv4Addr::new(44, 128, 2, 20);
/// What a home at which nothing is wrong needs for any of this.
const SOON: &str = "5";

fn home(name: &str) -> TestLab {
    TestLab::up_shaped(name, Shape { edge: true, ..shape(0) }, None)
}

fn summary(test: &TestLab) -> HomeSummary {
    test.lab.summary().unwrap().home.expect("the lab has a home")
}

fn from_internet(test: &TestLab, argv: &[&str]) -> Output {
    cli(&[&["run", test.lab.name(), "--from", "internet", "--", "timeout", SOON], argv].concat())
}

fn text(output: Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Whether a connection is made from the internet.
fn connects(test: &TestLab, to: Ipv4Addr, port: u16) -> bool {
    from_internet(test, &["bash", "-c", &format!("exec 3<>/dev/tcp/{to}/{port}")]).status.success()
}

/// A program of this machine at the place of a host in the network.
fn beside(test: &TestLab, host: &str, argv: &[&str]) -> String {
    let namespace = format!("garboard-{}.{host}", test.lab.name());
    text(Command::new("ip").args(["netns", "exec", &namespace, "timeout", SOON]).args(argv).output().unwrap())
}

#[test]
fn the_internet_reaches_the_edge_host_alone_and_those_at_home_reach_all() {
    let test = home("t-home");
    let (public, client) = (summary(&test).public, summary(&test).client);
    let address = |host: &str| test.lab.host(host).unwrap().address;
    for host in ["cp1", "edge1"] {
        let unit = ["systemd-run", "--quiet", "--unit=listens"];
        test.says(
            host,
            &[&unit[..], &["systemd-socket-activate", "--accept", "--listen=7777", "cat"]].concat(),
        );
        test.says(host, &["timeout", SOON, "sh", "-c", "until ss -tln | grep -q :7777; do :; done"]);
    }

    assert!(connects(&test, public, 7777), "the router forwards nothing");
    let log = test.says("edge1", &["journalctl", "--unit", "listens", "--output", "cat"]);
    assert!(log.contains(&client.to_string()), "it came with another address than {client}: {log}");
    let log = test.says("cp1", &["journalctl", "--unit", "listens", "--output", "cat"]);
    assert!(!log.contains(&client.to_string()), "the router leads to cp1 too: {log}");
    for host in ["cp1", "edge1"] {
        assert!(!connects(&test, address(host), 7777), "the internet knows the address of {host}");
    }
    // What the router has for those at home is not for everybody: the same port leads to the edge host, where nothing listens.
    assert!(!connects(&test, public, 5000));
    beside(&test, "edge1", &["bash", "-c", &format!("exec 3<>/dev/tcp/{}/5000", gateway(&test, "edge1"))]);

    for (from, to) in
        [("cp1", address("edge1")), ("edge1", address("cp1")), ("cp1", client), ("edge1", client)]
    {
        test.says(from, &["ping", "-c", "1", "-W", "2", &to.to_string()]);
    }
    let from_laptop = SocketAddr::from((address("edge1"), 7777));
    garboard_lab::connect("t-home", from_laptop, Duration::from_secs(2)).expect("the laptop reaches the DMZ");
    assert_eq!(
        seen_on_the_internet(&test, "cp1"),
        public.to_string(),
        "a host at home shows an address of its own"
    );
    assert!(test.says("cp1", &["getent", "ahostsv4", "ns1.example.org"]).contains("203.0.113.53"));

    says_and_follows(&test, public);
    takes_updates_with_the_key(&test);
}

/// The address with which a host comes to a machine on the internet, as that machine tells.
fn seen_on_the_internet(test: &TestLab, host: &str) -> String {
    let listen = ["systemd-socket-activate", "--accept", "--listen=198.51.100.7:80", "true"];
    let mut command = Command::new(places().program);
    command.args(["lab", "run", test.lab.name(), "--from", "internet", "--", "timeout", SOON]).args(listen);
    let mut machine = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(machine.stderr.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("Listening on")), "it does not listen");
    test.says(host, &["timeout", SOON, "bash", "-c", "exec 3<>/dev/tcp/198.51.100.7/80"]);
    let line = lines.find(|line| line.contains("Connection from")).expect("somebody came");
    machine.kill().unwrap();
    machine.wait().unwrap();
    let (_, peer) = line.split_once("Connection from ").unwrap();
    peer.split(':').next().unwrap().to_owned()
}

fn gateway(test: &TestLab, host: &str) -> Ipv4Addr {
    let [a, b, c, _] = test.lab.host(host).unwrap().address.octets();
    Ipv4Addr::new(a, b, c, 1)
}

/// The router says its address by both protocols, another one as soon as it has it, and all goes on with that one.
fn says_and_follows(test: &TestLab, first: Ipv4Addr) {
    let says = |host: &str| {
        let gateway = gateway(test, host).to_string();
        let pmp = beside(test, host, &["natpmpc", "-g", &gateway]);
        let upnp = beside(test, host, &["upnpc", "-m", "eth0", "-s"]);
        let of = |text: &str, key: &str| {
            let line =
                text.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_else(|| panic!("{text}"));
            line.trim().parse::<Ipv4Addr>().unwrap()
        };
        [of(&pmp, "Public IP address :"), of(&upnp, "ExternalIPAddress =")]
    };
    assert_eq!(says("edge1"), [first; 2]);
    assert_eq!(says("cp1"), [first; 2]);
    let changed = cli(&["router", "t-home", "--public", &OTHER.to_string()]);
    assert!(changed.status.success(), "{changed:?}");
    assert_eq!(says("edge1"), [OTHER; 2]);
    assert!(connects(test, OTHER, 7777), "the new address leads nowhere");
    assert!(!connects(test, first, 7777), "the old address leads home still");
    test.says("cp1", &["ping", "-c", "1", "-W", "2", "203.0.113.9"]);
    let reopened = Lab::open(&test.places, "t-home").unwrap();
    assert_eq!(reopened.summary().unwrap().home.unwrap().public, OTHER);
    for wrong in ["192.168.1.1", "44.128.1.1", "44.128.3.7", "100.64.1.5"] {
        let refused = cli(&["router", "t-home", "--public", wrong]);
        assert!(String::from_utf8_lossy(&refused.stderr).contains("the provider cannot give"), "{refused:?}");
    }
}

/// A name comes into the DNS server with the key, and not without.
fn takes_updates_with_the_key(test: &TestLab) {
    let home = summary(test);
    let (server, key) = (home.name_server.to_string(), home.key.display().to_string());
    let names = |name: &str| {
        text(from_internet(test, &["kdig", &format!("@{server}"), "+short", name, "A"])).trim().to_owned()
    };
    let update = |key: &[&str], address: &str| {
        let lines = format!(
            "server {server}\nzone example.org.\nupdate delete home.example.org. A\nupdate add home.example.org. 60 A {address}\nsend\n"
        );
        let file = test.places.lab("t-home").join("update");
        fs_err::write(&file, lines).unwrap();
        from_internet(test, &[&["knsupdate"], key, &[file.to_str().unwrap()]].concat())
    };
    assert_eq!(names("home.example.org"), "", "somebody gave it an address already");
    let refused = update(&[], "44.128.1.66");
    assert!(!refused.status.success() && names("home.example.org").is_empty(), "{refused:?}");
    text(update(&["-k", &key], &OTHER.to_string()));
    assert_eq!(names("home.example.org"), OTHER.to_string());
    // The resolver of whatever runs there.
    let seen = text(from_internet(test, &["getent", "ahostsv4", "app1.example.org"]));
    assert!(seen.contains(&OTHER.to_string()), "{seen}");
    // Its name and its state are kept while the daemons end and start again.
    let again = Lab::up(&test.places, "t-home", Shape { edge: true, ..shape(0) }, None, &|_| {}).unwrap();
    assert_eq!(again.summary().unwrap().home.unwrap().public, OTHER);
}

#[test]
fn nothing_of_a_home_outlives_down_after_a_crash() {
    let test = home("t-home-crash");
    fs_err::remove_dir_all(test.places.lab("t-home-crash")).unwrap();
    let left = remains("t-home-crash");
    for part in [
        "namespaces: garboard-t-home-crash.router",
        "namespaces: garboard-t-home-crash.internet",
        "processes: knotd",
    ] {
        assert!(left.iter().any(|line| line.starts_with(part)), "{part}: {left:?}");
    }
    Lab::down(&test.places, "t-home-crash").unwrap();
    assert_eq!(remains("t-home-crash"), [""; 0]);
    assert!(!std::path::Path::new("/run/garboard-lab/t-home-crash.names").exists());
}

#[test]
fn a_lab_without_a_home_has_none_to_go_to_and_gets_none_later() {
    let test = TestLab::up("t-no-home", 0);
    let said = |arguments: &[&str]| String::from_utf8(cli(arguments).stderr).unwrap();
    assert!(said(&["run", "t-no-home", "--from", "internet", "--", "true"]).contains("no home"));
    assert!(said(&["router", "t-no-home", "--public", "44.128.1.20"]).contains("no router"));
    let refused = Lab::up(&test.places, "t-no-home", Shape { edge: true, ..shape(0) }, None, &|_| {});
    assert!(refused.unwrap_err().to_string().contains("without a home"));
}
