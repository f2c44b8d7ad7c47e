//! Who reaches which port: from home, from an address, and from the internet behind a home's router.

use std::time::{Duration, Instant};

use super::TestLab;

/// Where a connection is begun.
#[derive(Clone, Copy)]
pub(crate) enum From<'a> {
    /// Where the laptop is.
    Laptop,
    /// The same place, with another address.
    Address(&'a str),
    /// The internet.
    Internet,
    /// The same place, by the tunnel that this interface is an end of.
    Tunnel(&'a str),
}

impl From<'_> {
    /// How `lab run` is told of it.
    pub(super) fn place(self) -> &'static [&'static str] {
        match self {
            Self::Laptop | Self::Address(_) => &[],
            Self::Internet | Self::Tunnel(_) => &["--from", "internet"],
        }
    }

    /// What curl says there.
    pub(crate) fn curl(self, lab: &TestLab, words: &[&str]) -> String {
        let way = match self {
            Self::Laptop | Self::Internet => Vec::new(),
            Self::Address(by) | Self::Tunnel(by) => vec!["--interface", by],
        };
        lab.lab_command(&["run"], &[self.place(), &["--", "curl", "--silent"], &way, words].concat()).stdout
    }
}

/// Whether a TCP connection is made, as curl tells.
pub(crate) fn answers(lab: &TestLab, from: From<'_>, to: &str, port: u16) -> bool {
    let target = format!("telnet://{to}:{port}");
    let said = from.curl(lab, &["--max-time", "4", "--write-out", "\n%{time_connect}", &target]);
    said.lines().next_back().is_some_and(|time| time.trim().parse::<f64>().is_ok_and(|time| time > 0.0))
}

/// Whether something comes true in that time; it is looked at without a pause.
pub(crate) fn until(longest: Duration, mut is_so: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + longest;
    while Instant::now() < deadline {
        if is_so() {
            return true;
        }
    }
    false
}

/// A node's address, as the cluster has it.
#[track_caller]
pub(crate) fn address(lab: &TestLab, host: &str) -> String {
    let path = "jsonpath={.status.addresses[?(@.type=='InternalIP')].address}";
    lab.kubectl(&["get", "node", host, "-o", path]).trim().to_owned()
}

/// Makes CoreDNS, which has a container that answers TCP, a node port.
#[track_caller]
pub(crate) fn serve(lab: &TestLab, port: u16) {
    let namespace = ["--namespace", "kube-system"];
    let service = ["expose", "deployment", "coredns", "--name", "edge-test", "--type", "NodePort"];
    lab.kubectl(&[&service[..], &["--port", "53", "--protocol", "TCP"], &namespace].concat());
    let patch = format!(r#"[{{"op":"replace","path":"/spec/ports/0/nodePort","value":{port}}}]"#);
    let words = ["patch", "service", "edge-test", "--type", "json", "--patch", &patch];
    lab.kubectl(&[&words[..], &namespace].concat());
}
