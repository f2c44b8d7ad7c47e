//! Who is believed.

use garboard_ddns::machine::Phase;

use crate::fake_http::FakeHttp;
use crate::service::{Echoes, Home, NAME, NEW, OLD, SLOW, is_in_sync, other, state};

#[test]
fn one_lying_source_does_not_move_the_name() {
    let (home, echoes) = (Home::new(), Echoes::saying(OLD));
    let third = FakeHttp::saying(200, OLD);
    let provider = FakeHttp::saying(200, &format!("good {OLD}"));
    let sources = echoes.sources() + &other("three", &third);
    home.configure_name(NAME, &home.no_ip(&provider), &sources, SLOW);
    let service = home.start();
    assert!(is_in_sync(&service.update(), OLD));
    // Each is the liar once, and each is asked first once.
    for liar in [&echoes.one, &echoes.two, &third] {
        liar.say(200, NEW);
        for _ in 0..3 {
            assert!(is_in_sync(&service.update(), OLD), "{}", home.log());
        }
        liar.say(200, OLD);
    }
    assert_eq!(provider.count(), 1);
    echoes.say(NEW);
    provider.say(200, "good");
    let mut report = service.update();
    // Whoever lags behind is outvoted, once the round has come to the others.
    for _ in 0..2 {
        report = service.update();
    }
    assert!(is_in_sync(&report, NEW), "{report:?}");
    assert_eq!(provider.count(), 2);
}

#[test]
fn two_sources_of_one_operator_are_one_voice() {
    let (home, echoes) = (Home::new(), Echoes::saying(OLD));
    let (again, provider) = (FakeHttp::saying(200, NEW), FakeHttp::saying(200, "good"));
    let sources = echoes.sources() + &other("one", &again);
    home.configure_name(NAME, &home.no_ip(&provider), &sources, SLOW);
    let service = home.start();
    assert!(is_in_sync(&service.update(), OLD));
    echoes.one.say(200, NEW);
    for _ in 0..3 {
        let report = service.update();
        assert_eq!(state(&report).published.to_string(), OLD);
    }
    assert_eq!(provider.count(), 1);
}

#[test]
fn lost_sources_delete_nothing_and_move_nothing() {
    let (home, echoes) = (Home::new(), Echoes::saying(OLD));
    let provider = FakeHttp::saying(200, "good");
    home.configure_name(NAME, &home.no_ip(&provider), &echoes.sources(), SLOW);
    let service = home.start();
    assert!(is_in_sync(&service.update(), OLD));
    for (status, body) in [(500, ""), (200, "<html>no</html>"), (200, "10.0.0.1"), (200, "")] {
        echoes.one.say(status, body);
        echoes.two.say(status, body);
        assert_eq!(state(&service.update()).published.to_string(), OLD);
    }
    echoes.two.say(200, NEW);
    let report = service.update();
    let Phase::Changing { because, .. } = &state(&report).phase else { panic!("{report:?}") };
    assert!(because.contains("two independent"), "{because}");
    assert_eq!(provider.count(), 1, "{:?}", provider.seen());
    assert!(home.log().contains("one says no address: IPv4: HTTP status 500"), "{}", home.log());
}

#[test]
fn addresses_no_name_may_get_are_not_published_even_if_all_agree() {
    for address in ["10.1.2.3", "100.64.0.9", "127.0.0.1", "104.21.5.5", "203.0.113.9"] {
        let (home, echoes) = (Home::new(), Echoes::saying(address));
        let provider = FakeHttp::saying(200, "good");
        home.configure_name(NAME, &home.no_ip(&provider), &echoes.sources(), SLOW);
        let service = home.start();
        let report = service.update();
        let Phase::Changing { because, .. } = &state(&report).phase else { panic!("{report:?}") };
        assert!(because.contains("which no name may get"), "{because}");
        assert_eq!(provider.count(), 0, "{address}");
    }
}
