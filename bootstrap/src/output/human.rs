//! For a person: lines that stay, and on a terminal a moving line a host below them. All of it on standard error.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::ProgressDrawTarget;

use super::activity::Activities;
use super::paint::{Ink, Mark, Paint};
use super::progress::Progress;
use super::terminal::Terminal;
use super::{Event, Listener, text};
use crate::problem::{Exit, Problem};

/// What the line of fetching from upstream is called.
const UPSTREAM: &str = "upstream";
/// What the line of the cluster's own steps is called.
const CLUSTER: &str = "cluster";
/// How much time passes between two plain lines about one transfer.
const PLAIN_TRANSFER_PAUSE: Duration = Duration::from_secs(5);

/// Shows events.
pub struct Human {
    verbose: bool,
    paint: Paint,
    state: Mutex<State>,
}

struct State {
    way: Way,
    /// Of the widest host name.
    width: usize,
    activities: Activities,
    transfers: BTreeMap<String, Instant>,
    /// Where something failed, for the last line; and on which hosts.
    failed: Vec<String>,
    failed_hosts: BTreeSet<String>,
    stopped_hosts: BTreeSet<String>,
    hosts: usize,
    /// What happened since a person is being asked.
    held: Option<Vec<Event>>,
}

enum Way {
    /// Lines that stay, one after the other.
    Plain(Box<dyn Write + Send>),
    /// On a terminal.
    Moving(Progress),
}

impl Human {
    /// On standard error; `verbose` also tells of steps that found nothing to do.
    pub fn new(verbose: bool, terminal: Terminal) -> Self {
        if terminal.moving {
            Self::on_terminal(verbose, terminal.paint, ProgressDrawTarget::stderr())
        } else {
            Self::plain(verbose, terminal.paint, std::io::stderr())
        }
    }

    /// Plain lines to `target`.
    pub fn plain(verbose: bool, paint: Paint, target: impl Write + Send + 'static) -> Self {
        Self::on(verbose, paint, Way::Plain(Box::new(target)))
    }

    /// Lines that stay and lines that move.
    pub fn on_terminal(verbose: bool, paint: Paint, target: ProgressDrawTarget) -> Self {
        Self::on(verbose, paint, Way::Moving(Progress::new(target, paint)))
    }

    fn on(verbose: bool, paint: Paint, way: Way) -> Self {
        let state = State {
            way,
            width: 0,
            activities: Activities::default(),
            transfers: BTreeMap::new(),
            failed: Vec::new(),
            failed_hosts: BTreeSet::new(),
            stopped_hosts: BTreeSet::new(),
            hosts: 0,
            held: None,
        };
        Self { verbose, paint, state: Mutex::new(state) }
    }
}

impl Listener for Human {
    fn event(&self, event: &Event) {
        let Ok(mut state) = self.state.lock() else { return };
        match &mut state.held {
            // Somebody who wants to stop instead of answering is told that they are heard.
            Some(held) if !matches!(event, Event::Note { .. }) => held.push(event.clone()),
            _ => self.show(&mut state, event),
        }
    }

    fn rest(&self) {
        if let Ok(mut state) = self.state.lock()
            && let Way::Moving(progress) = &mut state.way
        {
            progress.clear();
        }
    }

    fn hold(&self) {
        self.rest();
        if let Ok(mut state) = self.state.lock() {
            state.held.get_or_insert_default();
        }
    }

    fn go_on(&self) {
        if let Ok(mut state) = self.state.lock() {
            for event in state.held.take().unwrap_or_default() {
                self.show(&mut state, &event);
            }
        }
    }
}

