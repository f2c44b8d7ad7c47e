//! Faults of a host's network: what a bad cable or a strict switch would do, made at the bridge and invisible on the host.

use serde::{Deserialize, Serialize};

use crate::record::write_json;
use crate::{Error, Lab, Places, Result, namespace, program};

/// The faults of one host's link. All are kept over a reboot, as a bad cable is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Faults {
    /// Of 10000 frames, how many are lost, in either direction.
    #[serde(default)]
    pub loss: u16,
    /// How much later frames arrive at the host, in milliseconds.
    #[serde(default)]
    pub delay: u32,
    /// What does not pass, in either direction, by destination port.
    #[serde(default)]
    pub blocks: Vec<Block>,
}

/// A protocol and port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// `tcp` or `udp`.
    pub protocol: String,
    /// The destination port.
    pub port: u16,
}

impl std::str::FromStr for Block {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let parsed = text.split_once('/').and_then(|(protocol, port)| Some((protocol, port.parse().ok()?)));
        match parsed {
            Some((protocol @ ("tcp" | "udp"), port)) if port != 0 => {
                Ok(Self { protocol: protocol.into(), port })
            }
            _ => Err("expected a protocol and a port such as `udp/8472`".into()),
        }
    }
}

impl Lab {
    /// Gives a host's link these faults, in place of those it had; [`Faults::default`] mends it.
    ///
    /// # Errors
    /// When this machine's kernel cannot make one of them; then the link is as it was.
    pub fn net(&self, host: &str, faults: &Faults) -> Result<()> {
        self.host(host)?;
        if self.boot(host).is_ok() {
            impose(self.name(), host, faults)?;
        }
        write_json(&path(&self.places, self.name(), host), faults)
    }
}

/// Imposes the recorded faults on a link that was made anew.
pub(crate) fn apply(places: &Places, lab: &str, host: &str) -> Result<()> {
    let path = path(places, lab, host);
    let faults = match fs_err::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|source| Error::Damaged { path, source })?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    impose(lab, host, &faults)
}

fn path(places: &Places, lab: &str, host: &str) -> std::path::PathBuf {
    places.host(lab, host).join("faults.json")
}

fn impose(lab: &str, host: &str, faults: &Faults) -> Result<()> {
    let namespace = namespace::of_lab(lab);
    let discipline = program::run(&["tc", "-n", &namespace, "qdisc", "show", "dev", host])?;
    if faults.delay > 0 {
        let delay = format!("{}ms", faults.delay);
        let argv =
            ["tc", "-n", &namespace, "qdisc", "replace", "dev", host, "root", "netem", "delay", &delay];
        program::run(&argv).map_err(|error| match error {
            Error::Program { stderr, .. } if stderr.contains("qdisc kind is unknown") => Error::Refused {
                message: "a delay needs the kernel's `sch_netem`, which this machine does not have; leave `--delay` out".into(),
            },
            other => other,
        })?;
    } else if discipline.contains("netem") {
        program::run(&["tc", "-n", &namespace, "qdisc", "delete", "dev", host, "root"])?;
    }
    namespace::inside(&namespace, || {
        program::run_with_input(&["nft", "-f", "-"], &rules(host, faults)).map(drop)
    })
}

/// One table a host, replaced as a whole.
fn rules(host: &str, faults: &Faults) -> String {
    use std::fmt::Write as _;
    let table = format!("bridge host_{}", host.replace('-', "_"));
    let mut text = format!("table {table}\ndelete table {table}\n");
    if faults.loss == 0 && faults.blocks.is_empty() {
        return text;
    }
    let mut conditions: Vec<String> = faults
        .blocks
        .iter()
        .map(|block| format!("meta l4proto {0} {0} dport {1}", block.protocol, block.port))
        .collect();
    match faults.loss {
        0 => {}
        // nft refuses a comparison that is always true.
        10_000.. => conditions = vec![String::new()],
        loss => conditions.push(format!("numgen random mod 10000 < {loss}")),
    }
    let _ = writeln!(text, "table {table} {{");
    for (hook, directions) in
        [("forward", &["iifname", "oifname"][..]), ("input", &["iifname"]), ("output", &["oifname"])]
    {
        let _ = writeln!(text, "  chain {hook} {{\n    type filter hook {hook} priority 0;");
        for direction in directions {
            for condition in &conditions {
                let _ = writeln!(text, "    {direction} \"{host}\" {condition} drop");
            }
        }
        let _ = writeln!(text, "  }}");
    }
    text.push_str("}\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_a_protocol_and_a_port() {
        assert_eq!("udp/8472".parse(), Ok(Block { protocol: "udp".into(), port: 8472 }));
        for text in ["8472", "udp/", "icmp/1", "tcp/0", "tcp/70000"] {
            assert!(text.parse::<Block>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_dead_cable_drops_all_without_a_comparison() {
        let rules = rules(
            "w1",
            &Faults { loss: 10_000, blocks: vec!["tcp/1".parse().unwrap()], ..Faults::default() },
        );
        assert!(rules.contains("iifname \"w1\"  drop"), "{rules}");
        assert!(!rules.contains("numgen") && !rules.contains("tcp"), "{rules}");
    }

    #[test]
    fn a_mended_link_has_no_rule() {
        assert_eq!(rules("cp1", &Faults::default()), "table bridge host_cp1\ndelete table bridge host_cp1\n");
    }
}
