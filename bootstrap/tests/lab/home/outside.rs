//! The front door as the command sees it: from the laptop at home and from a laptop on the internet, in front of a router that forwards, one
//! whose address has moved, and one that has no address of its own.

use serde_json::Value;

use crate::harness::{From, Guest, TestLab, json_of, product};

/// A machine on the internet that is none of ours.
const STRANGER: &str = "198.51.100.7";
/// Where the provider's customers are who share an address (RFC 6598).
const SHARED: &str = "100.64.0.5";
const MOVED: &str = "44.128.2.20";

/// What a name came to, port by port, and whether it was looked at from inside.
struct Seen {
    inside: bool,
    verdicts: Vec<(u64, String)>,
    text: String,
}

impl Seen {
    fn of(view: &Value) -> Self {
        let names = view["names"].as_array().unwrap();
        let verdict =
            |name: &Value| (name["port"].as_u64().unwrap(), name["verdict"].as_str().unwrap().to_owned());
        Self {
            inside: view["inside"].as_bool().unwrap(),
            verdicts: names.iter().map(verdict).collect(),
            text: view.to_string(),
        }
    }

    #[track_caller]
    fn is(&self, inside: bool, verdict: &str) {
        let all = [(443, verdict.to_owned()), (80, verdict.to_owned())];
        assert_eq!((self.inside, self.verdicts.as_slice()), (inside, &all[..]), "{}", self.text);
    }
}

/// The command as somebody calls it who sits there, with the name servers of that place.
fn garboard(lab: &TestLab, from: From<'_>, words: &[&str]) -> crate::harness::Finished {
    let inventory = lab.lab().inventory().display().to_string();
    let program = product().display().to_string();
    let mut call = vec![program.as_str(), "--inventory", &inventory, "--output", "json", "--yes"];
    call.extend(lab.upstream().into_iter().flat_map(|upstream| ["--upstream", upstream]));
    call.extend(words);
    if matches!(from, From::Internet) {
        return lab.lab_command(&["run"], &[&["--from", "internet", "--"], &call[..]].concat());
    }
    // The router passes questions on.
    let [a, b, c, _] = lab.lab().host("cp1").unwrap().address.octets();
    let resolver = lab.folder().join("resolv.conf");
    fs_err::write(&resolver, format!("nameserver {a}.{b}.{c}.1\n")).unwrap();
    let script =
        "mount --bind \"$1\" \"$(readlink --canonicalize /etc/resolv.conf)\" && shift && exec \"$@\"";
    let resolver = resolver.display().to_string();
    let wrapped = [&["--", "unshare", "--mount", "sh", "-c", script, "sh", &resolver], &call[..]].concat();
    lab.lab_command(&["run"], &wrapped)
}

fn seen(lab: &TestLab, from: From<'_>) -> Seen {
    Seen::of(&json_of(&garboard(lab, from, &["status"]).expect(0))["outside"])
}

/// Gives the name an address in the real DNS server.
fn lead(lab: &TestLab, address: &str) {
    let home = lab.home();
    let lines = format!(
        "server {}\nzone example.org.\nupdate delete home.example.org. A\nupdate add home.example.org. 60 A {address}\nsend\n",
        home.name_server
    );
    let file = lab.folder().join("update");
    fs_err::write(&file, lines).unwrap();
    let (key, file) = (home.key.display().to_string(), file.display().to_string());
    lab.lab_command(&["run"], &["--from", "internet", "--", "knsupdate", "-k", &key, &file]).expect(0);
}

fn move_to(lab: &TestLab, address: &str) {
    lab.lab_command(&["router"], &["--public", address]).expect(0);
}

pub(super) fn a_name_without_an_address(lab: &TestLab) {
    seen(lab, From::Laptop).is(true, "no_name");
}

/// From the internet it is the edge host that answers; from inside the router leads nobody back in, and that is said.
pub(super) fn through_the_router(lab: &TestLab) {
    lead(lab, &lab.home().public.to_string());
    seen(lab, From::Internet).is(false, "answered");
    let inside = seen(lab, From::Laptop);
    inside.is(true, "silent");
    assert!(inside.text.contains("hairpin"), "{}", inside.text);
}

/// It is told at the end of an `up`, which ends well all the same.
pub(super) fn an_up_tells_it(lab: &TestLab) {
    let up = garboard(lab, From::Internet, &["up"]).expect(0);
    assert_eq!(up.changes(), 0, "{}", up.story());
    Seen::of(&up.of_kind("outside").last().unwrap()["view"]).is(false, "answered");
    let up = garboard(lab, From::Laptop, &["up"]).expect(0);
    Seen::of(&up.of_kind("outside").last().unwrap()["view"]).is(true, "silent");
}

/// The provider has given the router another address, and the name still leads to the old one.
pub(super) fn an_old_address(lab: &TestLab) {
    let first = lab.home().public.to_string();
    move_to(lab, MOVED);
    seen(lab, From::Internet).is(false, "silent");
    lead(lab, MOVED);
    seen(lab, From::Internet).is(false, "answered");
    move_to(lab, &first);
}

/// Somebody else has a server where the name leads.
pub(super) fn a_stranger(lab: &TestLab) {
    let folder = lab.folder().display().to_string();
    let (key, certificate) = (format!("{folder}/stranger.key"), format!("{folder}/stranger.crt"));
    let made = std::process::Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-days",
            "2",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
        ])
        .args(["-subj", "/CN=stranger", "-keyout", &key, "-out", &certificate])
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let place = format!("{STRANGER}:443");
    let mut server: Guest = lab.start_from(
        From::Internet,
        &["openssl", "s_server", "-accept", &place, "-key", &key, "-cert", &certificate, "-www"],
    );
    server.until("ACCEPT");
    lead(lab, STRANGER);
    let seen = seen(lab, From::Internet);
    assert_eq!(seen.verdicts[0], (443, "another".to_owned()), "{}", seen.text);
    assert!(seen.text.contains("CN=stranger"), "{}", seen.text);
    assert_eq!(seen.verdicts[1], (80, "silent".to_owned()), "{}", seen.text);
}

/// What `check` says of the router, before and after the provider has customers share an address.
pub(super) fn a_shared_address(lab: &TestLab) {
    let first = lab.home().public.to_string();
    let row = || {
        let said = json_of(&garboard(lab, From::Laptop, &["check"]).expect(0));
        let rows = said["rows"].as_array().unwrap().clone();
        rows.into_iter().find(|row| row["check"] == "router").unwrap_or_else(|| panic!("{said}"))
    };
    let fine = row();
    assert_eq!((&fine["host"], &fine["verdict"]), (&"edge1".into(), &"fine".into()), "{fine}");
    assert!(fine["text"].as_str().unwrap().contains(&first), "{fine}");
    move_to(lab, SHARED);
    let shared = row();
    assert_eq!(shared["verdict"], "warning", "{shared}");
    // Debian's miniupnpd keeps such an address to itself, and says that it has none.
    assert!(shared["text"].as_str().unwrap().contains("CGNAT"), "{shared}");
    move_to(lab, &first);
}
