//! The inventory's text: a pure function of answers and findings, with golden files.
//!
//! A setting that is not needed stands there as a comment that can be uncommented as it is; a test does so with each.

use std::fmt::Write as _;

use garboard_inventory::Role;

use super::finding::NodeAddress;
use super::names::proposed;
use super::networks::{Choice, Networks};
use super::yaml::{one_or_list, quoted, reference, scalar};
use super::{Answers, Finding, HostAnswer, HostKey, Login, Seen};
use crate::output::text;

const TOP: &str = "\
# yaml-language-server: $schema=garboard.schema.json
#
# A cluster and its hosts. `garboard init` wrote this once; from now on it is yours, and Garboard only reads it.
# `garboard check` says what stands in the way, `garboard up` makes the hosts this cluster.
# Lines like `# key: value` are settings to uncomment. What each key means: docs/inventory.md of Garboard.
# With `garboard schema > garboard.schema.json` editors complete and check it.
";

/// What faces the internet, nothing of it open yet.
const EDGE: &str = "\
\n# What faces the internet, through the host with `edge: true`. What follows from it: docs/edge.md of Garboard.
edge:
  firewall:
    # Networks at home, whose machines reach every port of the edge host; this machine must be in one. Without it: the
    # control plane's network.
    # lan: [192.168.1.0/24]
    # Ports that are open to everybody, such as [80, 443].
    public_tcp: []
    # public_udp: [443]
    # Machines at home that the edge host reaches on every port, such as a server of packages.
    # reach: [192.168.1.5]
  # A VPN into the network at home: docs/vpn.md of Garboard.
  # openvpn: { remote: home.example.org, routes: [192.168.1.0/24], users: [alice] }
";

/// The inventory for these answers, with what was found out about each host beside it. `findings` has one for each host,
/// or none at all.
pub fn inventory(answers: &Answers, findings: &[Finding]) -> String {
    let names = proposed(answers, findings);
    let subject = Subject { answers, findings, names: &names };
    let mut out = TOP.to_owned();
    out.push_str(&subject.cluster());
    out.push_str(&ssh(&answers.login));
    out.push_str("\nhosts:\n");
    let hosts: Vec<String> = (0..answers.hosts.len()).map(|index| subject.host(index)).collect();
    out.push_str(&hosts.join("\n"));
    if answers.hosts.iter().any(|host| host.edge) {
        out.push_str(EDGE);
    }
    out.push_str(
        "\n# Playbooks of your own, folders beside this file, run after the shipped ones.\n# playbooks: [./my-playbook]\n",
    );
    out
}

struct Subject<'a> {
    answers: &'a Answers,
    findings: &'a [Finding],
    names: &'a [String],
}

