//! Hosts and laptops that say nothing for a while: a cut network, a laptop asleep, an sshd that hangs, a laptop that never
//! comes back, an agent that crashes.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use garboard_lab::Faults;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::failures::{HOST, assert_only_this_host_failed, is_importing};
use crate::harness::{Finished, TestLab, processes};

/// Longer than both sides take a silent peer for alive.
const LONG: Duration = Duration::from_secs(35);

fn cut(lab: &TestLab) {
    lab.lab().net(HOST, &Faults { loss: 10_000, ..Faults::default() }).unwrap();
}

fn mend(lab: &TestLab) {
    lab.lab().net(HOST, &Faults::default()).unwrap();
}

/// The time itself is what is tested.
#[expect(clippy::disallowed_methods, reason = "nothing happens meanwhile, and that is the test")]
fn pass(time: Duration) {
    std::thread::sleep(time);
}

/// Every step began at most once on this host, and those that began ended.
#[track_caller]
fn assert_each_step_once(up: &Finished) {
    let mut counts: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
    for (kind, is_start) in [("step_started", true), ("step_finished", false)] {
        for event in up.of_kind(kind).filter(|event| event["host"] == HOST) {
            let (started, finished) = counts.entry(event["step"].as_str().unwrap()).or_default();
            *(if is_start { started } else { finished }) += 1;
        }
    }
    let wrong: Vec<_> = counts.iter().filter(|(_, counts)| **counts != (1, 1)).collect();
    assert!(wrong.is_empty(), "{wrong:?}: {}", up.story());
}

#[track_caller]
fn assert_lost_and_back(up: &Finished, host: &str) {
    for kind in ["host_lost", "host_back"] {
        assert!(up.of_kind(kind).any(|event| event["host"] == host), "no {kind} of {host}: {}", up.story());
    }
}

/// The network of one host is gone for a minute in the middle of a step.
pub(crate) fn a_minute_without_network_is_outlasted(lab: &TestLab) {
    let mut was_cut = false;
    let up = std::thread::scope(|scope| {
        lab.follow(&["up"], |event, _| {
            if !was_cut && is_importing(event) {
                was_cut = true;
                cut(lab);
                scope.spawn(|| {
                    pass(Duration::from_mins(1));
                    mend(lab);
                });
            }
        })
    });
    assert!(was_cut, "no image was imported on {HOST}: {}", up.story());
    assert_eq!(up.code, 0, "{}", up.story());
    println!("   the run took {:.1} s", up.time.as_secs_f64());
    assert_lost_and_back(&up, HOST);
    assert_each_step_once(&up);
    let lost: Vec<&Value> = up.of_kind("host_lost").collect();
    assert!(lost.iter().all(|event| event["host"] == HOST && event["seconds"] == 120), "{lost:?}");
    lab.assert_ready();
    lab.converged();
}

/// The command and all it started stand still for longer than silence lasts; the host goes on with its step meanwhile.
pub(crate) fn a_laptop_asleep_goes_on_where_it_was(lab: &TestLab) {
    let images = || lab.host(HOST).exec(&["ctr", "--namespace", "k8s.io", "images", "list", "--quiet"]);
    let mut slept = false;
    let up = lab.follow(&["up"], |event, running| {
        if slept || !is_importing(event) {
            return;
        }
        slept = true;
        let sleepers = family(running.pid());
        signal(&sleepers, Signal::SIGSTOP);
        let before = images();
        pass(LONG);
        let after = images();
        signal(&sleepers, Signal::SIGCONT);
        assert!(after.len() > before.len(), "nothing was imported meanwhile: {before} {after}");
    });
    assert!(slept, "no image was imported on {HOST}: {}", up.story());
    assert_eq!(up.code, 0, "{}", up.story());
    assert_lost_and_back(&up, HOST);
    assert_lost_and_back(&up, "cp1");
    assert_each_step_once(&up);
    lab.assert_ready();
    lab.converged();
}

/// A process and all below it, in whatever group.
fn family(first: Pid) -> Vec<Pid> {
    let mut parents: Vec<(Pid, Pid)> = Vec::new();
    for process in processes() {
        let stat = fs_err::read_to_string(process.join("stat")).unwrap_or_default();
        let parent = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1)?.parse().ok());
        let own = process.file_name().and_then(|name| name.to_str()?.parse().ok());
        if let (Some(own), Some(parent)) = (own, parent) {
            parents.push((Pid::from_raw(own), Pid::from_raw(parent)));
        }
    }
    let mut family = vec![first];
    let mut place = 0;
    while let Some(one) = family.get(place).copied() {
        family.extend(parents.iter().filter(|(_, parent)| *parent == one).map(|(own, _)| *own));
        place += 1;
    }
    family
}

