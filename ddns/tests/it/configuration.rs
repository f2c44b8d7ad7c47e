//! What a configuration must not say; nothing is asked or sent for it.

use crate::service::Home;

fn refused(text: &str) -> String {
    let home = Home::new();
    home.configure(text);
    let output = home.run(&["run"]);
    assert_eq!(output.status.code(), Some(1), "{text}");
    String::from_utf8(output.stderr).unwrap()
}

const GOOD: &str = "names:\n  - name: home.example.org\n    provider: { desec: { token: { file: /x } } }\n";

#[test]
fn an_unknown_key_is_an_error_with_its_place() {
    let rows = [
        (format!("{GOOD}intervall: 1\n"), "intervall", "4"),
        (format!("{GOOD}intervals: {{ ecko: 5m }}\n"), "ecko", "4"),
        (GOOD.replace("token:", "tokn:"), "tokn", "3"),
        (GOOD.replace("desec", "desek"), "desek", "3"),
        (format!("{GOOD}names: []\n"), "names", "4"),
    ];
    for (text, word, line) in rows {
        let said = refused(&text);
        assert!(said.contains(word) && said.contains(&format!("line {line}")), "{said}");
    }
}

#[test]
fn every_rule_that_is_broken_is_named_at_once() {
    let said = refused(
        "names:\n\
         \x20 - { name: home.example.org, provider: { no_ip: { password: { file: /x } } } }\n\
         \x20 - { name: HOME.example.org., provider: { cloudflare: { zone: example.net, token: { file: /x } } } }\n\
         \x20 - { name: a.b.duckdns.org, provider: { duckdns: { token: { file: /x } } } }\n\
         \x20 - { name: six.example.org, families: [ipv6], provider: { dynv6: { password: { file: /x } } } }\n\
         \x20 - { name: none.example.org, families: [], provider: { desec: { token: { file: /x } } } }\n\
         \x20 - { name: any.example.org, provider: { dyndns2: { username: a, password: { file: /x } } } }\n\
         sources: { router: [], https: [ipify], dns: [] }\n\
         intervals: { echo: 5s, retry: 1s }\n",
    );
    let parts = [
        "`no_ip` needs `username`",
        "`home.example.org` is in `names` twice",
        "is not in the zone `example.net`",
        "`a.b.duckdns.org` is not one of Duck DNS",
        "dynv6 takes IPv6 by `rfc2136` alone",
        "`none.example.org` has no `families`",
        "`dyndns2` needs `server`",
        "only ipify for IPv4",
        "`intervals.echo` is shorter than 60 s",
        "`intervals.retry` is shorter than 60 s",
    ];
    for part in parts {
        assert!(said.contains(part), "{part}\n{said}");
    }
}

#[test]
fn a_provider_over_plain_http_is_refused() {
    let said = refused(&GOOD.replace("{ file: /x }", "{ file: /x }, server: \"http://update.example.org/\""));
    assert!(said.contains("is not encrypted") && said.contains("line 3"), "{said}");
}

#[test]
fn names_and_lengths_of_time_are_read_strictly() {
    for (text, part) in [
        (GOOD.replace("home.example.org", "home"), "has no dot"),
        (GOOD.replace("home.example.org", "ho me.example.org"), "is no name in DNS"),
        (GOOD.replace("home.example.org", "-home.example.org"), "is no name in DNS"),
        (format!("{GOOD}intervals: {{ echo: soon }}\n"), "is no length of time"),
        (format!("{GOOD}intervals: {{ echo: 2d }}\n"), "is no"),
        (format!("{GOOD}intervals: {{ echo: 30h }}\n"), "between an instant and a day"),
    ] {
        let said = refused(&text);
        assert!(said.contains(part), "{part}\n{said}");
    }
}
