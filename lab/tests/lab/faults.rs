//! Network faults.

use std::net::SocketAddr;
use std::time::Duration;

use garboard_lab::{Faults, connect};

use super::fixture::TestLab;

#[test]
fn a_blocked_port_is_blocked_until_it_is_cleared_and_over_a_reboot() {
    let test = TestLab::up("t-block", 1);
    let address = test.lab.host("w1").unwrap().address;
    let serve = || {
        test.says(
            "w1",
            &["systemd-run", "--quiet", "systemd-socket-activate", "--accept", "--listen=7777", "cat"],
        );
        test.says("w1", &["timeout", "5", "sh", "-c", "until ss -tln | grep -q :7777; do :; done"]);
    };
    let reach = format!("exec 3<>/dev/tcp/{address}/7777");
    let from_cp1 = || test.lab.exec("cp1", &["timeout", "1", "bash", "-c", &reach]).unwrap().status.success();
    let from_bridge =
        || connect("t-block", SocketAddr::from((address, 7777)), Duration::from_secs(1)).is_ok();
    let blocking = |blocks: &[&str]| Faults {
        blocks: blocks.iter().map(|block| block.parse().unwrap()).collect(),
        ..Faults::default()
    };
    serve();
    assert!(from_bridge() && from_cp1());
    // Another port is not this one.
    test.lab.net("w1", &blocking(&["udp/7777", "tcp/7778"])).unwrap();
    assert!(from_bridge() && from_cp1());
    test.lab.net("w1", &blocking(&["tcp/7777", "udp/8472"])).unwrap();
    assert!(!from_bridge() && !from_cp1());
    // The host does not know.
    assert_eq!(test.says("w1", &["nft", "list", "ruleset"]), "");
    test.lab.reboot("w1").unwrap();
    serve();
    assert!(!from_bridge() && !from_cp1());
    test.lab.net("w1", &Faults::default()).unwrap();
    assert!(from_bridge() && from_cp1());
}

#[test]
fn a_dead_cable_loses_all() {
    let test = TestLab::up("t-loss", 1);
    let address = test.lab.host("w1").unwrap().address.to_string();
    let ping = || test.lab.exec("cp1", &["ping", "-c", "2", "-W", "1", &address]).unwrap().status.success();
    assert!(ping());
    test.lab.net("w1", &Faults { loss: 10_000, ..Faults::default() }).unwrap();
    assert!(!ping());
    test.lab.net("w1", &Faults::default()).unwrap();
    assert!(ping());
}

#[test]
fn frames_arrive_later_where_the_kernel_can_do_that_and_it_is_said_where_not() {
    let test = TestLab::up("t-delay", 1);
    let address = test.lab.host("w1").unwrap().address.to_string();
    let faults = Faults { delay: 200, ..Faults::default() };
    let began = std::time::Instant::now();
    match test.lab.net("w1", &faults) {
        Ok(()) => {
            test.says("cp1", &["ping", "-c", "1", "-W", "2", &address]);
            assert!(began.elapsed() > Duration::from_millis(200));
        }
        Err(error) => {
            assert!(error.to_string().contains("sch_netem"), "{error}");
            // And nothing of it is kept for the next boot.
            test.lab.reboot("w1").unwrap();
        }
    }
}
