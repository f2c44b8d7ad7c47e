//! IPv6 on a real interface with a real temporary address, in a network namespace of this test's own (which needs root).

use std::process::Command;

use nix::sched::{CloneFlags, unshare};

use crate::fake_http::{FakeHttp, answer};
use crate::service::{Echoes, Home, NEW, SLOW, is_in_sync};

const STABLE: &str = "2a01:4f8:c0a:2::5";

fn ip(words: &str) -> String {
    let output = Command::new("ip").args(words.split(' ')).output().unwrap();
    assert!(output.status.success(), "ip {words}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// This thread, and what it starts, get a network of their own: an interface with a lasting address and the temporary one
/// that the kernel makes from it.
fn own_network() {
    unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace needs root");
    ip("link set lo up");
    ip("link add uplink0 type veth peer name uplink1");
    for (key, value) in [("use_tempaddr", "2"), ("accept_dad", "0")] {
        fs_err::write(format!("/proc/sys/net/ipv6/conf/uplink0/{key}"), value).unwrap();
    }
    ip("link set uplink0 up");
    ip("link set uplink1 up");
    ip(&format!("address add {STABLE}/64 dev uplink0 mngtmpaddr"));
    let temporary = ip("-6 -oneline address show dev uplink0 temporary");
    assert!(temporary.contains("2a01:4f8:c0a:2:"), "the kernel made no temporary address: {temporary}");
}

#[test]
fn a_temporary_address_is_never_published() {
    own_network();
    // Says from where it was asked, as the real ones do.
    let echo = FakeHttp::start_at("[::1]:0", |request| answer(200, &request.peer.to_string()));
    let provider = FakeHttp::saying(200, "good");
    let home = Home::new();
    home.configure(&format!(
        "names:\n  - name: home.dedyn.io\n    families: [ipv6]\n    provider: {{ desec: {{ token: {}, server: \"{}\" }} }}\n\
         sources:\n  interface: uplink0\n  router: []\n  dns: []\n  https:\n    - other: {{ operator: one, ipv6: \"{}\" }}\n{SLOW}",
        home.reference("secret"),
        provider.url("/"),
        echo.url("/")
    ));
    let service = home.start();
    let report = service.update();
    assert!(is_in_sync(&report, STABLE), "{report:?}\n{}", home.log());
    let target = &provider.seen()[0].target;
    assert_eq!(target, "/?hostname=home.dedyn.io&myipv4=preserve&myipv6=2a01%3A4f8%3Ac0a%3A2%3A%3A5");
    assert!(echo.seen().iter().all(|request| request.peer.to_string() == STABLE), "{:?}", echo.seen());

    // The lasting address goes, the temporary one alone is left: the record stays.
    ip(&format!("address change {STABLE}/64 dev uplink0 preferred_lft 0"));
    let report = service.update();
    assert_eq!(report.names[0].entry.state.published.to_string(), STABLE);
    assert_eq!(provider.count(), 1);
    // A family that is no longer looked after is not sent any more.
    assert!(service.end());
    let echoes = Echoes::saying(NEW);
    let word =
        format!("{{ desec: {{ token: {}, server: \"{}\" }} }}", home.reference("secret"), provider.url("/"));
    home.configure_name("home.dedyn.io", &word, &echoes.sources(), SLOW);
    let service = home.start();
    assert!(is_in_sync(&service.update(), NEW), "{}", home.log());
    assert_eq!(provider.seen()[1].target, "/?hostname=home.dedyn.io&myipv4=84.20.10.2&myipv6=preserve");
}