impl Human {
    fn show(&self, state: &mut State, event: &Event) {
        if let Some(line) = self.line(state, event) {
            state.say(&line);
        }
        if let Event::RunStarted { hosts, .. } = event {
            state.begin(hosts);
        }
        let anew = state.activities.take(event);
        match event {
            Event::Fetching { name, done, total } => {
                let message = fetching(name, *done, *total);
                let is_done = done == total && *total > 0;
                state.transfer(UPSTREAM, self.paint, message, is_done);
            }
            Event::Sending { host, done, total } => {
                let message = format!("sent {} of {}", text::bytes(*done), text::bytes(*total));
                state.transfer(host, self.paint, message, done == total);
            }
            _ => {}
        }
        let Way::Moving(progress) = &mut state.way else { return };
        match event {
            Event::HostFinished { host, .. } => progress.remove(host),
            Event::Failed { problem } => problem.host.iter().for_each(|host| progress.remove(host)),
            Event::RunFinished { .. } => progress.clear(),
            _ => {
                if let Some(host) = event.host() {
                    progress.show(host, state.activities.line(host), anew);
                }
            }
        }
    }

    /// The line that stays, for an event that matters.
    fn line(&self, state: &mut State, event: &Event) -> Option<String> {
        let is_plain = matches!(state.way, Way::Plain(_));
        let (paint, verbose) = (self.paint, self.verbose);
        let of = |host: &str, mark: Mark, rest: &str| {
            let name = paint.ink(Ink::Strong, &format!("{host:width$}", width = state.width));
            format!("{name}  {} {rest}", paint.mark(mark))
        };
        match event {
            Event::RunStarted { cluster, hosts, command, .. } => verbose.then(|| {
                text::one_line(&format!("garboard {command}: cluster {cluster}, {} hosts", hosts.len()))
            }),
            Event::Note { text } => Some(note(text, paint)),
            Event::HostConnected { host, agent_sent, milliseconds } => verbose.then(|| {
                let how = if *agent_sent { "connected, agent sent" } else { "connected" };
                of(host, Mark::Begins, &format!("{how} ({})", text::duration(*milliseconds)))
            }),
            Event::HostLost { host, cause, seconds } => {
                let words = format!(
                    "connection lost ({}): what the host is at goes on there; trying again for {}",
                    text::one_line(cause),
                    text::duration(seconds * 1000)
                );
                Some(of(host, Mark::Waits, &words))
            }
            Event::HostBack { host, milliseconds } => {
                let words = format!("connected again after {}", text::duration(*milliseconds));
                Some(of(host, Mark::Begins, &words))
            }
            Event::HostRebooting { host, reasons, seconds } => {
                let words = format!(
                    "reboots, for {}: it may take {}",
                    text::one_line(&reasons.join(", ")),
                    text::duration(seconds * 1000)
                );
                Some(of(host, Mark::Waits, &words))
            }
            Event::HostRebooted { host, milliseconds } => {
                let words =
                    format!("is back after {}; what is left is planned anew", text::duration(*milliseconds));
                Some(of(host, Mark::Begins, &words))
            }
            Event::HostStopped { host, done, left, next } => {
                state.stopped_hosts.insert(host.clone());
                let words = format!(
                    "stopped: {done} steps done in this run, {left} left, the next is {}",
                    text::one_line(next)
                );
                Some(of(host, Mark::Waits, &words))
            }
            Event::HostPlanned { host, steps, pending } if *pending > 0 && (is_plain || verbose) => {
                Some(of(host, Mark::Begins, &format!("{pending} of {steps} steps to do")))
            }
            Event::StepWaiting { host, step, signals } if is_plain || verbose => {
                let signals = text::one_line(&signals.join("`, `"));
                Some(of(host, Mark::Waits, &format!("waits for `{signals}` ({})", text::one_line(step))))
            }
            Event::StepStarted { host, doing, .. } if is_plain && verbose => {
                Some(of(host, Mark::Begins, &paint.ink(Ink::Plain, doing)))
            }
            Event::StepProgress { host, step, text, waits: true } if is_plain || verbose => {
                Some(of(host, Mark::Waits, &text::one_line(&format!("{text} ({step})"))))
            }
            Event::StepProgress { host, text, .. } if is_plain && verbose => {
                Some(of(host, Mark::Begins, &paint.ink(Ink::Faint, text)))
            }
            Event::StepFinished { host, step, changes, milliseconds } => {
                let mark = if changes.is_empty() { Mark::Unchanged } else { Mark::Changed };
                let doing = state.activities.doing(host, step);
                let time = format!("({step}, {})", text::duration(*milliseconds));
                let line = format!("{doing} {}", paint.ink(Ink::Faint, &time));
                (!changes.is_empty() || verbose).then(|| of(host, mark, &line))
            }
            Event::Failed { problem } => {
                state.failed.push(place(problem));
                state.failed_hosts.extend(problem.host.clone());
                Some(text::problem(problem, paint))
            }
            Event::HostFinished { host, changed, steps, .. }
                if is_plain
                    && (*changed > 0 || verbose)
                    && !state.failed_hosts.contains(host)
                    && !state.stopped_hosts.contains(host) =>
            {
                let mark = if *changed > 0 { Mark::Changed } else { Mark::Unchanged };
                Some(of(host, mark, &format!("done: {changed} of {steps} steps changed something")))
            }
            Event::FrontDoor { .. } => Some(text::front_door(event)),
            Event::Outside { view } => Some(view.human()),
            Event::RunFinished { exit, changes, report, page, .. } => {
                let mut lines = Vec::new();
                if *exit == Exit::Failed && !state.failed.is_empty() && state.hosts > 1 {
                    let places = state.failed.join(", ");
                    let words = format!("failed: {places}; a second run goes on from there");
                    lines.push(format!("{} {}", paint.mark(Mark::Failed), paint.ink(Ink::Plain, &words)));
                }
                let tells = *changes > 0 || !matches!(exit, Exit::Done | Exit::Pending);
                if let (Some(path), true) = (page.as_ref().or(report.as_ref()), tells) {
                    lines.push(text::one_line(&format!("report: {path}")));
                }
                (!lines.is_empty()).then(|| lines.join("\n"))
            }
            _ => None,
        }
    }
}

