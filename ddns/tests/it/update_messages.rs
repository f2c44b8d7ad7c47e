//! RFC 2136: what a real Knot makes of our updates, and answers that a healthy one does not give.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use crate::knot::{Knot, SECRET};
use crate::service::{Echoes, Home, NEW, OLD, SLOW, held, is_in_sync, refused};

fn configure(home: &Home, server: &str, name: &str, zone: &str, key: &str, echoes: &Echoes) {
    let secret = home.reference("tsig");
    let provider = format!(
        "{{ rfc2136: {{ server: \"{server}\", zone: {zone}, key: {{ name: {key}, secret: {secret} }} }} }}"
    );
    home.configure_name(name, &provider, &echoes.sources(), SLOW);
}

#[test]
fn the_name_follows_in_a_real_dns_server() {
    let (knot, home, echoes) = (Knot::start(), Home::new(), Echoes::saying(OLD));
    home.secret("tsig", SECRET);
    configure(&home, &knot.server(), "home.example.org", "example.org", "updater", &echoes);
    let serial = knot.serial();
    let service = home.start();
    assert!(is_in_sync(&service.update(), OLD), "{}", home.log());
    assert_eq!(knot.addresses("home.example.org"), [OLD]);
    let first = knot.serial();
    assert!(first > serial);
    service.update();
    assert_eq!(knot.serial(), first, "nothing is sent while nothing changes");
    echoes.say(NEW);
    assert!(is_in_sync(&service.update(), NEW), "{}", home.log());
    assert_eq!(knot.addresses("home.example.org"), [NEW], "replaced, not added");
    assert_eq!(knot.addresses("other.example.org"), ["192.0.2.7"], "what is not ours stays");
    assert_eq!(knot.texts("home.example.org"), ["kept"], "other records of the name too");
}

#[test]
fn a_wrong_key_holds_until_a_person_acts() {
    let knot = Knot::start();
    // Another secret; a key the server does not know; a key that may not write here.
    let rows = [
        ("updater", "d3Jvbmctc2VjcmV0LXdyb25nLXNlY3JldA==", "does not accept the TSIG key"),
        ("nobody", SECRET, "does not accept the TSIG key"),
        ("reader", SECRET, ""),
    ];
    for (key, secret, part) in rows {
        let (home, echoes) = (Home::new(), Echoes::saying(OLD));
        home.secret("tsig", secret);
        configure(&home, &knot.server(), "home.example.org", "example.org", key, &echoes);
        let serial = knot.serial();
        let service = home.start();
        let reason = refused(&service.update());
        assert!(reason.contains(part) && reason.contains(key), "{key}: {reason}");
        assert!(!reason.contains(secret));
        service.update();
        assert_eq!(knot.serial(), serial);
        assert!(knot.addresses("home.example.org").is_empty());
    }
}

#[test]
fn a_zone_the_server_does_not_have_holds_until_a_person_acts() {
    let (knot, home, echoes) = (Knot::start(), Home::new(), Echoes::saying(OLD));
    home.secret("tsig", SECRET);
    configure(&home, &knot.server(), "home.example.net", "example.net", "updater", &echoes);
    let service = home.start();
    let reason = refused(&service.update());
    assert!(reason.contains("NOTAUTH") && reason.contains("example.net"), "{reason}");
}

#[test]
fn a_server_that_is_gone_keeps_the_record_and_the_name_is_tried_again() {
    let (knot, home, echoes) = (Knot::start(), Home::new(), Echoes::saying(OLD));
    home.secret("tsig", SECRET);
    configure(&home, &knot.server(), "home.example.org", "example.org", "updater", &echoes);
    let service = home.start();
    assert!(is_in_sync(&service.update(), OLD), "{}", home.log());
    drop(knot);
    echoes.say(NEW);
    let (_, reason) = held(&service.update());
    assert!(reason.contains("cannot connect"), "{reason}");
}

/// A server that answers every update with a response code, unsigned.
fn answering(code: u8) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut length = [0; 2];
            stream.read_exact(&mut length).unwrap();
            let mut question = vec![0; usize::from(u16::from_be_bytes(length))];
            stream.read_exact(&mut question).unwrap();
            // The number of the question; a response, of an update; the code; empty sections.
            let header = [question[0], question[1], 0x80 | 5 << 3, code, 0, 0, 0, 0, 0, 0, 0, 0];
            stream.write_all(&[0, 12]).unwrap();
            stream.write_all(&header).unwrap();
        }
    });
    address
}

#[test]
fn every_response_code_is_held_as_long_as_its_kind_asks_for() {
    let rows = [
        (0, None),
        (2, None),
        (3, Some("NXDOMAIN")),
        (5, Some("REFUSED")),
        (10, Some("NOTZONE")),
        (4, Some("refuses the update")),
    ];
    for (code, fatal) in rows {
        let (home, echoes) = (Home::new(), Echoes::saying(OLD));
        home.secret("tsig", "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0");
        configure(&home, &answering(code), "home.example.org", "example.org", "updater", &echoes);
        let service = home.start();
        let report = service.update();
        match fatal {
            Some(part) => assert!(refused(&report).contains(part), "{}", refused(&report)),
            // An unsigned "done" may be anybody's; trouble passes.
            None if code == 0 => assert!(held(&report).1.contains("not signed"), "{}", held(&report).1),
            None => assert!(held(&report).1.contains("SERVFAIL"), "{}", held(&report).1),
        }
    }
}
