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
}

/// Whether a TCP connection is made, as curl tells.
pub(crate) fn answers(lab: &TestLab, from: From<'_>, to: &str, port: u16) -> bool {
    let target = format!("telnet://{to}:{port}");
    let curl = ["--", "curl", "--silent", "--max-time", "4", "--write-out", "\n%{time_connect}"];
    let words = match from {
        From::Laptop => curl.to_vec(),
        From::Address(address) => [&curl[..], &["--interface", address]].concat(),
        From::Internet => [&["--from", "internet"][..], &curl[..]].concat(),
    };
    let said = lab.lab_command(&["run"], &[&words[..], &[target.as_str()]].concat()).stdout;
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
