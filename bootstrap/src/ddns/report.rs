//! Where every name stands: read from what the service says, shown to a person, or printed for a program.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::output::text;
use crate::problem::Exit;

/// All names, and how the network hangs on the internet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// In the order of the alphabet.
    pub names: Vec<Name>,
    /// What the router's own words tell; nothing where it has not answered.
    pub outside: Option<Outside>,
}

/// One name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Name {
    /// The name.
    pub name: String,
    /// Its provider's key in the inventory.
    pub provider: String,
    /// What the provider last confirmed.
    pub published: Addresses,
    /// When it did.
    pub last_success: Option<Timestamp>,
    /// Where it stands.
    #[serde(flatten)]
    pub standing: Standing,
}

/// At most one address of each family.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Addresses {
    /// Of the A record.
    pub ipv4: Option<Ipv4Addr>,
    /// Of the AAAA record.
    pub ipv6: Option<Ipv6Addr>,
}

/// Where a name stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "standing", rename_all = "snake_case")]
pub enum Standing {
    /// Nothing was published yet under this configuration.
    Unknown,
    /// The record holds the address.
    InSync {
        /// Since when.
        since: Timestamp,
    },
    /// Another address was seen, and not by enough.
    Changing {
        /// Why it is not believed yet.
        reason: String,
        /// Since when.
        since: Timestamp,
    },
    /// An update is on its way.
    Updating {
        /// What the record is to hold.
        to: Addresses,
        /// Since when.
        since: Timestamp,
    },
    /// Nothing is sent before that time.
    HeldTransient {
        /// Until when.
        until: Timestamp,
        /// What the provider said.
        reason: String,
        /// Since when.
        since: Timestamp,
    },
    /// Nothing is sent before a person acts.
    HeldFatal {
        /// What the provider said, and the fix.
        reason: String,
        /// Since when.
        since: Timestamp,
    },
}

/// How this network hangs on the internet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Outside {
    /// The router has the address that others see.
    Direct,
    /// The router's outer address is itself behind a NAT: of the provider, or of a second router.
    BehindNat {
        /// What the router said.
        router: IpAddr,
    },
    /// The router has a public address, and it is not the one that others see.
    Differs {
        /// What the router said.
        router: IpAddr,
        /// What others see.
        seen: IpAddr,
    },
}

/// The service's own document (`garboard-ddns status --json`).
#[derive(Deserialize)]
struct Said {
    outside: Option<Outside>,
    names: Vec<SaidName>,
}

#[derive(Deserialize)]
struct SaidName {
    name: String,
    provider: String,
    state: SaidState,
}

#[derive(Deserialize)]
struct SaidState {
    #[serde(default)]
    published: Addresses,
    last_success: Option<Timestamp>,
    phase: SaidPhase,
}

#[derive(Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
enum SaidPhase {
    Unknown,
    InSync { since: Timestamp },
    Changing { because: String, since: Timestamp },
    Updating { to: Addresses, since: Timestamp },
    HeldTransient { until: Timestamp, reason: String, since: Timestamp },
    HeldFatal { reason: String, since: Timestamp },
}

impl Report {
    /// From the service's line.
    pub(super) fn read(line: &str) -> Result<Self, serde_json::Error> {
        let said: Said = serde_json::from_str(line)?;
        let names = said.names.into_iter().map(|one| Name {
            name: one.name,
            provider: one.provider,
            published: one.state.published,
            last_success: one.state.last_success,
            standing: one.state.phase.into(),
        });
        Ok(Self { outside: said.outside, names: names.collect() })
    }

    /// 0: all in sync; 5: a name needs a person; 1: one waits, or was never published.
    pub fn exit(&self) -> Exit {
        let of = |name: &Name| match name.standing {
            Standing::InSync { .. } => Exit::Done,
            Standing::HeldFatal { .. } => Exit::NeedsPerson,
            _ => Exit::Failed,
        };
        self.names.iter().map(of).max().unwrap_or(Exit::Done)
    }

    /// For a person.
    pub fn human(&self, now: Timestamp) -> String {
        if self.names.is_empty() {
            return "no name was looked after yet\n".to_owned();
        }
        let mut rows = vec![["NAME", "PROVIDER", "PUBLISHED", "STATE"].map(str::to_owned)];
        for name in &self.names {
            rows.push([
                text::one_line(&name.name),
                text::one_line(&name.provider),
                name.published.words(),
                name.standing.word(now).to_owned(),
            ]);
        }
        let mut shown = text::table(&rows);
        // Into a String: that cannot fail.
        for name in &self.names {
            if let Some(story) = name.standing.story(now) {
                let _ = writeln!(shown, "{}: {}", text::one_line(&name.name), text::one_line(&story));
            }
        }
        if let Some(way_in) = self.outside.and_then(Outside::way_in) {
            let _ = writeln!(shown, "warning: {way_in}");
        }
        shown
    }
}

