//! Who has which address and which certificates: the laptop's memory of the VPN. Everything here is pure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use garboard_inventory::OpenVpn;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::pki::{Serial, Validity};

/// All users there ever were, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// By name.
    pub users: BTreeMap<String, User>,
}

/// One user.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The address inside the tunnel. A user who was removed keeps it until somebody else needs it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub address: Option<Ipv4Addr>,
    /// The inventory names the user.
    pub listed: bool,
    /// All certificates there ever were, the oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub certificates: Vec<Certificate>,
    /// When the server last had this user, as far as it was asked.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_seen: Option<Timestamp>,
}

/// One certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// Its number.
    pub serial: Serial,
    /// From when until when it is good.
    pub validity: Validity,
    /// What the tls-crypt-v2 key beside it carries.
    pub tls_crypt_metadata: String,
    /// Its profile was written whole. One that never was is revoked: nobody knows who has it.
    pub written: bool,
    /// Since when it is revoked.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub revoked: Option<Timestamp>,
}

/// What can be said of a user in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Has a profile that lets in.
    Valid,
    /// The profile is older than it may be.
    Expired,
    /// The profile was revoked.
    Revoked,
    /// No profile was ever written.
    NoProfile,
}

impl User {
    /// The newest certificate whose profile was written and that was not revoked.
    pub fn current(&self) -> Option<&Certificate> {
        self.certificates.iter().rev().find(|one| one.written && one.revoked.is_none())
    }

    /// The user as a whole.
    pub fn standing(&self, now: Timestamp) -> Standing {
        match self.current() {
            Some(current) if current.validity.is_over(now) => Standing::Expired,
            Some(_) => Standing::Valid,
            None if self.certificates.iter().any(|one| one.written) => Standing::Revoked,
            None => Standing::NoProfile,
        }
    }

    fn revoke(&mut self, now: Timestamp, mut which: impl FnMut(&Certificate) -> bool) -> bool {
        let mut any = false;
        for certificate in self.certificates.iter_mut().filter(|one| one.revoked.is_none()) {
            if which(certificate) {
                certificate.revoked = Some(now);
                any = true;
            }
        }
        any
    }
}

impl Record {
    /// Makes it what the inventory says: everybody there has an address and keeps it, whoever is not there any more is
    /// revoked, and so is what an interrupted command left without a profile. Gives the names of those who were removed.
    pub fn settle(&mut self, openvpn: &OpenVpn, now: Timestamp) -> Vec<String> {
        let wanted: BTreeSet<&String> = openvpn.users.iter().collect();
        let mut removed = Vec::new();
        for (name, user) in &mut self.users {
            let listed = wanted.contains(name);
            if user.listed && !listed {
                removed.push(name.clone());
            }
            user.listed = listed;
            user.revoke(now, |certificate| !listed || !certificate.written);
        }
        for name in &openvpn.users {
            self.users.entry(name.clone()).or_default().listed = true;
        }
        self.give_addresses(openvpn);
        removed
    }

    /// An address for everybody in the inventory: the one they have, else the first that nobody ever had, else that of
    /// somebody who was removed.
    fn give_addresses(&mut self, openvpn: &OpenVpn) {
        for user in self.users.values_mut() {
            // Of another network, from before the inventory changed.
            user.address = user
                .address
                .filter(|address| openvpn.network.contains(address) && *address != openvpn.server_address());
        }
        for name in &openvpn.users {
            if self.users.get(name).is_some_and(|user| user.address.is_some()) {
                continue;
            }
            let taken: BTreeSet<Ipv4Addr> = self.users.values().filter_map(|user| user.address).collect();
            let free = openvpn.user_addresses().find(|address| !taken.contains(address));
            let address = free.or_else(|| {
                self.users.values_mut().find(|user| !user.listed && user.address.is_some())?.address.take()
            });
            if let Some(user) = self.users.get_mut(name) {
                user.address = address;
            }
        }
    }

    /// Notes a certificate that is about to be given out.
    pub fn note(&mut self, name: &str, certificate: Certificate) {
        self.users.entry(name.to_owned()).or_default().certificates.push(certificate);
    }

    /// The profile with this certificate is in its place.
    pub fn note_written(&mut self, name: &str, serial: Serial) {
        let certificates = self.users.get_mut(name).into_iter().flat_map(|user| &mut user.certificates);
        for certificate in certificates.filter(|one| one.serial == serial) {
            certificate.written = true;
        }
    }

    /// Revokes all certificates of a user but one; whether there was one to revoke.
    pub fn revoke(&mut self, name: &str, now: Timestamp, but: Option<Serial>) -> bool {
        self.users
            .get_mut(name)
            .is_some_and(|user| user.revoke(now, |certificate| Some(certificate.serial) != but))
    }

    /// Notes when the server last had somebody; earlier news is no news.
    pub fn note_seen(&mut self, name: &str, when: Timestamp) {
        if let Some(user) = self.users.get_mut(name) {
            user.last_seen = user.last_seen.max(Some(when));
        }
    }

    /// For the server: who comes in under which address, and who does not.
    pub fn addresses(&self) -> BTreeMap<String, Option<Ipv4Addr>> {
        self.users.iter().map(|(name, user)| (name.clone(), user.address.filter(|_| user.listed))).collect()
    }

