//! Every provider's terms are kept: requests are counted where they arrive.

use crate::fake_http::{FakeHttp, answer};
use crate::service::{Echoes, Home, NAME, NEW, OLD, QUICK, SLOW, held, is_in_sync, refused, state};

/// Starts with the name in sync at `OLD`, then lets the address change while the provider answers `status` and `body`.
/// Gives what is reported then, after two more checks, and how many requests the change led to.
fn after_a_change_answered_with(
    status: u16,
    headers: &str,
    body: &str,
) -> (garboard_ddns::report::Report, usize) {
    let (home, echoes) = (Home::new(), Echoes::saying(OLD));
    let provider = FakeHttp::saying(200, &format!("good {OLD}"));
    home.configure_name(NAME, &home.no_ip(&provider), &echoes.sources(), SLOW);
    let service = home.start();
    assert!(is_in_sync(&service.update(), OLD), "{}", home.log());
    assert_eq!(provider.count(), 1);
    let (headers, body) = (headers.to_owned(), body.to_owned());
    provider.handle(move |_| (status, headers.clone(), body.clone()));
    echoes.say(NEW);
    let first = service.update();
    assert_eq!(state(&first).published.to_string(), OLD, "what was published stays known");
    for _ in 0..3 {
        service.update();
    }
    assert!(service.end());
    // Nor after a restart.
    let service = home.start();
    let last = service.update();
    assert_eq!(state(&last).phase, state(&first).phase);
    (last, provider.count() - 1)
}

#[test]
fn an_unchanged_address_is_never_sent_again() {
    let (home, echoes) = (Home::new(), Echoes::saying(OLD));
    let provider = FakeHttp::saying(200, &format!("good {OLD}"));
    home.configure_name(NAME, &home.no_ip(&provider), &echoes.sources(), SLOW);
    let service = home.start();
    for _ in 0..5 {
        assert!(is_in_sync(&service.update(), OLD));
    }
    assert!(service.end());
    let service = home.start();
    assert!(is_in_sync(&service.update(), OLD));
    assert_eq!(provider.count(), 1, "{:?}", provider.seen());
}

#[test]
fn a_refusal_is_sent_once_and_then_nothing() {
    for code in ["badauth", "abuse", "nohost", "!donator", "badagent", "notfqdn", "good 127.0.0.1"] {
        let (report, requests) = after_a_change_answered_with(200, "", code);
        assert!(refused(&report).contains(code), "{code}: {}", refused(&report));
        assert_eq!(requests, 1, "{code}");
    }
    let (report, requests) = after_a_change_answered_with(401, "", "badauth");
    assert!(refused(&report).contains("user and password"));
    assert_eq!(requests, 1);
}

#[test]
fn trouble_of_the_provider_is_waited_for_half_an_hour() {
    for (status, code) in [(500, "911"), (200, "dnserr")] {
        let (report, requests) = after_a_change_answered_with(status, "", code);
        let (seconds, reason) = held(&report);
        assert!((1700..=3600).contains(&seconds), "{code}: {seconds}");
        assert!(reason.contains(code), "{reason}");
        assert_eq!(requests, 1, "{code}");
    }
}

#[test]
fn too_many_requests_are_answered_by_as_much_silence_as_was_asked_for() {
    let (report, requests) = after_a_change_answered_with(429, "Retry-After: 7200\r\n", "slow down");
    let (seconds, reason) = held(&report);
    assert!((7100..=7200).contains(&seconds), "{seconds}");
    assert!(reason.contains("429") && reason.contains("slow down"), "{reason}");
    assert_eq!(requests, 1);
}

/// Whatever less it asks for.
#[test]
fn too_many_requests_are_answered_by_five_minutes_of_silence_at_least() {
    for asked_for in ["", "Retry-After: 1\r\n"] {
        let (home, echoes) = (Home::new(), Echoes::saying(NEW));
        let provider = FakeHttp::start(move |_| (429, asked_for.to_owned(), "slow down".to_owned()));
        home.configure_name(NAME, &home.no_ip(&provider), &echoes.sources(), QUICK);
        let service = home.start();
        let (seconds, _) = held(&service.update());
        assert!((290..=300).contains(&seconds), "{asked_for}: {seconds}");
        service.update();
        assert_eq!(provider.count(), 1, "{asked_for}");
    }
}

