//! Killed anywhere, run once more: the end is that of an uninterrupted run.

use std::path::PathBuf;

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::harness::{Finished, Host, Phases, Running, Shape, TestLab, command_line, processes};

/// What is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    /// The agent's executor on the host, or what receives it while there is none yet.
    Agent,
    /// The command on the laptop.
    Cli,
}

/// During what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    AgentPush,
    BlobTransfer,
    ImageImport,
    KubeadmInit,
    KubeadmJoin,
}

const BOTH: [Victim; 2] = [Victim::Agent, Victim::Cli];

#[test]
fn one_up_converges_after_a_kill_anywhere() {
    let mut phases = Phases::of("one_up_converges_after_a_kill_anywhere");
    let lab = phases.must("two bare hosts", || TestLab::up("t-kills", Shape::workers(1)));
    for victim in BOTH {
        phases.must(&format!("{victim:?} killed during KubeadmInit"), || {
            killed(&lab, Moment::KubeadmInit, victim);
        });
        if victim == Victim::Agent {
            phases.must("all hosts are given back", || lab.reset(&[]));
        }
    }
    for moment in [Moment::AgentPush, Moment::BlobTransfer, Moment::ImageImport, Moment::KubeadmJoin] {
        for victim in BOTH {
            phases.must("the worker is given back", || give_back_worker(&lab));
            phases.check(&format!("{victim:?} killed during {moment:?}"), || killed(&lab, moment, victim));
        }
    }
    phases.must("lab down", || drop(lab));
    phases.finish();
}

/// The worker is a bare host again and the cluster knows nothing of it.
fn give_back_worker(lab: &TestLab) {
    lab.reset(&["--host", "w1"]);
    lab.kubectl(&["delete", "node", "w1", "--ignore-not-found"]);
}

/// An `up` in which something is killed, one more, and a third that finds nothing to do.
fn killed(lab: &TestLab, moment: Moment, victim: Victim) {
    if moment == Moment::AgentPush {
        // On a bare host the folder comes with the agent; here it is there to be watched.
        lab.host("w1").exec(&["install", "-d", "-m", "700", "/var/lib/garboard"]);
    }
    let mut struck = false;
    let up = lab.follow(&["up"], |event, running| {
        if !struck && moment.is_reached(lab, event) {
            struck = true;
            victim.dies(lab, moment, running);
        }
    });
    assert!(struck, "{moment:?} was never seen: {}", up.story());
    assert_interrupted(&up, moment, victim);
    let again = lab.converge();
    println!("   the next up took {:.1} s", again.time.as_secs_f64());
    lab.converged();
    lab.assert_ready();
}

impl Moment {
    fn host(self) -> &'static str {
        if self == Self::KubeadmInit { "cp1" } else { "w1" }
    }

    /// Whether this event says that we are in the midst of it; looks at the host itself too.
    fn is_reached(self, lab: &TestLab, event: &Value) -> bool {
        let kind = event["event"].as_str().unwrap_or_default();
        if self == Self::AgentPush {
            return kind == "run_started" && wait_for_push(&lab.host("w1"));
        }
        let text = event["text"].as_str().unwrap_or_default();
        if event["host"] != self.host() {
            return false;
        }
        let host = lab.host(self.host());
        match self {
            Self::AgentPush => false,
            Self::BlobTransfer => {
                kind == "sending"
                    && 0 < number(event, "done")
                    && number(event, "done") < number(event, "total")
            }
            Self::ImageImport => {
                kind == "step_progress"
                    && event["step"].as_str().is_some_and(|step| step.starts_with("worker/"))
                    && text.starts_with("importing")
                    && is_seen(&host, "ctr ", " import ")
            }
            Self::KubeadmInit => {
                kind == "step_progress"
                    && text.starts_with("[wait-control-plane]")
                    && is_seen(&host, "kubeadm init", "")
            }
            Self::KubeadmJoin => {
                kind == "step_progress"
                    && text.starts_with("[kubelet-start]")
                    && is_seen(&host, "kubeadm join", "")
            }
        }
    }

    /// The kind of step, as its events name it, that must not have ended before the kill.
    fn step(self) -> Option<&'static str> {
        match self {
            Self::AgentPush | Self::BlobTransfer => None,
            Self::ImageImport | Self::KubeadmJoin => Some("worker/"),
            Self::KubeadmInit => Some("control-plane/"),
        }
    }
}

