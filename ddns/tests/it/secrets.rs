//! A canary that must not be found anywhere but on the way to its provider.

use crate::fake_http::{FakeHttp, answer};
use crate::service::{Echoes, Home, NEW, SLOW, bytes};

/// Every provider over HTTP, at a server that repeats all it was sent in its answer.
#[test]
fn a_token_is_in_no_log_state_metric_error_or_command_line() {
    let providers = [
        ("home.example.org", "no_ip: { username: me, password: SECRET, server: \"URL\" }"),
        ("home.example.org", "dyndns2: { username: me, password: SECRET, server: \"URL\" }"),
        ("home.example.org", "hurricane_electric: { password: SECRET, server: \"URL\" }"),
        ("home.duckdns.org", "duckdns: { token: SECRET, server: \"URL\" }"),
        ("home.example.org", "desec: { token: SECRET, server: \"URL\" }"),
        ("home.example.org", "cloudflare: { zone: example.org, token: SECRET, server: \"URL\" }"),
    ];
    for (name, provider) in providers {
        for status in [200, 403, 500] {
            let (home, echoes) = (Home::new(), Echoes::saying(NEW));
            home.secret("canary", "canary/+1f9d");
            let server = FakeHttp::start(move |request| {
                let repeated = format!("{} {}", request.target, request.headers);
                (status, String::new(), repeated)
            });
            let word = provider.replace("SECRET", "{ credential: canary }").replace("URL", &server.url("/x"));
            home.configure_name(name, &format!("{{ {word} }}"), &echoes.sources(), SLOW);
            let service = home.start();
            let report = serde_json::to_string(&service.update()).unwrap();
            let sent = server.seen();
            assert!(!sent.is_empty(), "{word}");
            let encoded = [
                "canary/+1f9d",
                "canary%2F%2B1f9d",
                "Y2FuYXJ5LysxZjlk",
                "OmNhbmFyeS8rMWY5Z",
                "bWU6Y2FuYXJ5LysxZjlk",
            ];
            let carries = |text: &str| encoded.iter().any(|form| text.contains(form));
            let whole = format!("{} {}", sent[0].target, sent[0].headers);
            assert!(carries(&whole) || whole.contains("Basic "), "the provider gets it: {whole}");
            let words = home.run(&["status"]);
            let command_line = bytes(std::path::Path::new(&format!("/proc/{}/cmdline", service.id())));
            let places = [
                home.log(),
                home.stored(),
                bytes(&home.path("runtime/metrics.prom")),
                report,
                String::from_utf8_lossy(&words.stdout).into_owned(),
                command_line,
            ];
            for place in places {
                assert!(!carries(&place), "{word} {status}: {place}");
                let basic = sent[0].header("authorization").and_then(|value| value.strip_prefix("Basic "));
                assert!(basic.is_none_or(|basic| !place.contains(basic)), "{word} {status}: {place}");
            }
        }
    }
}

#[test]
fn a_secret_that_others_can_read_is_refused_before_anything_is_asked() {
    use std::os::unix::fs::PermissionsExt as _;
    let (home, echoes, provider) =
        (Home::new(), Echoes::saying(NEW), FakeHttp::start(|_| answer(200, "good")));
    home.configure_name("home.example.org", &home.no_ip(&provider), &echoes.sources(), SLOW);
    fs_err::set_permissions(home.path("secret"), std::fs::Permissions::from_mode(0o644)).unwrap();
    let output = home.run(&["run"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("others can read the secret") && said.contains("chmod 600"), "{said}");
    assert_eq!((provider.count(), echoes.one.count()), (0, 0));
}