#[test]
fn dynu_is_asked_again_after_ten_minutes() {
    let (home, echoes, provider) = (Home::new(), Echoes::saying(NEW), FakeHttp::saying(500, "911"));
    let secret = home.reference("secret");
    let url = provider.url("/nic/update");
    let word = format!("{{ dynu: {{ username: me, password: {secret}, server: \"{url}\" }} }}");
    home.configure_name(NAME, &word, &echoes.sources(), QUICK);
    let service = home.start();
    let (seconds, _) = held(&service.update());
    assert!((590..=600).contains(&seconds), "{seconds}");
    assert_eq!(provider.count(), 1);
}

/// By its own, without a command: the term passes, and the next update goes through.
#[test]
fn a_server_that_fails_is_tried_again_by_itself() {
    let (home, echoes) = (Home::new(), Echoes::saying(NEW));
    let mut failures = 3;
    let provider = FakeHttp::start(move |_| {
        if failures > 0 {
            failures -= 1;
            return if failures == 1 {
                answer(200, "<html>log in to this hotel</html>")
            } else {
                answer(503, "")
            };
        }
        answer(200, "good")
    });
    home.configure_name(NAME, &home.no_ip(&provider), &echoes.sources(), QUICK);
    let service = home.start();
    for _ in 0..4 {
        provider.arrival();
    }
    assert!(is_in_sync(&service.update(), NEW), "{}", home.log());
    assert_eq!(provider.count(), 4);
    let log = home.log();
    assert!(log.contains("HTTP status 503") && log.contains("none of this protocol: `<html>log in"), "{log}");
}

#[test]
fn what_a_page_says_that_is_no_answer_is_never_taken_for_good() {
    let (home, echoes) = (Home::new(), Echoes::saying(NEW));
    let provider = FakeHttp::saying(200, "<html>good</html>");
    home.configure_name(NAME, &home.no_ip(&provider), &echoes.sources(), SLOW);
    let service = home.start();
    let report = service.update();
    let (_, reason) = held(&report);
    assert!(reason.contains("none of this protocol"), "{reason}");
    assert!(state(&report).published.is_empty());
}

#[test]
fn resume_tries_once_more_and_a_new_configuration_does() {
    let (home, echoes, provider) = (Home::new(), Echoes::saying(NEW), FakeHttp::saying(200, "badauth"));
    home.configure_name(NAME, &home.no_ip(&provider), &echoes.sources(), SLOW);
    let service = home.start();
    refused(&service.update());
    assert_eq!(provider.count(), 1);
    refused(&service.tell(&["resume", "--json"]));
    assert_eq!(provider.count(), 2, "one more, and it was refused again");
    refused(&service.update());
    assert!(service.end());
    // Another interval is no other account.
    home.configure_name(NAME, &home.no_ip(&provider), &echoes.sources(), QUICK);
    let service = home.start();
    refused(&service.update());
    assert_eq!(provider.count(), 2);
    assert!(service.end());
    // Another password is.
    provider.say(200, &format!("good {NEW}"));
    home.secret("secret", "another");
    let service = home.start();
    assert!(is_in_sync(&service.update(), NEW), "{}", home.log());
    assert_eq!(provider.count(), 3);
}

#[test]
fn a_refused_account_is_left_alone_with_all_its_names() {
    let (home, echoes, provider) = (Home::new(), Echoes::saying(NEW), FakeHttp::saying(401, "badauth"));
    let other = FakeHttp::saying(200, &format!("good {NEW}"));
    home.secret("other", "another");
    let elsewhere = home.no_ip(&other);
    home.configure(&format!(
        "names:\n  - {{ name: one.example.org, provider: {0} }}\n  - {{ name: two.example.org, provider: {0} }}\n  \
         - {{ name: three.example.org, provider: {elsewhere} }}\n{1}{SLOW}",
        home.no_ip(&provider),
        echoes.sources()
    ));
    let service = home.start();
    service.update();
    assert_eq!(provider.count(), 1, "{:?}", provider.seen());
    assert_eq!(other.count(), 1);
    let held = home.stored().matches("held_fatal").count();
    assert_eq!(held, 2, "{}", home.stored());
    assert_eq!(home.run(&["status"]).status.code(), Some(5));
}