fn signal(whom: &[Pid], signal: Signal) {
    for one in whom {
        // One may have ended by itself.
        let _ = kill(*one, signal);
    }
}

/// Its port takes connections, and nobody answers.
pub(crate) fn an_sshd_that_hangs_is_named_with_the_deadline(lab: &TestLab) {
    let sshd = |signal: &str| {
        lab.host(HOST).exec(&["systemctl", "kill", "--kill-whom=main", &format!("--signal={signal}"), "ssh"]);
    };
    sshd("STOP");
    let up = lab.garboard(&["up"]);
    sshd("CONT");
    let problem = assert_only_this_host_failed(&up);
    assert!(problem["message"].as_str().unwrap().contains("10 s"), "{problem}");
}

/// The first laptop is killed, and its end never reaches the host.
pub(crate) fn a_host_is_free_when_it_says(lab: &TestLab) {
    let mut killed = false;
    let up = lab.follow(&["up", "--linger", "45s"], |event, running| {
        if !killed && is_importing(event) {
            killed = true;
            cut(lab);
            running.kill();
        }
    });
    assert!(killed, "no image was imported on {HOST}: {}", up.story());
    // Not before the host could only have learned it from the silence.
    pass(Duration::from_secs(17));
    mend(lab);
    let mut free_at: Option<Instant> = None;
    loop {
        let begun = Instant::now();
        let other = lab.of_another_laptop(&["plan", "--limit", HOST]);
        let ended = Instant::now();
        let problem = other.of_kind("failed").map(|event| &event["problem"]).find(|one| one["host"] == HOST);
        let Some(problem) = problem else {
            let free_at = free_at.unwrap_or_else(|| panic!("it was free at once: {}", other.story()));
            assert!(ended + Duration::from_secs(3) > free_at, "it was free too early: {}", other.story());
            return;
        };
        assert!(problem["message"].as_str().unwrap().contains("somebody@"), "{problem}");
        if let Some(free_at) = free_at {
            assert!(begun < free_at + Duration::from_secs(3), "it was free too late: {problem}");
        }
        if let Some(seconds) = seconds_in(problem["help"].as_str().unwrap()) {
            free_at.get_or_insert(ended + Duration::from_secs(seconds));
        }
    }
}

/// `… in 0 min 37 s, …`
fn seconds_in(help: &str) -> Option<u64> {
    let (_, rest) = help.split_once("lets go of the host in ")?;
    let (minutes, rest) = rest.split_once(" min ")?;
    let (seconds, _) = rest.split_once(" s")?;
    Some(minutes.parse::<u64>().ok()? * 60 + seconds.parse::<u64>().ok()?)
}

/// On a host that keeps cores, while the agent holds the bootstrap token.
pub(crate) fn a_crashed_agent_leaves_no_core(lab: &TestLab) {
    let host = lab.host(HOST);
    host.write("/etc/systemd/system.conf.d/cores.conf", "[Manager]\nDefaultLimitCORE=infinity\n");
    host.exec(&["systemctl", "daemon-reexec"]);
    // The place is looked at: another program's core is found there.
    let crash = ["systemd-run", "--wait", "--quiet", "sh", "-c", "kill -ABRT 0"];
    let _ = lab.lab().exec(HOST, &crash).unwrap();
    let found = cores(lab);
    assert!(!found.is_empty(), "this machine keeps no cores at all, so that nothing is tested");
    for core in found {
        fs_err::remove_file(core).unwrap();
    }

    let mut crashed = false;
    let up = lab.follow(&["up"], |event, _| {
        let is_joining = event["host"] == HOST
            && event["event"] == "step_progress"
            && event["text"].as_str().is_some_and(|text| text.starts_with("[kubelet-start]"));
        if !crashed && is_joining {
            crashed = true;
            host.exec(&["systemctl", "kill", "--kill-whom=main", "--signal=ABRT", "garboard-*.service"]);
        }
    });
    assert!(crashed, "{HOST} was not seen joining: {}", up.story());
    let problem = assert_only_this_host_failed(&up);
    assert!(
        problem["message"].as_str().unwrap().contains("the agent that worked there is gone"),
        "{problem}"
    );
    let left = cores(lab);
    assert!(left.is_empty(), "{left:?}");
    host.exec(&["rm", "/etc/systemd/system.conf.d/cores.conf"]);
    host.exec(&["systemctl", "daemon-reexec"]);
}

/// Cores where a program without a folder of its own leaves them.
fn cores(lab: &TestLab) -> Vec<PathBuf> {
    let entries = fs_err::read_dir(lab.host(HOST).path("/")).unwrap();
    entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"core")))
        .collect()
}
