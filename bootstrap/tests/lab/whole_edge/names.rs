//! The home's name: kept by the service alone, from what the router says by `UPnP` and a machine on the internet sees.

use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{Echo, Network, TestLab, json_of, until};

/// To which both names of the ingress lead.
pub(super) const NAME: &str = "home.example.org";
/// A machine on the internet that tells who asks it.
const ECHO: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 77);
/// What the provider gives next.
const SECOND: Ipv4Addr = Ipv4Addr::new(44, 128, 2, 20);
const THIRD: Ipv4Addr = Ipv4Addr::new(44, 128, 1, 30);
const LIE: Ipv4Addr = Ipv4Addr::new(44, 128, 1, 66);
/// The router is asked every ten seconds.
const FOLLOWS: Duration = Duration::from_mins(1);

pub(super) fn echo(lab: &TestLab) -> Echo {
    Echo::start(&Network::on_the_internet(lab, ECHO), 53)
}

/// The part of `edge:`, with the key that the lab's DNS server knows.
pub(super) fn section(lab: &TestLab) -> String {
    let home = lab.home();
    let key = fs_err::read_to_string(&home.key).unwrap();
    let [_, name, secret]: [&str; 3] = key.trim().splitn(3, ':').collect::<Vec<_>>().try_into().unwrap();
    let file = lab.folder().join("tsig");
    fs_err::write(&file, secret).unwrap();
    fs_err::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    format!(
        "  ddns:\n    names: [{{ name: {NAME}, provider: {{ rfc2136: {{ server: {}, zone: {}, key: {{ name: {name}, \
         secret: {{ file: {} }} }} }} }} }}]\n    sources: {{ router: [upnp], https: [], dns: [{{ other: {{ operator: echo, \
         ipv4: \"{ECHO}:53\", name: me.example.net }} }}] }}\n    intervals: {{ router: 10s, echo: 1m }}\n",
        home.name_server,
        home.zone,
        file.display()
    )
}

/// What the DNS server answers to somebody on the internet, a record a line.
fn asked(lab: &TestLab, name: &str, kind: &str) -> Vec<String> {
    let server = format!("@{}", lab.home().name_server);
    let question = ["--from", "internet", "--", "kdig", &server, "+short", "+time=2", name, kind];
    lab.lab_command(&["run"], &question).expect(0).stdout.lines().map(str::to_owned).collect()
}

fn leads_to(lab: &TestLab, address: Ipv4Addr) -> bool {
    asked(lab, NAME, "A") == [address.to_string()]
}

/// How many updates the DNS server was sent, those that change nothing too.
fn updates(lab: &TestLab) -> usize {
    let log = fs_err::read_to_string(lab.lab_folder().join("home/knotd.log")).unwrap();
    log.lines().filter(|line| line.contains("DDNS, processing")).count()
}

/// What is said of the one name.
fn status(lab: &TestLab, code: i32) -> Value {
    let report = json_of(&lab.garboard(&["ddns", "status"]).expect(code));
    assert_eq!(report["names"].as_array().unwrap().len(), 1, "{report}");
    report
}

pub(super) fn the_name_leads_home(lab: &TestLab) {
    let public = lab.home().public;
    assert!(
        until(FOLLOWS, || leads_to(lab, public)),
        "{:?}: {}",
        asked(lab, NAME, "A"),
        status_whatever(lab)
    );
    // Only the router's own word says that: its answer to the search has passed the edge host's filter.
    assert_eq!(status(lab, 0)["outside"], json!({ "is": "direct" }));
}

pub(super) fn the_name_follows(lab: &TestLab) {
    lab.lab_command(&["router"], &["--public", &SECOND.to_string()]).expect(0);
    let begun = Instant::now();
    assert!(
        until(FOLLOWS, || leads_to(lab, SECOND)),
        "{:?}: {}",
        asked(lab, NAME, "A"),
        status_whatever(lab)
    );
    println!("   the name followed within {:.1} s", begun.elapsed().as_secs_f64());
    let report = status(lab, 0);
    assert_eq!(report["names"][0]["published"]["ipv4"], SECOND.to_string(), "{report}");
}

fn status_whatever(lab: &TestLab) -> String {
    lab.garboard(&["ddns", "status"]).stdout
}

/// The router has another address and says so; the only other voice says another one.
pub(super) fn one_lying_source(lab: &TestLab, echo: &Echo) {
    let (leads, kept, heard) = (asked(lab, NAME, "A"), updates(lab), echo.count());
    echo.say(LIE);
    lab.lab_command(&["router"], &["--public", &THIRD.to_string()]).expect(0);
    assert!(until(FOLLOWS, || echo.count() > heard), "nobody heard the lie");
    let report = json_of(&lab.garboard(&["ddns", "update"]).expect(1));
    assert_eq!(report["names"][0]["standing"], "changing", "{report}");
    assert_eq!(
        report["outside"],
        json!({ "is": "differs", "router": THIRD.to_string(), "seen": LIE.to_string() })
    );
    let now = (asked(lab, NAME, "A"), updates(lab));
    assert_eq!(now, (leads, kept), "the name follows a lie, or one voice alone");
    echo.be_honest();
    lab.garboard(&["ddns", "update"]).expect(0);
    assert!(leads_to(lab, THIRD), "two voices move nothing");
}

const PLACES: &str = "ls -d /usr/local/bin/garboard-ddns /etc/garboard-ddns /etc/systemd/system/garboard-ddns.service \
                      /etc/systemd/system/*.wants/garboard-ddns.service /run/garboard-ddns 2>/dev/null || true";

/// The inventory has no names for as long as this runs.
pub(super) fn out_of_the_inventory(lab: &TestLab, section: &str) {
    let host = lab.host("edge1");
    let places = || host.exec(&["sh", "-c", PLACES]);
    let rules = || host.exec(&["nft", "list", "table", "inet", "garboard_edge"]);
    assert!(places().lines().count() == 5 && rules().contains("sport 1900"), "{}{}", places(), rules());
    let (leads, kept) = (asked(lab, NAME, "A"), updates(lab));
    let edited = lab.edited(section, "");
    let plan = lab.garboard(&["plan"]).expect(4).stdout;
    assert!(plan.contains("what `ddns` made"), "{plan}");
    lab.converge();
    assert_eq!(places(), "");
    assert!(!rules().contains("sport 1900"), "{}", rules());
    let unit = ["systemctl", "show", "--property=LoadState", "--value", "garboard-ddns.service"];
    assert_eq!(host.exec(&unit).trim(), "not-found");
    assert!(!host.runs(|line| line.contains("garboard-ddns")), "its program runs on");
    assert_eq!((asked(lab, NAME, "A"), updates(lab)), (leads, kept), "the name is gone");
    lab.converged();
    drop(edited);
}

/// What the service had noted is there still.
pub(super) fn back_again(lab: &TestLab) {
    let kept = updates(lab);
    lab.converge();
    let report = json_of(&lab.garboard(&["ddns", "update"]).expect(0));
    assert_eq!(report["names"][0]["standing"], "in_sync", "{report}");
    assert_eq!(updates(lab), kept, "an address that the name has was sent once more");
}