impl Subject<'_> {
    fn cluster(&self) -> String {
        let Answers { cluster, kubernetes, .. } = self.answers;
        let networks = Networks::of(self.answers, self.findings);
        let mut out = format!(
            "\ncluster:\n  # The name of your kubeconfig's context. Like the networks below, it cannot be changed later.\n  \
             name: {}\n  kubernetes: {}\n\n  # Where the API server is reached. Without it: a name of Garboard's own, which it \
             writes into every host's\n  # /etc/hosts.\n  # endpoint: k8s.home.arpa:6443\n\n  # Addresses for pods (each host \
             takes a /24) and for services. No machine of yours may be in them.\n",
            scalar(cluster),
            scalar(kubernetes)
        );
        out.push_str(&self.network("pod_cidr", &networks.pods));
        out.push_str(&self.network("service_cidr", &networks.services));
        out.push_str("\n  # The network between pods.\n  # cni: { flannel: { backend: vxlan } }\n\n");
        out.push_str(&self.control_groups());
        out
    }

    fn network(&self, key: &str, choice: &Choice) -> String {
        let mut out = String::new();
        if let Some(taken) = &choice.instead {
            let place = match &taken.interface {
                Some(interface) => format!("{}, on {}", taken.network, text::one_line(interface)),
                None => taken.network.addr().to_string(),
            };
            let (host, usual) = (&self.names[taken.host], taken.usual);
            let _ = writeln!(out, "  # Not the usual {usual}: {host} has {place}.");
        }
        let _ = writeln!(out, "  {key}: {}", choice.network);
        out
    }

    fn control_groups(&self) -> String {
        let old: Vec<&str> = (0..self.names.len())
            .filter(|index| self.facts(*index).is_some_and(|facts| facts.cgroup_version == 1))
            .map(|index| self.names[index].as_str())
            .collect();
        if old.is_empty() {
            return "  # Accept hosts on cgroup v1, which Kubernetes is about to leave behind.\n  # allow_cgroup_v1: false\n"
                .to_owned();
        }
        format!(
            "  # {} on cgroup v1, which Kubernetes is about to leave behind. Booted with\n  # \
             `systemd.unified_cgroup_hierarchy=1`, a host is on v2 and this line can go.\n  allow_cgroup_v1: true\n",
            are(&old)
        )
    }

    fn host(&self, index: usize) -> String {
        let host = &self.answers.hosts[index];
        let finding = self.findings.get(index).cloned().unwrap_or_default();
        let role = if index == self.answers.control_plane { Role::ControlPlane } else { Role::Worker };
        let mut out = self.seen(index, &finding.seen);
        if role == Role::ControlPlane {
            out.push_str(&self.memory_hint());
        }
        let _ = writeln!(
            out,
            "  {}:\n    address: {}\n    role: {role}",
            scalar(&self.names[index]),
            scalar(&host.address)
        );
        if host.edge {
            out.push_str(
                "    # It faces the internet: see `edge` below. Its tier is `public`.\n    edge: true\n",
            );
        }
        if let Some(zone) = host.zone {
            let _ = writeln!(
                out,
                "    # The tier of the network it stands in: public, private or data.\n    zone: {}",
                zone.word()
            );
        }
        out.push_str(&self.node_address(index));
        out.push_str(&host_key(host, &finding.host_key));
        out.push_str(&self.hostname(index));
        if index == 0 {
            out.push_str(&self.options(host));
        }
        out
    }

    /// What the host said of itself, or why it did not.
    fn seen(&self, index: usize, seen: &Seen) -> String {
        match seen {
            Seen::Nothing => String::new(),
            Seen::Unreached(why) => {
                format!("  # It could not be looked at: {}.\n", text::one_line(why))
            }
            Seen::Facts(facts) => {
                let name = if facts.os.name.is_empty() { &facts.os.id } else { &facts.os.name };
                let several = if facts.processors == 1 { "" } else { "s" };
                let line = format!(
                    "{name}, {}, {} processor{several}, {} of memory",
                    facts.architecture,
                    facts.processors,
                    text::bytes(facts.memory_bytes)
                );
                let mut out = format!("  # {}.\n", text::one_line(&line));
                if let Some(first) = self.same_machine(index) {
                    let _ = writeln!(
                        out,
                        "  # Its machine id is that of {first}: one was cloned from the other. `garboard check` tells the way out."
                    );
                }
                out
            }
        }
    }

    /// An earlier host with the same machine id.
    fn same_machine(&self, index: usize) -> Option<&str> {
        let id = &self.facts(index)?.machine_id;
        let same = |other: &usize| self.facts(*other).is_some_and(|facts| &facts.machine_id == id);
        (0..index).find(|other| !id.is_empty() && same(other)).map(|other| self.names[other].as_str())
    }

    /// A control plane needs memory more than a worker does.
    fn memory_hint(&self) -> String {
        let memory = |index: usize| self.facts(index).map(|facts| facts.memory_bytes);
        let Some(own) = memory(self.answers.control_plane) else { return String::new() };
        let others: Vec<(usize, u64)> = (0..self.names.len())
            .filter(|index| *index != self.answers.control_plane)
            .filter_map(|index| Some((index, memory(index)?)))
            .collect();
        // What two equal machines report differs a little.
        let is_least = !others.is_empty() && others.iter().all(|(_, other)| *other / 10 * 9 > own);
        match others.iter().max_by_key(|(_, memory)| *memory).filter(|_| is_least) {
            Some((most, memory)) => format!(
                "  # The control plane has the least memory of all; {} has {}.\n",
                self.names[*most],
                text::bytes(*memory)
            ),
            None => String::new(),
        }
    }

    fn node_address(&self, index: usize) -> String {
        match self.own_address(index) {
            NodeAddress::Follows => String::new(),
            NodeAddress::Only(address) => format!(
                "    # Its address in the cluster: the one above is on none of its interfaces.\n    node_ip: {address}\n"
            ),
            NodeAddress::OneOf(addresses) => {
                let all: Vec<String> = addresses.iter().map(ToString::to_string).collect();
                format!(
                    "    # Its address in the cluster has to be chosen, the one above is on none of its interfaces. It has\n    # \
                     {}.\n    # node_ip: {}\n",
                    all.join(", "),
                    all[0]
                )
            }
        }
    }

    /// Without what two hosts would share: behind gateways of one make, all of them have the same.
    fn own_address(&self, index: usize) -> NodeAddress {
        if self.facts(index).is_none() {
            return NodeAddress::Follows;
        }
        let bare = inventory(self.answers, &[]);
        let Ok(mut inventory) = garboard_inventory::parse("garboard.yaml", &bare) else {
            return NodeAddress::Follows;
        };
        inventory.cluster.pod_cidr = Networks::of(self.answers, self.findings).pods.network.into();
        let of = |index: usize| match self.facts(index) {
            Some(facts) => NodeAddress::of(&inventory, index, facts),
            None => NodeAddress::Follows,
        };
        let own = of(index);
        let NodeAddress::Only(address) = own else { return own };
        let is_others = |other: usize| match of(other) {
            NodeAddress::Only(others) => others == address,
            _ => inventory.hosts[other].known_node_ip() == Some(address),
        };
        let is_shared = (0..inventory.hosts.len()).any(|other| other != index && is_others(other));
        if is_shared { NodeAddress::OneOf(vec![address]) } else { own }
    }

    fn hostname(&self, index: usize) -> String {
        let Some(facts) = self.facts(index).filter(|facts| facts.hostname != self.names[index]) else {
            return String::new();
        };
        format!(
            "    # `up` makes its hostname `{}` this name, `reset` puts it back; or it stays:\n    # keep_hostname: true\n",
            text::one_line(&facts.hostname)
        )
    }

    /// What any host can have, shown once.
    fn options(&self, host: &HostAnswer) -> String {
        let mut out = "    # Any host can have these as well:\n".to_owned();
        let has_node_ip = self.own_address(0) != NodeAddress::Follows;
        if !has_node_ip {
            let address = match host.address.parse::<std::net::Ipv4Addr>() {
                Ok(address) => address.to_string(),
                Err(_) => "192.168.1.11".to_owned(),
            };
            let _ = writeln!(
                out,
                "    # node_ip: {address}    # its address in the cluster, if `address` is not the one"
            );
        }
        out.push_str("    # labels: { disk: ssd }    # of its node\n");
        if self.hostname(0).is_empty() {
            out.push_str("    # keep_hostname: false    # true: its hostname stays as it is\n");
        }
        out.push_str("    # ssh: { user: admin, port: 2222 }    # what differs from the `ssh` above\n");
        out
    }

    fn facts(&self, index: usize) -> Option<&garboard_protocol::Facts> {
        self.findings.get(index).and_then(Finding::facts)
    }
}

