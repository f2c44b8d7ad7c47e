//! The edge host behind its home's router, seen from the internet: closed but for what is named, also after whatever empties its
//! tables; and open to those at home.

mod outside;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::harness::{From, Phases, Scan, Shape, TestLab, address, answers, inside, serve, until};

/// What the inventory opens.
const PUBLIC: u16 = 8443;
/// A node port, which kube-proxy serves on every node.
const NODE_PORT: u16 = 30080;
/// Longest the host may be open after somebody emptied its tables.
const PROTECTED: Duration = Duration::from_secs(10);
/// Longest until kube-proxy serves node ports again; after a boot the whole node has to come back.
const SERVED: Duration = Duration::from_mins(2);
/// UDP ports beside the usual ones: VXLAN, `WireGuard`, IKE, OpenVPN, mDNS, SNMP.
const UDP: &str = "U:8472,51820,500,1194,5353,161";

#[test]
fn an_edge_host_behind_the_router_of_a_home() {
    let mut phases = Phases::of("an_edge_host_behind_the_router_of_a_home");
    let lab = phases.must("a home", || TestLab::up("t-at-home", Shape::workers(1).in_a_home()));
    let opened = lab.edited("firewall: { ", "firewall: { public_tcp: [8443], ");
    phases.must("up", || lab.converge());
    phases.must("a service with a node port, and somebody who listens where it is open", || {
        serve(&lab, NODE_PORT);
        listen(&lab);
    });
    phases.check("those_at_home_reach_all", || those_at_home_reach_all(&lab));
    phases.check("who_comes_from_the_internet_keeps_his_address", || {
        assert!(answers(&lab, From::Internet, &public(&lab), PUBLIC));
        let log = lab.host("edge1").exec(&["journalctl", "--unit", "listens", "--output", "cat"]);
        assert!(log.contains(&client(&lab)), "nobody came from {}: {log}", client(&lab));
    });
    phases.check("without_the_filter_the_internet_finds_it_open", || without_the_filter(&lab));
    phases.check("every_port_but_the_named_one_is_closed_to_the_internet", || closed(&lab));
    for flush in [["nft", "flush", "ruleset"].as_slice(), &["systemctl", "restart", "nftables.service"]] {
        phases.check(&format!("protected again after `{}`", flush.join(" ")), || {
            let begun = Instant::now();
            lab.host("edge1").exec(flush);
            again(&lab, begun);
            closed(&lab);
        });
    }
    phases.check("a_boot_is_never_open", || a_boot_is_never_open(&lab));
    phases.check("an up finds nothing to do", || {
        lab.converged();
    });
    let ingress =
        lab.edited("  firewall: { ", "  ingress: { hosts: [app1.example.org], tls: own_ca }\n  firewall: { ");
    phases.must("up with an ingress", || lab.converge());
    phases.check("a_name_without_an_address_is_told", || outside::a_name_without_an_address(&lab));
    phases.check("the_edge_is_seen_through_the_router_and_from_inside_only_silence", || {
        outside::through_the_router(&lab);
    });
    phases.check("an_up_tells_how_its_names_look", || outside::an_up_tells_it(&lab));
    phases.check("a_name_that_leads_to_an_old_address_is_silent", || outside::an_old_address(&lab));
    phases.check("a_stranger_at_the_address_is_told", || outside::a_stranger(&lab));
    phases.check("check_tells_that_an_address_is_shared", || outside::a_shared_address(&lab));
    drop(ingress);
    drop(opened);
    phases.must("lab down", || drop(lab));
    phases.finish();
}

/// The router's address on the internet.
fn public(lab: &TestLab) -> String {
    lab.home().public.to_string()
}

/// With which address programs come that are run on the internet.
fn client(lab: &TestLab) -> String {
    lab.home().client.to_string()
}

fn listen(lab: &TestLab) {
    let listener = format!("--listen={PUBLIC}");
    let host = lab.host("edge1");
    host.exec(&[
        "systemd-run",
        "--quiet",
        "--unit=listens",
        "systemd-socket-activate",
        "--accept",
        &listener,
        "cat",
    ]);
    let begun = until(PROTECTED, || {
        host.exec(&["ss", "--tcp", "--listening", "--numeric"]).contains(&format!(":{PUBLIC} "))
    });
    assert!(begun, "nobody listens");
}

