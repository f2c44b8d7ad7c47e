//! What is pinned against what is offered: pure.

use std::fmt::Write as _;
use std::path::PathBuf;

use garboard_inventory::Host;
use serde::Serialize;

use crate::output::text::one_line;
use crate::ssh::{KnownHosts, Line, OfferedKey, OfferedKeys, as_ssh_keygen, fingerprint};

/// A key that is pinned for a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PinnedKey {
    /// `SHA256:…`.
    pub fingerprint: String,
    /// `ssh-ed25519`; the inventory does not say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<String>,
    /// The file that pins it.
    pub path: PathBuf,
    /// The line there, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// Whether it is the inventory, which its user alone changes.
    #[serde(skip)]
    pub inventory: bool,
}

/// How an offered key stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It is pinned.
    Pinned,
    /// It is not.
    NotPinned,
    /// A `@revoked` line names it: it is never pinned.
    Revoked,
}

/// A key that the host offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The key.
    pub key: OfferedKey,
    /// How it stands.
    pub standing: Standing,
}

/// All keys together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The host shows what is pinned.
    Same,
    /// Nothing is pinned.
    New,
    /// Something else is pinned.
    Changed,
}

/// What is pinned for a host, and what it offers.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// Its name in the inventory.
    pub host: String,
    /// Where it was asked.
    pub address: String,
    /// All together.
    pub verdict: Verdict,
    /// What counts.
    pub pins: Vec<PinnedKey>,
    /// What the host offers, best first.
    pub offers: Vec<Offer>,
    /// The same as it was told.
    pub offered: OfferedKeys,
}

impl Comparison {
    /// Of a host; the inventory's pin counts alone, where there is one.
    pub(super) fn of(
        host: &Host,
        offered: &OfferedKeys,
        known: &KnownHosts,
        inventory: Option<PinnedKey>,
    ) -> Self {
        let pins: Vec<_> = match inventory {
            Some(pin) => vec![pin],
            None => known.keys.iter().map(PinnedKey::of).collect(),
        };
        let standing = |key: &OfferedKey| {
            if known.revoked.iter().any(|line| fingerprint(&line.key) == key.fingerprint) {
                Standing::Revoked
            } else if pins.iter().any(|pin| pin.fingerprint == key.fingerprint) {
                Standing::Pinned
            } else {
                Standing::NotPinned
            }
        };
        let offer = |key: &OfferedKey| Offer { standing: standing(key), key: key.clone() };
        let offers: Vec<_> = offered.keys.iter().map(offer).collect();
        // A session asks for a kind that is pinned: another key of that kind is what would stop it.
        let is_replaced = |offer: &Offer| {
            let same_kind = |pin: &PinnedKey| pin.algorithm.as_ref() == Some(&offer.key.algorithm);
            offer.standing != Standing::Pinned && pins.iter().any(same_kind)
        };
        let verdict = if pins.is_empty() {
            Verdict::New
        } else if offers.iter().any(|offer| offer.standing == Standing::Pinned)
            && !offers.iter().any(is_replaced)
        {
            Verdict::Same
        } else {
            Verdict::Changed
        };
        let (host, address) = (host.name.clone(), host.address.clone());
        Self { host, address, verdict, pins, offers, offered: offered.clone() }
    }

    /// For a person.
    pub fn human(&self) -> String {
        let mut text = format!("{} ({})\n", self.host, one_line(&self.address));
        for pin in &self.pins {
            let kind = pin.algorithm.as_ref().map(|algorithm| format!(" ({algorithm})")).unwrap_or_default();
            let _ = writeln!(text, "  pinned   {}{kind}  {}", pin.fingerprint, pin.place());
        }
        for offer in &self.offers {
            let standing = match offer.standing {
                Standing::Pinned => "pinned",
                Standing::NotPinned => "not pinned",
                Standing::Revoked => "REVOKED",
            };
            let _ = writeln!(text, "  offered  {}  {standing}", as_ssh_keygen(&offer.key));
        }
        text + match self.verdict {
            Verdict::Same => "the host shows what is pinned\n",
            Verdict::New => "no key of this host is pinned yet\n",
            Verdict::Changed => {
                "the host key has CHANGED: somebody may be in between, or the host was installed anew\n"
            }
        }
    }

    /// For a program; `pinned` is the key that was pinned just now.
    pub fn document(&self, pinned: Option<&Offer>) -> serde_json::Value {
        let offer = |offer: &Offer| {
            serde_json::json!({
                "algorithm": offer.key.algorithm,
                "fingerprint": offer.key.fingerprint,
                "public_key": offer.key.public_key,
                "standing": offer.standing,
            })
        };
        serde_json::json!({
            "host": self.host,
            "address": self.address,
            "verdict": self.verdict,
            "pins": self.pins,
            "offers": self.offers.iter().map(offer).collect::<Vec<_>>(),
            "pinned": pinned.map(|offer| &offer.key.fingerprint),
        })
    }
}

impl PinnedKey {
    pub(super) fn of(line: &Line) -> Self {
        Self {
            fingerprint: fingerprint(&line.key),
            algorithm: Some(line.key.algorithm().to_string()),
            path: line.path.clone(),
            line: Some(line.number),
            inventory: false,
        }
    }

    /// `garboard.yaml:7`.
    pub fn place(&self) -> String {
        match self.line {
            Some(line) => format!("{}:{line}", self.path.display()),
            None => self.path.display().to_string(),
        }
    }
}

impl Offer {
    pub(super) fn is(&self, line: &Line) -> bool {
        fingerprint(&line.key) == self.key.fingerprint
    }
}
