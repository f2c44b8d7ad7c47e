//! What each provider is sent, and that its own words are understood.

use serde_json::{Value, json};

use crate::fake_http::{FakeHttp, answer};
use crate::service::{Echoes, Home, NEW, OLD, SLOW, held, is_in_sync, refused};

/// A name at a provider, in sync at `OLD` or whatever the server made of it.
fn started(home: &Home, name: &str, provider: &str, server: &FakeHttp, echoes: &Echoes) {
    let word = provider.replace("SECRET", &home.reference("secret")).replace("URL", &server.url("/x"));
    home.configure_name(name, &format!("{{ {word} }}"), &echoes.sources(), SLOW);
}

#[test]
fn every_provider_is_asked_in_its_own_form() {
    let basic = "Basic bWU6Y2FuYXJ5LXNlY3JldA==";
    let rows = [
        (
            "home.example.org",
            "no_ip: { username: me, password: SECRET, server: \"URL\" }",
            "/x?hostname=home.example.org&myip=84.20.10.2",
            basic,
            "good 84.20.10.2",
        ),
        (
            "home.example.org",
            "dynu: { username: me, password: SECRET, server: \"URL\" }",
            "/x?hostname=home.example.org&myip=84.20.10.2&myipv6=no",
            basic,
            "good 84.20.10.2",
        ),
        (
            "home.example.org",
            "ovh: { username: me, password: SECRET, server: \"URL\" }",
            "/x?system=dyndns&hostname=home.example.org&myip=84.20.10.2",
            basic,
            "good 84.20.10.2",
        ),
        // The user is the name itself, or `none`.
        (
            "home.example.org",
            "hurricane_electric: { password: SECRET, server: \"URL\" }",
            "/x?hostname=home.example.org&myip=84.20.10.2",
            "Basic aG9tZS5leGFtcGxlLm9yZzpjYW5hcnktc2VjcmV0",
            "good 84.20.10.2",
        ),
        (
            "home.example.org",
            "dynv6: { password: SECRET, server: \"URL\" }",
            "/x?hostname=home.example.org&myip=84.20.10.2",
            "Basic bm9uZTpjYW5hcnktc2VjcmV0",
            "nochg 84.20.10.2",
        ),
        (
            "home.duckdns.org",
            "duckdns: { token: SECRET, server: \"URL\" }",
            "/x?domains=home&token=canary-secret&ip=84.20.10.2&verbose=true",
            "",
            "OK\n84.20.10.2\n\nUPDATED",
        ),
        (
            "home.dedyn.io",
            "desec: { token: SECRET, server: \"URL\" }",
            "/x?hostname=home.dedyn.io&myipv4=84.20.10.2&myipv6=preserve",
            "Token canary-secret",
            "good",
        ),
    ];
    for (name, provider, target, authorization, body) in rows {
        let (home, echoes, server) = (Home::new(), Echoes::saying(NEW), FakeHttp::saying(200, body));
        started(&home, name, provider, &server, &echoes);
        let service = home.start();
        assert!(is_in_sync(&service.update(), NEW), "{provider}: {}", home.log());
        let seen = server.seen();
        assert_eq!(seen.len(), 1);
        assert_eq!((seen[0].method.as_str(), seen[0].target.as_str()), ("GET", target));
        assert_eq!(seen[0].header("authorization").unwrap_or_default(), authorization);
        assert!(seen[0].header("user-agent").unwrap().starts_with("garboard-ddns/"), "{:?}", seen[0]);
    }
}

#[test]
fn desec_and_duck_dns_say_no_in_their_own_words() {
    let desec = ("home.dedyn.io", "desec: { token: SECRET, server: \"URL\" }");
    let duck = ("home.duckdns.org", "duckdns: { token: SECRET, server: \"URL\" }");
    for ((name, provider), status, body, part) in
        [(desec, 401, "badauth", "token"), (desec, 404, "nohost", "no domain"), (duck, 200, "KO", "`KO`")]
    {
        let (home, echoes, server) = (Home::new(), Echoes::saying(NEW), FakeHttp::saying(status, body));
        started(&home, name, provider, &server, &echoes);
        let service = home.start();
        let reason = refused(&service.update());
        assert!(reason.contains(part), "{reason}");
        service.update();
        assert_eq!(server.count(), 1);
    }
    let (home, echoes) = (Home::new(), Echoes::saying(NEW));
    let server = FakeHttp::start(|_| (429, "Retry-After: 86\r\n".to_owned(), "throttled".to_owned()));
    started(&home, desec.0, desec.1, &server, &echoes);
    let service = home.start();
    let (seconds, _) = held(&service.update());
    assert!(seconds >= 110, "two minutes at least, whatever it says: {seconds}");
    assert_eq!(server.count(), 1);
}