impl Addresses {
    fn words(self) -> String {
        let both = [self.ipv4.map(IpAddr::V4), self.ipv6.map(IpAddr::V6)];
        let words: Vec<String> = both.into_iter().flatten().map(|address| address.to_string()).collect();
        if words.is_empty() { "-".to_owned() } else { words.join(", ") }
    }
}

impl Standing {
    /// In a table.
    pub fn word(&self, now: Timestamp) -> &'static str {
        match self {
            Self::Unknown => "nothing published yet",
            Self::InSync { .. } => "in sync",
            Self::Changing { .. } => "not moved",
            Self::Updating { .. } => "is being moved",
            Self::HeldTransient { until, .. } if *until > now => "waits",
            Self::HeldTransient { .. } => "is tried again",
            Self::HeldFatal { .. } => "needs you",
        }
    }

    /// Why, and what follows; nothing where all is well.
    fn story(&self, now: Timestamp) -> Option<String> {
        match self {
            Self::Unknown | Self::InSync { .. } | Self::Updating { .. } => None,
            Self::Changing { reason, since } => Some(format!("since {}: {reason}", text::moment(*since))),
            Self::HeldTransient { until, reason, .. } if *until > now => {
                Some(format!("nothing is sent before {}: {reason}", text::moment(*until)))
            }
            Self::HeldTransient { reason, .. } => Some(reason.clone()),
            Self::HeldFatal { reason, since } => Some(format!(
                "nothing is sent since {}: {reason}. When it is put right: `garboard ddns resume`, or `garboard up` with \
                 another token",
                text::moment(*since)
            )),
        }
    }
}

impl Outside {
    /// What stands between a visitor and this network, if something does.
    pub fn way_in(self) -> Option<String> {
        match self {
            Self::Direct => None,
            Self::BehindNat { router } => Some(format!(
                "the router's own outer address is {router}: it stands behind another NAT (the provider's, or a second \
                 router), and connections from the internet do not arrive unless that one forwards them; ask the provider \
                 for a public address"
            )),
            Self::Differs { router, seen } => Some(format!(
                "the router's outer address is {router} and others see {seen}: a VPN, a second line or the provider's NAT; \
                 connections to {seen} do not arrive here"
            )),
        }
    }
}

impl From<SaidPhase> for Standing {
    fn from(phase: SaidPhase) -> Self {
        match phase {
            SaidPhase::Unknown => Self::Unknown,
            SaidPhase::InSync { since } => Self::InSync { since },
            SaidPhase::Changing { because, since } => Self::Changing { reason: because, since },
            SaidPhase::Updating { to, since } => Self::Updating { to, since },
            SaidPhase::HeldTransient { until, reason, since } => Self::HeldTransient { until, reason, since },
            SaidPhase::HeldFatal { reason, since } => Self::HeldFatal { reason, since },
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{Exit, Report};

    /// As the service says it.
    const SAID: &str = r#"{"running":true,"outside":{"is":"behind_nat","router":"100.64.3.7"},"names":[
        {"name":"a.example.org","provider":"cloudflare","state":{"configuration":"0a","published":{"ipv4":"84.20.10.1"},
         "in_doubt":false,"failures":0,"last_success":"2026-11-21T11:00:00Z","phase":{"is":"in_sync","since":"2026-11-21T11:00:00Z"}}},
        {"name":"b.example.org","provider":"desec","state":{"configuration":"0b","published":{},"in_doubt":false,"failures":1,
         "phase":{"is":"held_transient","until":"2026-11-21T13:00:00Z","reason":"too many requests","since":"2026-11-21T11:00:00Z"}}},
        {"name":"c.example.org","provider":"no_ip","state":{"configuration":"0c","published":{"ipv4":"84.20.10.1","ipv6":"2a01:4f8::1"},
         "in_doubt":false,"failures":0,"phase":{"is":"held_fatal","reason":"badauth\u001b[2J","since":"2026-11-21T11:00:00Z"}}}]}"#;

    #[test]
    fn a_report_tells_where_every_name_stands_and_what_needs_a_person() {
        let report = Report::read(&SAID.replace('\n', " ")).unwrap();
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        insta::assert_snapshot!("report", report.human(now));
        insta::assert_snapshot!("report_json", serde_json::to_string_pretty(&report).unwrap());
        assert_eq!(report.exit(), Exit::NeedsPerson);
        let mut waits = report.clone();
        waits.names.pop();
        assert_eq!(waits.exit(), Exit::Failed);
        waits.names.pop();
        assert_eq!(waits.exit(), Exit::Done);
    }
}