    /// For the server: all numbers that are revoked, in order.
    pub fn revoked(&self) -> Vec<String> {
        let all = self.users.values().flat_map(|user| &user.certificates);
        let revoked: BTreeSet<Serial> =
            all.filter(|one| one.revoked.is_some()).map(|one| one.serial).collect();
        revoked.iter().map(Serial::to_string).collect()
    }

    /// Whether a session of this user may go on: some certificate of theirs lets them in.
    pub fn lets_in(&self, name: &str, now: Timestamp) -> bool {
        self.users
            .get(name)
            .is_some_and(|user| user.listed && user.current().is_some_and(|one| !one.validity.is_over(now)))
    }
}

#[cfg(test)]
mod tests {
    use garboard_inventory::OpenVpn;
    use jiff::Timestamp;

    use super::{Certificate, Record, Standing};
    use crate::pki::{Serial, Validity};

    fn now() -> Timestamp {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    fn openvpn(network: &str, users: &[&str]) -> OpenVpn {
        OpenVpn {
            remote: "home.example.org".to_owned(),
            port: 1194,
            network: network.parse().unwrap(),
            routes: Vec::new(),
            dns: Vec::new(),
            users: users.iter().map(|&name| name.to_owned()).collect(),
            user_routes: std::collections::BTreeMap::new(),
            passphrase: None,
        }
    }

    fn certificate(serial: &str, written: bool) -> Certificate {
        let serial: Serial = serial.parse().unwrap();
        let validity = Validity::days(now(), 10);
        Certificate { serial, validity, tls_crypt_metadata: String::new(), written, revoked: None }
    }

    fn address(record: &Record, name: &str) -> String {
        record.users[name].address.unwrap().to_string()
    }

    #[test]
    fn everybody_keeps_their_address_whoever_comes_or_goes() {
        let mut record = Record::default();
        record.settle(&openvpn("10.8.0.0/24", &["bob", "alice"]), now());
        assert_eq!(
            (address(&record, "bob"), address(&record, "alice")),
            ("10.8.0.2".into(), "10.8.0.3".into())
        );
        record.settle(&openvpn("10.8.0.0/24", &["aaron", "alice"]), now());
        // Bob's is not given away while there are others.
        assert_eq!(
            (address(&record, "aaron"), address(&record, "alice")),
            ("10.8.0.4".into(), "10.8.0.3".into())
        );
        assert_eq!(record.addresses()["bob"], None);
        record.settle(&openvpn("10.8.0.0/24", &["aaron", "alice", "bob"]), now());
        assert_eq!(address(&record, "bob"), "10.8.0.2");
        let before = record.clone();
        assert!(record.settle(&openvpn("10.8.0.0/24", &["alice", "bob", "aaron"]), now()).is_empty());
        assert_eq!(record, before);
    }

    #[test]
    fn an_address_of_somebody_removed_is_given_away_when_no_other_is_left() {
        let mut record = Record::default();
        record.settle(&openvpn("10.8.0.0/29", &["a", "b", "c", "d", "e"]), now());
        assert_eq!(address(&record, "e"), "10.8.0.6");
        record.settle(&openvpn("10.8.0.0/29", &["a", "b", "d", "e", "f"]), now());
        assert_eq!(address(&record, "f"), "10.8.0.4");
        assert_eq!(record.users["c"].address, None);
        record.settle(&openvpn("10.9.0.0/24", &["a", "f"]), now());
        assert_eq!((address(&record, "a"), address(&record, "f")), ("10.9.0.2".into(), "10.9.0.3".into()));
    }

    #[test]
    fn whoever_is_removed_is_revoked_and_stays_so_when_named_again() {
        let mut record = Record::default();
        let both = openvpn("10.8.0.0/24", &["alice", "bob"]);
        record.settle(&both, now());
        record.note("alice", certificate("11", true));
        record.note("bob", certificate("12", true));
        assert!(record.revoked().is_empty() && record.lets_in("bob", now()));
        assert_eq!(record.settle(&openvpn("10.8.0.0/24", &["alice"]), now()), ["bob"]);
        assert_eq!(record.revoked(), ["12"]);
        assert!(!record.lets_in("bob", now()) && record.lets_in("alice", now()));
        record.settle(&both, now());
        assert_eq!(
            (record.revoked(), record.users["bob"].standing(now())),
            (vec!["12".to_owned()], Standing::Revoked)
        );
    }

    #[test]
    fn a_certificate_whose_profile_was_never_written_is_revoked() {
        let mut record = Record::default();
        let openvpn = openvpn("10.8.0.0/24", &["alice"]);
        record.settle(&openvpn, now());
        record.note("alice", certificate("11", false));
        assert_eq!(record.users["alice"].standing(now()), Standing::NoProfile);
        record.settle(&openvpn, now());
        assert_eq!(record.revoked(), ["11"]);
        record.note("alice", certificate("12", false));
        record.note_written("alice", "12".parse().unwrap());
        record.settle(&openvpn, now());
        assert_eq!(record.revoked(), ["11"]);
        assert_eq!(record.users["alice"].standing(now()), Standing::Valid);
        let later = now() + jiff::SignedDuration::from_hours(24 * 10);
        assert_eq!(record.users["alice"].standing(later), Standing::Expired);
        assert!(!record.lets_in("alice", later));
    }
}
