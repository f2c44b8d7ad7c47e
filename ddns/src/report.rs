//! What `status` says: the state, in words or as JSON.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::machine::Phase;
use crate::quorum::Outside;
use crate::state::{Entry, Stored};

/// All names, and how the network hangs on the internet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Whether the service runs.
    pub running: bool,
    /// What the router's own words tell.
    pub outside: Option<Outside>,
    /// In the order of the alphabet.
    pub names: Vec<NameReport>,
}

/// One name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameReport {
    /// The name.
    pub name: String,
    /// Its provider and where it stands.
    #[serde(flatten)]
    pub entry: Entry,
}

impl Report {
    /// Of what is remembered.
    pub fn new(stored: &Stored, running: bool) -> Self {
        let names =
            stored.names.iter().map(|(name, entry)| NameReport { name: name.clone(), entry: entry.clone() });
        Self { running, outside: stored.outside, names: names.collect() }
    }

    /// 0: every name is in sync; 5: one waits for a person; 1: one waits, or was never published.
    pub fn exit_code(&self) -> u8 {
        let mut worst = 0;
        for name in &self.names {
            match name.entry.state.phase {
                Phase::InSync { .. } => {}
                Phase::HeldFatal { .. } => return 5,
                _ => worst = 1,
            }
        }
        worst
    }

    /// One line a name, and what it waits for below it.
    pub fn text(&self, now: Timestamp) -> String {
        let mut text = String::new();
        if !self.running {
            text.push_str(
                "the service does not run; this is what it knew last (`systemctl start garboard-ddns`)\n",
            );
        }
        for name in &self.names {
            let Entry { provider, state } = &name.entry;
            let _ = writeln!(
                text,
                "{}  {provider}  {}  {}",
                name.name,
                state.published,
                words(&state.phase, now)
            );
        }
        if self.names.is_empty() {
            text.push_str("no name was looked after yet\n");
        }
        if let Some(problem) = self.outside.and_then(way_in) {
            let _ = writeln!(text, "{problem}");
        }
        text
    }
}

/// Where a name stands, and until when and why.
pub fn words(phase: &Phase, now: Timestamp) -> String {
    match phase {
        Phase::Unknown => "nothing published yet".to_owned(),
        Phase::InSync { since } => format!("in sync since {}", at(*since)),
        Phase::Changing { because, since, .. } => format!("not moved, since {}: {because}", at(*since)),
        Phase::Updating { to, .. } => format!("is being moved to {to}"),
        Phase::HeldTransient { until, reason, .. } if *until > now => {
            format!("nothing is sent before {}: {reason}", at(*until))
        }
        Phase::HeldTransient { reason, .. } => {
            format!("is tried again as soon as the address is known: {reason}")
        }
        Phase::HeldFatal { reason, since } => format!(
            "nothing is sent since {}, until the configuration changes or `garboard-ddns resume`: {reason}",
            at(*since)
        ),
    }
}

/// What stands between a visitor and this network, if something does.
pub fn way_in(outside: Outside) -> Option<String> {
    match outside {
        Outside::Direct => None,
        Outside::BehindNat { router } => Some(format!(
            "the router's own outer address is {router}: it stands behind another NAT (the provider's, or a second router), \
             and connections from the internet do not arrive unless that one forwards them; ask the provider for a public \
             address"
        )),
        Outside::Differs { router, seen } => Some(format!(
            "the router's outer address is {router} and others see {seen}: a VPN, a second line or the provider's NAT; \
             connections to {seen} do not arrive here"
        )),
    }
}

fn at(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}