fn those_at_home_reach_all(lab: &TestLab) {
    for host in ["cp1", "w1", "edge1"] {
        let to = address(lab, host);
        assert!(until(SERVED, || answers(lab, From::Laptop, &to, NODE_PORT)), "{host}: {NODE_PORT}");
        for port in [22, 10250] {
            assert!(answers(lab, From::Laptop, &to, port), "{host}: {port} is closed to those at home");
        }
    }
    assert!(answers(lab, From::Laptop, &address(lab, "cp1"), 6443), "the API is closed to those at home");
}

/// A scan of the router's public address from the internet.
fn scan(lab: &TestLab, nmap: &[&str]) -> Scan {
    let (internet, public) = (format!("--net=/run/netns/garboard-{}.internet", lab.name()), public(lab));
    inside(&[internet], &[nmap, &[public.as_str()]].concat())
}

/// What a scan would find: that it finds nothing later says something about the filter, not about the way or the scan.
fn without_the_filter(lab: &TestLab) {
    let host = lab.host("edge1");
    host.exec(&["systemctl", "stop", "garboard-firewall-watch.service"]);
    host.exec(&["nft", "delete", "table", "inet", "garboard_edge"]);
    let tcp = scan(lab, &["-sS", "-p", "22,6443,8443,10250,30080"]);
    let udp = scan(lab, &["-sU", "-p", "U:161,51820"]);
    host.exec(&["systemctl", "start", "garboard-firewall-watch.service"]);
    assert!(until(PROTECTED, || is_loaded(lab)), "the table stays away");
    assert_eq!(tcp.open, BTreeSet::from([22, PUBLIC, 10250, NODE_PORT]), "{}", tcp.text);
    assert_eq!(tcp.refused, BTreeSet::from([6443]), "{}", tcp.text);
    assert!(!udp.refused.is_empty(), "no packet of UDP got there: {}", udp.text);
}

fn closed(lab: &TestLab) {
    let begun = Instant::now();
    let tcp = scan(lab, &["-sS", "-p-", "--min-rate", "4000"]);
    assert_eq!(tcp.open, BTreeSet::from([PUBLIC]), "{}", tcp.text);
    assert!(tcp.refused.is_empty() && tcp.text.contains("filtered (65534)"), "{}", tcp.text);
    for ports in [["--top-ports", "100"], ["-p", UDP]] {
        let udp = scan(lab, &[&["-sU", "--min-rate", "100"][..], &ports[..]].concat());
        assert!(udp.open.is_empty() && udp.refused.is_empty(), "{}", udp.text);
    }
    println!("   scanned in {:.0} s", begun.elapsed().as_secs_f64());
}

fn is_loaded(lab: &TestLab) -> bool {
    lab.host("edge1").exec(&["nft", "list", "tables"]).contains("inet garboard_edge")
}

/// Says after how long it was protected again, as the internet sees it, and served node ports again, as home sees it.
fn again(lab: &TestLab, begun: Instant) {
    assert!(until(PROTECTED, || is_loaded(lab)), "the table stays away");
    let edge = address(lab, "edge1");
    println!("   protected again within {:.1} s", begun.elapsed().as_secs_f64());
    assert!(!answers(lab, From::Internet, &public(lab), 22), "the table is there, and closes nothing");
    assert!(until(SERVED, || answers(lab, From::Laptop, &edge, NODE_PORT)), "no node port works again");
    println!("   node ports worked again within {:.1} s", begun.elapsed().as_secs_f64());
}

/// From the moment in which it goes down until all is there again, somebody on the internet tries its sshd.
fn a_boot_is_never_open(lab: &TestLab) {
    let (ended, public, begun) = (AtomicBool::new(false), public(lab), Instant::now());
    let (tries, came_in) = std::thread::scope(|scope| {
        let intruder = scope.spawn(|| {
            let (mut tries, mut came_in) = (0, 0);
            while !ended.load(Ordering::Relaxed) {
                tries += 1;
                came_in += u32::from(answers(lab, From::Internet, &public, 22));
            }
            (tries, came_in)
        });
        let booted = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            lab.lab_command(&["reboot"], &["edge1"]).expect(0);
            println!("   it had booted after {:.1} s", begun.elapsed().as_secs_f64());
            again(lab, begun);
        }));
        ended.store(true, Ordering::Relaxed);
        let tried = intruder.join().unwrap();
        booted.unwrap();
        tried
    });
    assert!(tries > 1 && came_in == 0, "of {tries} connections to its sshd {came_in} were made");
    listen(lab);
    closed(lab);
}
