//! For a person: a line a host that says what it does on a terminal, plain lines otherwise. All of it on standard error.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write as _};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::{Event, Listener, text};

/// Lines that stay, and on a terminal one moving line a host below them.
pub struct Human {
    verbose: bool,
    moving: Option<MultiProgress>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    bars: BTreeMap<String, ProgressBar>,
    doing: BTreeMap<String, String>,
    width: usize,
    sent: BTreeMap<String, (u64, Instant)>,
}

/// How much of a transfer passes between two plain lines.
const PLAIN_TRANSFER_PAUSE: Duration = Duration::from_secs(5);

impl Human {
    /// On standard error; `verbose` also tells of steps that found nothing to do.
    pub fn new(verbose: bool) -> Self {
        let moving = std::io::stderr().is_terminal().then(MultiProgress::new);
        Self { verbose, moving, state: Mutex::default() }
    }

    fn line(&self, line: &str) {
        if let Some(moving) = &self.moving {
            let _ = moving.println(line);
        } else {
            let _ = writeln!(std::io::stderr().lock(), "{line}");
        }
    }

    fn move_line(&self, state: &mut State, host: &str, message: String) {
        let Some(moving) = &self.moving else { return };
        let width = state.width;
        let bar = state.bars.entry(host.to_owned()).or_insert_with(|| {
            let bar = moving.add(ProgressBar::new_spinner());
            let template = format!("{{prefix:{width}}} {{spinner}} {{elapsed:>4}} {{wide_msg}}");
            bar.set_style(
                ProgressStyle::with_template(&template)
                    .unwrap_or_else(|_| ProgressStyle::default_spinner())
                    .tick_chars("-\\|/ "),
            );
            bar.set_prefix(host.to_owned());
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        bar.set_message(message);
    }

    fn host_line(state: &State, host: &str, rest: &str) -> String {
        format!("{host:width$}  {rest}", width = state.width)
    }
}

impl Listener for Human {
    fn event(&self, event: &Event) {
        let Ok(mut state) = self.state.lock() else { return };
        let state = &mut *state;
        match event {
            Event::RunStarted { cluster, hosts, command, .. } => {
                state.width = hosts.iter().map(String::len).max().unwrap_or(0).max("cluster".len());
                if self.verbose {
                    self.line(&format!("garboard {command}: cluster {cluster}, {} hosts", hosts.len()));
                }
            }
            Event::Note { text } => self.line(&text::harmless(text)),
            Event::HostConnected { host, agent_sent, milliseconds } => {
                let how = if *agent_sent { "connected, agent sent" } else { "connected" };
                if self.verbose {
                    self.line(&Self::host_line(
                        state,
                        host,
                        &format!("{how} ({})", text::duration(*milliseconds)),
                    ));
                }
                self.move_line(state, host, how.to_owned());
            }
            Event::Fetching { name, done, total } => {
                let message = if *total == 0 {
                    format!("fetching {name} {}", text::bytes(*done))
                } else {
                    format!("fetching {name} {} of {}", text::bytes(*done), text::bytes(*total))
                };
                self.transfer(state, "upstream", &message, *done, *total);
            }
            Event::Sending { host, done, total } => {
                let doing = state.doing.get(host).cloned().unwrap_or_default();
                let message = format!("{doing} [sent {} of {}]", text::bytes(*done), text::bytes(*total));
                self.transfer(state, host, message.trim(), *done, *total);
            }
            Event::StepStarted { host, doing, .. } => {
                state.doing.insert(host.clone(), text::harmless(doing));
                self.move_line(state, host, text::harmless(doing));
                if self.moving.is_none() && self.verbose {
                    self.line(&Self::host_line(state, host, &format!("… {}", text::harmless(doing))));
                }
            }
            Event::StepProgress { host, text, .. } => {
                let text = text::harmless(text);
                self.move_line(state, host, text.clone());
                if self.moving.is_none() && self.verbose {
                    self.line(&Self::host_line(state, host, &format!("    {text}")));
                }
            }
            Event::StepFinished { host, step, changes, milliseconds } => {
                let doing = state.doing.remove(host).unwrap_or_else(|| step.clone());
                if !changes.is_empty() || self.verbose {
                    let mark = if changes.is_empty() { "=" } else { "+" };
                    let line = format!("{mark} {doing} ({step}, {})", text::duration(*milliseconds));
                    self.line(&Self::host_line(state, host, &line));
                }
            }
            Event::Failed { problem } => self.line(&text::problem(problem)),
            Event::HostFinished { host, .. } => {
                if let Some(bar) = state.bars.remove(host) {
                    bar.finish_and_clear();
                }
            }
            Event::RunFinished { .. } => {
                for (_, bar) in std::mem::take(&mut state.bars) {
                    bar.finish_and_clear();
                }
            }
        }
    }
}

impl Human {
    /// A transfer: the moving line on a terminal, now and then a plain line elsewhere.
    fn transfer(&self, state: &mut State, whose: &str, message: &str, done: u64, total: u64) {
        if self.moving.is_some() {
            if done == total && whose == "upstream" {
                if let Some(bar) = state.bars.remove(whose) {
                    bar.finish_and_clear();
                }
            } else {
                self.move_line(state, whose, message.to_owned());
            }
            return;
        }
        let now = Instant::now();
        let last = state.sent.entry(whose.to_owned()).or_insert((0, now));
        if now.duration_since(last.1) >= PLAIN_TRANSFER_PAUSE {
            *last = (done, now);
            self.line(&Self::host_line(state, whose, message));
        }
    }
}