impl State {
    fn begin(&mut self, hosts: &[String]) {
        self.hosts = hosts.len();
        self.width = hosts.iter().map(String::len).max().unwrap_or(0).max(UPSTREAM.len());
        if let Way::Moving(progress) = &mut self.way {
            let others = [CLUSTER, UPSTREAM].map(str::to_owned);
            progress.order([hosts, &others].concat(), self.width);
        }
    }

    fn say(&mut self, line: &str) {
        match &mut self.way {
            Way::Moving(progress) => progress.say(line),
            // Whoever closed standard error does not want to know; the work goes on.
            Way::Plain(target) => {
                let _ = writeln!(target, "{line}").and_then(|()| target.flush());
            }
        }
    }

    /// A transfer: upstream's moving line on a terminal (a host's own line tells its transfers), elsewhere now and then a
    /// plain line.
    fn transfer(&mut self, whose: &str, paint: Paint, message: String, is_done: bool) {
        if let Way::Moving(progress) = &mut self.way {
            if whose == UPSTREAM && is_done {
                progress.remove(UPSTREAM);
            } else if whose == UPSTREAM {
                progress.show(UPSTREAM, message, false);
            }
            return;
        }
        let now = Instant::now();
        let last = self.transfers.entry(whose.to_owned()).or_insert(now);
        if now.duration_since(*last) >= PLAIN_TRANSFER_PAUSE {
            *last = now;
            let name = paint.ink(Ink::Strong, &format!("{whose:width$}", width = self.width));
            self.say(&format!("{name}  {} {message}", paint.mark(Mark::Begins)));
        }
    }
}

fn fetching(name: &str, done: u64, total: u64) -> String {
    let name = text::one_line(name);
    match total {
        0 => format!("fetching {name} {}", text::bytes(done)),
        _ => format!("fetching {name} {} of {}", text::bytes(done), text::bytes(total)),
    }
}

/// A note may have several lines; a warning begins with the word.
fn note(text: &str, paint: Paint) -> String {
    match text.strip_prefix("warning:") {
        Some(rest) => paint.ink(Ink::Warning, "warning:") + &text::harmless(rest),
        None => text::harmless(text),
    }
}

fn place(problem: &Problem) -> String {
    match (&problem.host, &problem.step) {
        (Some(host), Some(step)) => format!("{host} at {step}"),
        (Some(place), None) | (None, Some(place)) => place.clone(),
        (None, None) => problem.message.clone(),
    }
}