fn number(event: &Value, key: &str) -> u64 {
    event[key].as_u64().unwrap_or_default()
}

/// A process of the host whose command line begins so and holds this, within the next looks.
fn is_seen(host: &Host<'_>, begin: &str, part: &str) -> bool {
    // The event is on its way while the program is being started; a look at all processes takes some milliseconds.
    (0..40).any(|_| host.runs(|line| program_begins(line, begin) && line.contains(part)))
}

fn program_begins(line: &str, begin: &str) -> bool {
    let program = line.split(' ').next().unwrap_or_default();
    let bare = program.rsplit('/').next().unwrap_or_default();
    format!("{bare}{}", &line[program.len()..]).starts_with(begin)
}

/// Returns when the agent begins to arrive at the host; `false` when it has arrived already.
fn wait_for_push(host: &Host<'_>) -> bool {
    let folder = host.path("/var/lib/garboard");
    let events = Inotify::init(InitFlags::IN_CLOEXEC).unwrap();
    events.add_watch(&folder, AddWatchFlags::IN_CREATE).unwrap();
    loop {
        for event in events.read_events().unwrap() {
            let name = event.name.unwrap_or_default().to_string_lossy().into_owned();
            if let Some(whole) = name.strip_suffix(".part") {
                return folder.join(&name).exists() && !folder.join(whole).exists();
            }
        }
    }
}

impl Victim {
    fn dies(self, lab: &TestLab, moment: Moment, running: Running) {
        match self {
            Self::Cli => running.kill(),
            Self::Agent if moment == Moment::AgentPush => {
                let receivers = receivers();
                assert!(!receivers.is_empty(), "nobody receives the agent");
                for receiver in receivers {
                    // One may have ended with the other.
                    let _ = kill(receiver, Signal::SIGKILL);
                }
            }
            Self::Agent => {
                let unit = ["systemctl", "kill", "--signal=KILL", "--kill-whom=main", "garboard-*.service"];
                lab.host(moment.host()).exec(&unit);
            }
        }
    }
}

/// The login's shell that stores the agent, and what it runs.
fn receivers() -> Vec<Pid> {
    let pid = |process: &PathBuf| process.file_name()?.to_str()?.parse().ok().map(Pid::from_raw);
    let mut found = Vec::new();
    for process in processes() {
        let is_shell = command_line(&process).is_some_and(|line| line.contains("garboard: stored"));
        if let (true, Some(shell)) = (is_shell, pid(&process)) {
            let children = process.join("task").join(shell.to_string()).join("children");
            let children = fs_err::read_to_string(children).unwrap_or_default();
            found.push(shell);
            found.extend(
                children.split_whitespace().filter_map(|child| child.parse().ok()).map(Pid::from_raw),
            );
        }
    }
    found
}

/// The run did not end by itself, and the step in question had not ended.
fn assert_interrupted(up: &Finished, moment: Moment, victim: Victim) {
    let code = if victim == Victim::Cli { 137 } else { 1 };
    assert_eq!(up.code, code, "{}", up.story());
    let Some(playbook) = moment.step() else { return };
    let of_step = |kind: &'static str| {
        let here = move |event: &&Value| event["host"] == moment.host();
        up.of_kind(kind)
            .filter(here)
            .filter_map(|event| event["step"].as_str())
            .filter(|step| step.starts_with(playbook))
    };
    let open: Vec<&str> = of_step("step_started")
        .filter(|step| !of_step("step_finished").any(|ended| ended == *step))
        .collect();
    assert_eq!(open.len(), 1, "the step in flight: {open:?}: {}", up.story());
}
