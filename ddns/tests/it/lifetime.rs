//! Starts, crashes and ends.

use crate::fake_http::{FakeHttp, NEVER, answer};
use crate::service::{Echoes, Home, NAME, NEW, OLD, QUICK, SLOW, bytes, is_in_sync};

#[test]
fn a_crash_between_answer_and_state_leads_to_one_more_update_at_most() {
    let (home, echoes) = (Home::new(), Echoes::saying(NEW));
    // The provider has done it, and the answer is on its way for ever.
    let provider = FakeHttp::saying(NEVER, "");
    home.configure_name(NAME, &home.no_ip(&provider), &echoes.sources(), QUICK);
    let service = home.start();
    provider.arrival();
    service.kill();
    assert!(home.stored().contains("\"updating\""), "{}", home.stored());

    provider.say(200, "nochg");
    let service = home.start();
    provider.arrival();
    for _ in 0..3 {
        assert!(is_in_sync(&service.update(), NEW), "{}", home.log());
    }
    assert_eq!(provider.count(), 2, "one before the crash, one after it");
}

#[test]
fn two_services_do_not_run_at_once() {
    let (home, echoes, provider) = (Home::new(), Echoes::saying(OLD), FakeHttp::saying(200, "good"));
    home.configure_name(NAME, &home.no_ip(&provider), &echoes.sources(), SLOW);
    let service = home.start();
    let second = home.run(&["run"]);
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(said.contains("another garboard-ddns works with"), "{said}");
    // The first is not disturbed.
    assert!(is_in_sync(&service.update(), OLD));
}

#[test]
fn a_signal_ends_it_well_and_status_goes_on_saying_what_was() {
    let (home, echoes, provider) = (Home::new(), Echoes::saying(OLD), FakeHttp::saying(200, "good"));
    home.configure_name(NAME, &home.no_ip(&provider), &echoes.sources(), SLOW);
    let service = home.start();
    service.update();
    assert!(home.status().running);
    assert!(service.end());
    let report = home.status();
    assert!(!report.running && is_in_sync(&report, OLD), "{report:?}");
    let words = home.run(&["status"]);
    assert_eq!(words.status.code(), Some(0));
    let text = String::from_utf8(words.stdout).unwrap();
    assert!(text.contains("home.example.org  no_ip  84.20.10.1  in sync since "), "{text}");
    let late = home.run(&["update"]);
    assert_eq!(late.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&late.stderr).contains("the service does not run"));
}

#[test]
fn metrics_say_who_is_held_and_since_when_all_was_well() {
    let (home, echoes, provider) = (Home::new(), Echoes::saying(OLD), FakeHttp::saying(200, "good"));
    home.configure_name(NAME, &home.no_ip(&provider), &echoes.sources(), SLOW);
    let service = home.start();
    service.update();
    let metrics = bytes(&home.path("runtime/metrics.prom"));
    let row = "garboard_ddns_in_sync{name=\"home.example.org\",provider=\"no_ip\"} 1";
    assert!(metrics.contains(row) && metrics.contains("last_success_timestamp_seconds{"), "{metrics}");
    echoes.say(NEW);
    provider.say(200, "abuse");
    service.update();
    let metrics = bytes(&home.path("runtime/metrics.prom"));
    for row in [
        "in_sync{name=\"home.example.org\",provider=\"no_ip\"} 0",
        "held_fatal{name=\"home.example.org\",provider=\"no_ip\"} 1",
        "updates_total{name=\"home.example.org\",outcome=\"fatal\"} 1",
    ] {
        assert!(metrics.contains(row), "{row}\n{metrics}");
    }
}

#[test]
fn a_state_that_cannot_be_kept_sends_no_update() {
    let (home, echoes, provider) = (Home::new(), Echoes::saying(OLD), FakeHttp::saying(200, "good"));
    home.configure_name(NAME, &home.no_ip(&provider), &echoes.sources(), SLOW);
    // Where the new state would be written there is something that cannot be a file.
    fs_err::create_dir(home.path("state/state.json.new")).unwrap();
    let output = home.run(&["run"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("nothing is sent without it"), "{output:?}");
    assert_eq!(provider.count(), 0);
}

#[test]
fn the_socket_tells_where_every_name_stands_and_asks_nobody() {
    use std::io::{BufRead as _, BufReader, Write as _};
    let (home, echoes, provider) =
        (Home::new(), Echoes::saying(NEW), FakeHttp::start(|_| answer(200, "good")));
    home.configure_name("home.example.org", &home.no_ip(&provider), &echoes.sources(), SLOW);
    let service = home.start();
    service.update();
    let asked = (provider.count(), echoes.one.count());
    let mut socket = std::os::unix::net::UnixStream::connect(home.path("runtime/control.sock")).unwrap();
    socket.write_all(b"{\"command\":\"status\"}\n").unwrap();
    let mut line = String::new();
    BufReader::new(socket).read_line(&mut line).unwrap();
    let report: garboard_ddns::report::Report = serde_json::from_str(&line).unwrap();
    assert!(is_in_sync(&report, NEW) && report.running, "{line}");
    assert_eq!((provider.count(), echoes.one.count()), asked);
}
