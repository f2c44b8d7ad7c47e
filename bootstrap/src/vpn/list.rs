//! Who may come in, as `garboard vpn list` shows it. Pure; `docs/vpn.md` tells its JSON.

use std::fmt::Write as _;
use std::net::Ipv4Addr;

use garboard_inventory::OpenVpn;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::management::Connected;
use super::{Record, Standing};
use crate::output::text;

/// How long before its end somebody is told of it.
const SOON: SignedDuration = SignedDuration::from_hours(24 * 30);

/// The whole list.
#[derive(Debug, Serialize)]
pub struct List {
    users: Vec<Entry>,
    server: Server,
}

#[derive(Debug, Serialize)]
struct Entry {
    name: String,
    /// The inventory names the user.
    listed: bool,
    standing: Standing,
    address: Option<Ipv4Addr>,
    until: Option<Timestamp>,
    last_seen: Option<Timestamp>,
    /// Where from, and since when; only while connected.
    connected: Option<Session>,
}

#[derive(Debug, Serialize)]
struct Session {
    from: String,
    since: Option<Timestamp>,
}

#[derive(Debug, Serialize)]
struct Server {
    /// It answered.
    reached: bool,
    certificate_until: Option<Timestamp>,
}

impl List {
    /// From the record, and what the server said; `None` where it was not reached.
    pub fn of(
        openvpn: &OpenVpn,
        record: &Record,
        connected: Option<&[Connected]>,
        certificate_until: Option<Timestamp>,
        now: Timestamp,
    ) -> Self {
        let mut record = record.clone();
        // Names that were written into the inventory since the last `up`.
        record.settle(openvpn, now);
        let users = record.users.iter().map(|(name, user)| {
            let session = connected.unwrap_or_default().iter().find(|session| session.user == *name);
            Entry {
                name: name.clone(),
                listed: user.listed,
                standing: user.standing(now),
                address: user.address.filter(|_| user.listed),
                until: user.current().map(|certificate| certificate.validity.until),
                last_seen: user.last_seen,
                connected: session
                    .map(|session| Session { from: session.from.clone(), since: session.since }),
            }
        });
        Self { users: users.collect(), server: Server { reached: connected.is_some(), certificate_until } }
    }

    /// For a person.
    pub fn human(&self, now: Timestamp) -> String {
        let mut rows = vec![["USER", "PROFILE", "UNTIL", "ADDRESS", "LAST SEEN", "FROM"].map(str::to_owned)];
        let dash = || "-".to_owned();
        for user in &self.users {
            let seen = match &user.connected {
                Some(_) => "connected".to_owned(),
                None => user.last_seen.map_or_else(dash, text::moment),
            };
            rows.push([
                user.name.clone(),
                user.standing.word().to_owned(),
                user.until.map_or_else(dash, text::date),
                user.address.map_or_else(dash, |address| address.to_string()),
                seen,
                user.connected.as_ref().map_or_else(dash, |session| text::one_line(&session.from)),
            ]);
        }
        let mut shown = text::table(&rows);
        // Into a String: that cannot fail.
        for user in &self.users {
            if let Some(until) = user.until
                && user.standing == Standing::Valid
                && until.duration_since(now) < SOON
            {
                let name = &user.name;
                let _ = writeln!(
                    shown,
                    "the profile of `{name}` ends on {}: `garboard vpn add {name} --replace` writes a new one",
                    text::date(until)
                );
            }
        }
        if let Some(until) = self.server.certificate_until
            && until.duration_since(now) < SOON
        {
            let day = text::date(until);
            let _ = writeln!(shown, "the server's certificate ends on {day}: `garboard up` renews it");
        }
        if !self.server.reached {
            shown.push_str("the server did not answer: who is connected is not known\n");
        }
        shown
    }
}

impl Standing {
    fn word(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::NoProfile => "none yet",
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::List;
    use crate::pki::Validity;
    use crate::vpn::management::Connected;
    use crate::vpn::{Certificate, Record};

    #[test]
    fn a_list_tells_who_is_in_who_is_out_and_what_ends_soon() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let openvpn = garboard_inventory::OpenVpn {
            remote: "home.example.org".to_owned(),
            port: 1194,
            network: "10.8.0.0/24".parse().unwrap(),
            routes: Vec::new(),
            dns: Vec::new(),
            users: ["alice", "bob", "dora"].map(str::to_owned).to_vec(),
            user_routes: std::collections::BTreeMap::new(),
            passphrase: None,
        };
        let mut record = Record::default();
        let before = garboard_inventory::OpenVpn {
            users: ["alice", "carol", "dora"].map(str::to_owned).to_vec(),
            ..openvpn.clone()
        };
        record.settle(&before, now);
        for (name, serial, days) in [("alice", "1", 300), ("carol", "2", 300), ("dora", "3", 9)] {
            let serial = serial.parse().unwrap();
            let validity = Validity::days(now, days);
            let tls_crypt_metadata = String::new();
            record.note(
                name,
                Certificate { serial, validity, tls_crypt_metadata, written: true, revoked: None },
            );
        }
        record.note_seen("carol", now - SignedDuration::from_hours(30));
        let alice = Connected {
            id: 1,
            user: "alice".to_owned(),
            from: "203.0.113.9:51820".to_owned(),
            address: None,
            since: Some(now),
        };
        let list =
            List::of(&openvpn, &record, Some(&[alice]), Some(now + SignedDuration::from_hours(48)), now);
        insta::assert_snapshot!("list", list.human(now));
        insta::assert_snapshot!("list_json", serde_json::to_string_pretty(&list).unwrap());
        let away = List::of(&openvpn, &record, None, None, now).human(now);
        assert!(away.contains("the server did not answer"), "{away}");
    }
}