fn are(names: &[&str]) -> String {
    match names.split_last() {
        Some((last, [])) => format!("{last} is"),
        Some((last, others)) => format!("{} and {last} are", others.join(", ")),
        None => String::new(),
    }
}

fn host_key(host: &HostAnswer, key: &HostKey) -> String {
    let (comment, key) = match (key, &host.host_key) {
        (HostKey::Given(key), _) | (HostKey::Unknown, Some(key)) => {
            ("The fingerprint of its SSH host key.", key)
        }
        (HostKey::Recorded(key), _) => {
            ("The fingerprint of its SSH host key, as your known-hosts file has it.", key)
        }
        (HostKey::Agreed(key), _) => {
            ("The fingerprint of the SSH host key it showed, which you agreed to.", key)
        }
        (HostKey::Shown(key), _) => {
            return format!(
                "    # The fingerprint of the SSH host key it showed. Nobody agreed to it: uncomment it once the host's own\n    # \
                 console shows the same (`for key in /etc/ssh/ssh_host_*_key.pub; do ssh-keygen -lf $key; done`).\n    # \
                 host_key: {}\n",
                quoted(key)
            );
        }
        (HostKey::Unknown, None) => return String::new(),
    };
    format!("    # {comment}\n    host_key: {}\n", quoted(key))
}

fn ssh(login: &Login) -> String {
    let mut out =
        "\n# How the hosts are reached. What is open here, ~/.ssh/config answers.\nssh:\n".to_owned();
    let mut setting = |about: &str, key: &str, written: Option<String>, example: &str| {
        let _ = match written {
            Some(value) => writeln!(out, "  # {about}\n  {key}: {value}"),
            None => writeln!(out, "  # {about}\n  # {key}: {example}"),
        };
    };
    let user = login.user.as_deref().map(scalar);
    setting("Root, or a login that may use `sudo`.", "user", user, "root");
    let port = login.port.map(|port| port.to_string());
    setting("The port of sshd.", "port", port, "22");
    let identity = (!login.identity.is_empty()).then(|| one_or_list(&login.identity));
    setting(
        "Private keys, one or a list. Without it: your SSH agent and the usual files in ~/.ssh.",
        "identity",
        identity,
        "~/.ssh/id_ed25519",
    );
    setting(
        "Where the key's passphrase is found; without it you are asked. Never the passphrase itself.",
        "passphrase",
        None,
        "{ env: SSH_PASSPHRASE }",
    );
    setting(
        "Where the login's own password is found, if sshd wants one instead of a key.",
        "password",
        None,
        "{ file: ~/.secrets/ssh-password }",
    );
    setting(
        "Where the password is found that `sudo` asks for; without it you are asked.",
        "sudo",
        login.sudo.as_ref().map(|password| format!("{{ password: {} }}", reference(password))),
        "{ password: { env: SUDO_PASSWORD } }",
    );
    // Beside one of the two ways the other one is a fault.
    if login.proxy_command.is_none() {
        let jump = login.proxy_jump.as_deref().map(scalar);
        setting("Hosts to pass on the way.", "proxy_jump", jump, "gate.home.arpa");
    }
    if login.proxy_jump.is_none() {
        let command = login.proxy_command.as_deref().map(scalar);
        setting(
            "A program whose input and output lead to sshd: `%h` is the address, `%p` the port.",
            "proxy_command",
            command,
            "\"nc %h %p\"",
        );
    }
    // Something stands here in any case, so that what is uncommented has a place.
    setting(
        "Who speaks SSH: Garboard itself, or your own `ssh` (`openssh`), for FIDO keys and the like.",
        "transport",
        Some("russh".to_owned()),
        "",
    );
    out
}
