//! Host keys of real hosts: one that was installed anew, and one that was cloned from another.

use serde_json::Value;

use crate::harness::{Finished, Phases, Shape, States, TestLab, assert_same};

#[test]
fn host_keys_that_change_and_host_keys_that_are_shared() {
    let mut phases = Phases::of("host_keys_that_change_and_host_keys_that_are_shared");
    let lab =
        phases.must("two bare hosts", || TestLab::up("t-host-keys", Shape::workers(1).without_mirror()));
    let hosts = Hosts { lab: &lab };
    let unpinned = hosts.unpinned();
    phases.check("hosts_are_trusted_by_their_fingerprints", || hosts.are_trusted_by_their_fingerprints());
    phases.check("a_host_installed_anew_is_refused_until_trusted", || hosts.one_is_installed_anew());
    phases.check("hosts_that_share_a_host_key_are_named", || hosts.one_is_a_clone());
    drop(unpinned);
    phases.must("lab down", || drop(lab));
    phases.finish();
}

/// The lab's hosts, none of them pinned in the inventory.
struct Hosts<'a> {
    lab: &'a TestLab,
}

impl Hosts<'_> {
    /// The inventory without its pins, for as long as what it gives lives.
    fn unpinned(&self) -> Vec<impl Drop> {
        let inventory = self.lab.inventory();
        let pins = inventory.split(", host_key: \"").skip(1).map(|rest| rest.split('"').next().unwrap());
        pins.map(|pin| self.lab.edited(&format!(", host_key: \"{pin}\""), "")).collect()
    }

    /// What the host's own console shows.
    fn fingerprint(&self, host: &str) -> String {
        let shown = self.lab.host(host).exec(&["ssh-keygen", "-lf", "/etc/ssh/ssh_host_ed25519_key.pub"]);
        shown.split(' ').nth(1).unwrap().to_owned()
    }

    fn trust(&self, host: &str, fingerprint: &str) -> Finished {
        self.lab.garboard(&["trust", host, "--fingerprint", fingerprint])
    }

    fn recorded(&self) -> String {
        fs_err::read_to_string(self.lab.cluster_state().join("known_hosts")).unwrap_or_default()
    }

    fn are_trusted_by_their_fingerprints(&self) {
        let bare = self.lab.states();
        self.lab.garboard(&["check"]).expect(3).says(&["`garboard trust cp1`", "`garboard trust w1`"]);
        for host in ["cp1", "w1"] {
            self.trust(host, &self.fingerprint(host)).expect(0);
        }
        let check = self.lab.garboard(&["check"]).expect(0);
        assert_eq!(shared_key(&check), None);
        assert_same(&bare, &self.lab.states());
    }

    fn one_is_installed_anew(&self) {
        let old = self.fingerprint("w1");
        self.lab.host("w1").exec(&[
            "sh",
            "-c",
            "rm /etc/ssh/ssh_host_*_key* && ssh-keygen -A && systemctl restart ssh",
        ]);
        let new = self.fingerprint("w1");
        let before: States = self.lab.states();
        for command in ["check", "up"] {
            let refused = self.lab.garboard(&[command]).expect(3).says(&["w1", &old, "`garboard trust w1`"]);
            assert!(!refused.complaints().contains("trust cp1"), "{}", refused.story());
        }
        let recorded = self.recorded();
        self.trust("w1", &self.fingerprint("cp1")).expect(3).says(&[
            "w1",
            "offers no key",
            "nothing was pinned",
        ]);
        assert_eq!(self.recorded(), recorded);
        assert_same(&before, &self.lab.states());
        let trusted = self.trust("w1", &new).expect(0);
        let document = trusted.events.last().unwrap();
        assert_eq!((&document["verdict"], &document["pinned"]), (&"changed".into(), &new.into()));
        assert_eq!(self.recorded().lines().count(), 2, "{}", self.recorded());
        self.lab.garboard(&["check"]).expect(0);
    }

    fn one_is_a_clone(&self) {
        for file in ["ssh_host_ed25519_key", "ssh_host_ed25519_key.pub"] {
            let path = format!("/etc/ssh/{file}");
            let content = self.lab.host("cp1").exec(&["cat", &path]);
            self.lab.host("w1").write(&path, &content);
        }
        self.lab.host("w1").exec(&["systemctl", "restart", "ssh"]);
        self.trust("w1", &self.fingerprint("cp1")).expect(0);
        let check = self.lab.garboard(&["check"]).expect(3);
        let row = shared_key(&check).unwrap_or_else(|| panic!("{}", check.story()));
        assert_eq!((&row["host"], &row["verdict"]), (&"w1".into(), &"blocking".into()));
        let (text, help) = (row["text"].as_str().unwrap(), row["help"].as_str().unwrap());
        assert!(text.contains("the same as cp1's") && text.contains(&self.fingerprint("w1")), "{text}");
        assert!(help.contains("ssh-keygen -A") && help.contains("`garboard trust w1`"), "{help}");
        self.lab.garboard(&["up"]).expect(3).says(&["w1", "the same as cp1's"]);
        // What it says helps.
        self.lab.host("w1").exec(&[
            "sh",
            "-c",
            "rm /etc/ssh/ssh_host_*_key* && ssh-keygen -A && systemctl restart ssh",
        ]);
        self.trust("w1", &self.fingerprint("w1")).expect(0);
        assert_eq!(shared_key(&self.lab.garboard(&["check"]).expect(0)), None);
    }
}

/// The row about a host key that two hosts share.
fn shared_key(check: &Finished) -> Option<Value> {
    let document = check.events.last().unwrap_or_else(|| panic!("{}", check.story()));
    let rows = document["rows"].as_array().unwrap_or_else(|| panic!("{}", check.story()));
    rows.iter().find(|row| row["check"] == "host key").cloned()
}