/// The records of one zone, kept as Cloudflare's API does.
fn cloudflare(records: Vec<Value>) -> FakeHttp {
    let mut records = records;
    FakeHttp::start(move |request| {
        let good = |result: &Value| {
            answer(200, &json!({ "success": true, "errors": [], "result": result }).to_string())
        };
        let (path, _) = request.target.split_once('?').unwrap_or((&request.target, ""));
        match (request.method.as_str(), path) {
            ("GET", "/x/zones") => good(&json!([{ "id": "z1", "name": "example.org" }])),
            ("GET", "/x/zones/z1/dns_records") => good(&Value::Array(records.clone())),
            ("POST", "/x/zones/z1/dns_records") => {
                records.push(serde_json::from_str(&request.body).unwrap());
                good(&records[0])
            }
            ("PATCH", "/x/zones/z1/dns_records/r1") => {
                let change: Value = serde_json::from_str(&request.body).unwrap();
                records[0]["content"] = change["content"].clone();
                good(&records[0])
            }
            _ => answer(
                404,
                &json!({ "success": false, "errors": [{ "code": 7003, "message": "no route" }] }).to_string(),
            ),
        }
    })
}

const CLOUDFLARE: &str = "cloudflare: { zone: example.org, token: SECRET, server: \"URL\" }";

#[test]
fn cloudflare_changes_the_content_alone_and_makes_what_is_missing() {
    let (home, echoes) = (Home::new(), Echoes::saying(NEW));
    let server = cloudflare(vec![json!({ "id": "r1", "content": OLD, "proxied": true, "ttl": 120 })]);
    started(&home, "home.example.org", CLOUDFLARE, &server, &echoes);
    let service = home.start();
    assert!(is_in_sync(&service.update(), NEW), "{}", home.log());
    let seen = server.seen();
    assert_eq!(seen[1].target, "/x/zones/z1/dns_records?type=A&name=home.example.org&per_page=100");
    assert_eq!((seen[2].method.as_str(), seen[2].body.as_str()), ("PATCH", "{\"content\":\"84.20.10.2\"}"));
    assert_eq!(seen[2].header("authorization"), Some("Bearer canary-secret"));
    assert_eq!(seen.len(), 3);
    drop(service);

    let (home, server) = (Home::new(), cloudflare(Vec::new()));
    started(&home, "home.example.org", CLOUDFLARE, &server, &echoes);
    let service = home.start();
    assert!(is_in_sync(&service.update(), NEW), "{}", home.log());
    let made: Value = serde_json::from_str(&server.seen()[2].body).unwrap();
    assert_eq!(
        (&made["type"], &made["content"], &made["proxied"]),
        (&json!("A"), &json!(NEW), &json!(false))
    );
}

#[test]
fn cloudflares_zone_is_found_where_none_is_named() {
    let (home, echoes) = (Home::new(), Echoes::saying(NEW));
    let server = FakeHttp::start(|request| {
        let result = match request.target.as_str() {
            "/x/zones?name=a.home.example.org" | "/x/zones?name=home.example.org" => json!([]),
            "/x/zones?name=example.org" => json!([{ "id": "z1" }]),
            _ => json!([{ "id": "r1", "content": NEW }]),
        };
        answer(200, &json!({ "success": true, "result": result }).to_string())
    });
    started(&home, "a.home.example.org", "cloudflare: { token: SECRET, server: \"URL\" }", &server, &echoes);
    let service = home.start();
    assert!(is_in_sync(&service.update(), NEW), "{}", home.log());
    let last = server.seen().pop().unwrap();
    assert_eq!(last.target, "/x/zones/z1/dns_records?type=A&name=a.home.example.org&per_page=100");
    assert_eq!(server.count(), 4);
}

#[test]
fn cloudflare_with_two_records_of_one_name_waits_for_a_person() {
    let (home, echoes) = (Home::new(), Echoes::saying(NEW));
    let server = cloudflare(vec![
        json!({ "id": "r1", "content": OLD }),
        json!({ "id": "r2", "content": "84.20.10.9" }),
    ]);
    started(&home, "home.example.org", CLOUDFLARE, &server, &echoes);
    let service = home.start();
    let reason = refused(&service.update());
    assert!(reason.contains("has 2 A records"), "{reason}");
    assert!(server.seen().iter().all(|request| request.method == "GET"), "{:?}", server.seen());
}

#[test]
fn cloudflares_own_message_is_what_the_user_reads() {
    let (home, echoes) = (Home::new(), Echoes::saying(NEW));
    let body = json!({ "success": false, "errors": [{ "code": 9109, "message": "Invalid access token" }] });
    let server = FakeHttp::saying(403, &body.to_string());
    started(&home, "home.example.org", CLOUDFLARE, &server, &echoes);
    let service = home.start();
    let reason = refused(&service.update());
    assert!(reason.contains("Invalid access token (code 9109)"), "{reason}");
    service.update();
    assert_eq!(server.count(), 1);
}

#[test]
fn a_redirect_is_not_followed_with_a_secret() {
    let (home, echoes) = (Home::new(), Echoes::saying(NEW));
    let elsewhere = FakeHttp::saying(200, "good");
    let to = format!("Location: {}\r\n", elsewhere.url("/x"));
    let server = FakeHttp::start(move |_| (302, to.clone(), String::new()));
    started(
        &home,
        "home.example.org",
        "no_ip: { username: me, password: SECRET, server: \"URL\" }",
        &server,
        &echoes,
    );
    let service = home.start();
    let (_, reason) = held(&service.update());
    assert!(reason.contains("redirects elsewhere"), "{reason}");
    assert_eq!(elsewhere.count(), 0);
}
