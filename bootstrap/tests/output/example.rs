//! An example of every event; and a whole run in which things changed and one failed.

use garboard::output::report::{Document, Timed};
use garboard::output::{Event, Forward};
use garboard::outside::{OutsideView, SeenName, Verdict};
use garboard::problem::{Exit, Problem};
use garboard_protocol::{Change, Field};

fn w1() -> String {
    "w1".to_owned()
}

fn step() -> String {
    "containerd/4".to_owned()
}

/// One of every kind, in the order of a run.
pub(crate) fn events() -> Vec<Event> {
    vec![
        Event::RunStarted {
            run: "b5c8d2e4f0a1".to_owned(),
            command: "up".to_owned(),
            cluster: "homelab".to_owned(),
            hosts: ["cp1", "w1"].map(str::to_owned).into(),
        },
        Event::Note { text: "`garboard.lock` was written: later runs use the same artifacts".to_owned() },
        Event::HostConnecting { host: w1(), address: "192.168.1.12".to_owned() },
        Event::HostConnected { host: w1(), agent_sent: true, milliseconds: 1840 },
        Event::HostLost { host: w1(), cause: "the host has been silent for 15 s".to_owned(), seconds: 120 },
        Event::HostBack { host: w1(), milliseconds: 47_300 },
        Event::HostRebooting { host: w1(), reasons: vec!["cgroup_enable=memory".to_owned()], seconds: 600 },
        Event::HostRebooted { host: w1(), milliseconds: 38_200 },
        Event::HostPlanned { host: w1(), steps: 38, pending: 31 },
        Event::Fetching { name: "kubelet".to_owned(), done: 18_874_368, total: 77_861_156 },
        Event::Sending { host: w1(), done: 52_428_800, total: 412_316_860 },
        Event::StepWaiting { host: w1(), step: "worker/3".to_owned(), signals: vec!["api".to_owned()] },
        Event::StepStarted {
            host: w1(),
            step: step(),
            doing: "write `/etc/containerd/config.toml`".to_owned(),
        },
        Event::StepProgress {
            host: w1(),
            step: "worker/2".to_owned(),
            text: "importing registry.k8s.io/kube-proxy:v1.36.3".to_owned(),
            waits: false,
        },
        Event::StepFinished {
            host: w1(),
            step: step(),
            changes: vec![Change::new(
                "/etc/containerd/config.toml",
                Field::Mode,
                Some("0600".to_owned()),
                Some("0644".to_owned()),
            )],
            milliseconds: 12,
        },
        Event::HostStopped { host: w1(), done: 3, left: 28, next: "containerd/5".to_owned() },
        Event::Failed { problem: problem() },
        Event::HostFinished { host: w1(), changed: 3, steps: 38, bytes_sent: 412_480_112 },
        Event::FrontDoor {
            host: "dmz1".to_owned(),
            address: "192.168.0.10".to_owned(),
            urls: vec!["https://app1.example.org/".to_owned()],
            forwards: vec![Forward { protocol: "tcp".to_owned(), port: 443, what: "HTTPS".to_owned() }],
            authority: None,
        },
        Event::Outside {
            view: OutsideView {
                from: Some("192.168.1.50".to_owned()),
                inside: true,
                router: Some("84.20.10.1".to_owned()),
                names: vec![SeenName {
                    name: "app1.example.org".to_owned(),
                    protocol: "tcp".to_owned(),
                    port: 443,
                    addresses: vec!["84.20.10.1".to_owned()],
                    verdict: Verdict::Silent,
                    text: "84.20.10.1 does not answer".to_owned(),
                    help: Some("look from a phone without WiFi".to_owned()),
                }],
            },
        },
        Event::RunFinished {
            changes: 3,
            milliseconds: 93_517,
            exit: Exit::Failed,
            report: Some(
                "/home/ada/.local/state/garboard/homelab/reports/20260704-101500-b5c8d2e4f0a1.json"
                    .to_owned(),
            ),
            page: Some(
                "/home/ada/.local/state/garboard/homelab/reports/20260704-101500-b5c8d2e4f0a1.html"
                    .to_owned(),
            ),
        },
    ]
}

fn problem() -> Problem {
    Problem::new(Exit::Failed, "cannot write `/var/lib/containerd/blob`")
        .host("w1")
        .step("worker/2")
        .cause("No space left on device (os error 28)")
        .help("free some space on `/var`, then run `garboard up` again")
}

