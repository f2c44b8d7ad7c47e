//! What a host is at, as far as the events have told: a pure record, and the line that says it.

use std::collections::BTreeMap;

use super::{Event, text};

/// All hosts of a run, and what comes from upstream.
#[derive(Debug, Default)]
pub(super) struct Activities(BTreeMap<String, Activity>);

/// One host's.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Activity {
    /// Steps that differ, and those of them that are done.
    pending: u64,
    done: u64,
    doing: String,
    news: String,
    signals: Vec<String>,
    transfer: Option<(u64, u64)>,
    /// Until when the host is tried again, in words.
    lost: Option<String>,
}

impl Activities {
    /// Takes an event in. Says whether its host has begun something else with it.
    pub(super) fn take(&mut self, event: &Event) -> bool {
        let Some(host) = event.host() else { return false };
        let activity = self.0.entry(host.to_owned()).or_default();
        match event {
            Event::HostConnecting { address, .. } => activity.begin(format!("connecting to {address}")),
            Event::HostConnected { agent_sent, .. } => {
                let how = if *agent_sent { "connected, agent sent" } else { "connected" };
                activity.begin(format!("{how}; looking at what is there"))
            }
            Event::HostLost { seconds, .. } => {
                let time = text::duration(seconds * 1000);
                activity.lost = Some(format!("connection lost, trying again for {time}"));
                true
            }
            Event::HostBack { .. } => {
                activity.lost = None;
                true
            }
            Event::HostRebooting { seconds, .. } => {
                let time = text::duration(seconds * 1000);
                activity.begin(format!("reboots; waiting for it for {time}"))
            }
            Event::HostRebooted { .. } => activity.begin("is back; looking at what is there".to_owned()),
            Event::HostPlanned { pending, .. } => {
                (activity.pending, activity.done) = (*pending, 0);
                activity.begin(String::new())
            }
            Event::Sending { done, total, .. } => {
                activity.transfer = (done < total).then_some((*done, *total));
                false
            }
            Event::StepWaiting { signals, .. } => {
                activity.signals.clone_from(signals);
                true
            }
            Event::StepStarted { doing, .. } => activity.begin(doing.clone()),
            Event::StepProgress { text, .. } => {
                activity.news.clone_from(text);
                false
            }
            Event::StepFinished { .. } => {
                activity.done += 1;
                activity.begin(String::new())
            }
            _ => false,
        }
    }

    /// What the host does now, in one line.
    pub(super) fn line(&self, host: &str) -> String {
        self.0.get(host).map(Activity::line).unwrap_or_default()
    }

    /// What the step at work does, as it was announced; the step's id where that was missed.
    pub(super) fn doing(&self, host: &str, step: &str) -> String {
        let doing = self.0.get(host).map(|activity| activity.doing.as_str()).unwrap_or_default();
        text::one_line(if doing.is_empty() { step } else { doing })
    }
}

impl Activity {
    fn begin(&mut self, doing: String) -> bool {
        self.doing = doing;
        self.news.clear();
        self.signals.clear();
        true
    }

    fn line(&self) -> String {
        let mut words = Vec::new();
        if self.pending > 0 {
            words.push(format!("[{}/{}]", self.done.min(self.pending), self.pending));
        }
        if let Some(lost) = &self.lost {
            words.push(lost.clone());
        } else if !self.signals.is_empty() {
            words.push(format!("waits for `{}`", self.signals.join("`, `")));
        } else if !self.doing.is_empty() {
            words.push(self.doing.clone());
            if !self.news.is_empty() {
                words.push(format!("- {}", self.news));
            }
        } else if self.transfer.is_some() {
            words.push("waits for files".to_owned());
        }
        if let Some((done, total)) = self.transfer {
            words.push(format!("({} of {} sent)", text::bytes(done), text::bytes(total)));
        }
        text::one_line(&words.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::{Activities, Event};

    fn line(events: &[Event]) -> String {
        let mut activities = Activities::default();
        for event in events {
            activities.take(event);
        }
        activities.line("w1")
    }

    fn host() -> String {
        "w1".to_owned()
    }

    #[test]
    fn a_line_says_what_a_host_does_what_it_waits_for_and_how_far_it_is() {
        let planned = Event::HostPlanned { host: host(), steps: 40, pending: 12 };
        let step = || "host/1".to_owned();
        let started = Event::StepStarted { host: host(), step: step(), doing: "write `/etc/x`".to_owned() };
        let news =
            Event::StepProgress { host: host(), step: step(), text: "half of it".to_owned(), waits: false };
        let sending = Event::Sending { host: host(), done: 1_000_000, total: 80_000_000 };
        let finished =
            Event::StepFinished { host: host(), step: step(), changes: Vec::new(), milliseconds: 1 };
        let waiting = Event::StepWaiting { host: host(), step: step(), signals: vec!["api".to_owned()] };
        assert_eq!(line(&[planned.clone(), started.clone()]), "[0/12] write `/etc/x`");
        assert_eq!(line(&[started.clone(), news]), "write `/etc/x` - half of it");
        let through = [planned, sending, started, finished];
        assert_eq!(line(&through), "[1/12] waits for files (1.0 MB of 80.0 MB sent)");
        let waits = [through.as_slice(), &[waiting]].concat();
        assert_eq!(line(&waits), "[1/12] waits for `api` (1.0 MB of 80.0 MB sent)");
    }
}