/// A run on three hosts: one new, one as it should be, one that fails; seconds and events.
pub(crate) fn run() -> Document {
    let on = |host: &str| host.to_owned();
    let started = |host: &str, step: &str, doing: &str| Event::StepStarted {
        host: on(host),
        step: on(step),
        doing: on(doing),
    };
    let finished = |host: &str, step: &str, changes: Vec<Change>, milliseconds| Event::StepFinished {
        host: on(host),
        step: on(step),
        changes,
        milliseconds,
    };
    let config =
        "version = 3\nroot = \"/var/lib/containerd\"\n\n[debug]\nlevel = \"info\"\n\n[grpc]\nuid = 0\n";
    let written = Change::new(
        "/etc/containerd/config.toml",
        Field::Content,
        Some(config.to_owned()),
        Some(config.replace("\"info\"", "\"warn\"") + "gid = 0\n"),
    );
    let secret = Change::new(
        "/etc/kubernetes/token",
        Field::Content,
        None,
        Some("sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".to_owned()),
    );
    let forwarding =
        Change::new("net.ipv4.ip_forward", Field::Value, Some("0".to_owned()), Some("1".to_owned()));
    let failure = Problem::new(Exit::Failed, "`kubeadm join` failed")
        .host("w2")
        .step("worker/4")
        .cause("ended with exit status 1:\n[preflight] Running pre-flight checks\nerror: <cannot> connect & stay connected")
        .help("look at `journalctl -u kubelet` on w2, then run `garboard up` again");
    let events = [
        (
            0,
            Event::RunStarted {
                run: on("b5c8d2e4f0a1"),
                command: on("up"),
                cluster: on("homelab"),
                hosts: ["cp1", "w1", "w2"].map(on).into(),
            },
        ),
        (1_840, Event::HostConnected { host: on("cp1"), agent_sent: false, milliseconds: 1_840 }),
        (2_010, Event::HostConnected { host: on("w1"), agent_sent: false, milliseconds: 2_010 }),
        (4_300, Event::HostConnected { host: on("w2"), agent_sent: true, milliseconds: 4_300 }),
        (5_000, Event::Note { text: on("warning: w2: memory: 900 MB; 2 GB or more are better") }),
        (6_000, Event::HostPlanned { host: on("cp1"), steps: 42, pending: 2 }),
        (6_000, Event::HostPlanned { host: on("w1"), steps: 38, pending: 0 }),
        (6_000, Event::HostPlanned { host: on("w2"), steps: 38, pending: 4 }),
        (6_010, Event::HostFinished { host: on("w1"), changed: 0, steps: 38, bytes_sent: 48_212 }),
        (6_100, started("cp1", "host/8", "set net.ipv4.ip_forward to 1")),
        (6_100, started("w2", "host/8", "set net.ipv4.ip_forward to 1")),
        (6_120, finished("cp1", "host/8", vec![forwarding.clone()], 14)),
        (6_180, finished("w2", "host/8", vec![forwarding], 61)),
        (6_200, started("w2", "containerd/4", "write `/etc/containerd/config.toml`")),
        (7_900, finished("w2", "containerd/4", vec![written], 1_650)),
        (7_950, started("w2", "worker/2", "write `/etc/kubernetes/token`")),
        (8_300, finished("w2", "worker/2", vec![secret], 320)),
        (8_310, Event::StepWaiting { host: on("w2"), step: on("worker/4"), signals: vec![on("api")] }),
        (6_150, started("cp1", "control-plane/3", "import 4 images")),
        (14_150, finished("cp1", "control-plane/3", Vec::new(), 8_000)),
        (14_200, Event::HostFinished { host: on("cp1"), changed: 1, steps: 42, bytes_sent: 1_204_991 }),
        (14_210, started("w2", "worker/4", "kubeadm join")),
        (31_000, Event::Failed { problem: failure }),
        (31_010, Event::HostFinished { host: on("w2"), changed: 3, steps: 38, bytes_sent: 412_480_112 }),
        (
            31_500,
            Event::RunFinished {
                changes: 4,
                milliseconds: 31_500,
                exit: Exit::Failed,
                report: Some(on("/home/ada/reports/now.json")),
                page: Some(on("/home/ada/reports/now.html")),
            },
        ),
    ];
    let began: jiff::Timestamp = "2026-07-04T10:15:00Z".parse().unwrap();
    let timed = events.into_iter().map(|(milliseconds, event)| Timed {
        at: began + jiff::SignedDuration::from_millis(milliseconds),
        event,
    });
    Document { version: "0.1.0".to_owned(), started: began, events: timed.collect() }
}
