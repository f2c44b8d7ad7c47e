//! The host of the VPN's server: its package, its port, and the networks that it leads to.

use std::cmp::Ordering;

use garboard_inventory::OpenVpn;
use ipnet::Ipv4Net;

use super::{Row, Subject};

/// The first package of each release with the fixes of OpenVPN 2.6.21: memory that is used after it was freed, and memory
/// that a stranger can exhaust (CVE-2026-12996, -13117, -12932, -13698; the changelogs of the packages).
const FIXED: [(&str, &str, &str); 3] = [
    ("debian", "12", "2.6.14-0+deb12u2"),
    ("debian", "13", "2.6.14-1+deb13u3"),
    ("ubuntu", "24.04", "2.6.19-0ubuntu0.24.04.5"),
];
/// The same upstream, for releases that are not listed.
const FIXED_UPSTREAM: &str = "2.6.21";
/// Before it no server could answer only those who have a tls-crypt-v2 key.
const OLDEST: &str = "2.6";
/// Releases whose package is older.
const TOO_OLD: [(&str, &str); 4] =
    [("debian", "10"), ("debian", "11"), ("ubuntu", "20.04"), ("ubuntu", "22.04")];
/// What most routers give to the networks behind them: a guest of such a network cannot reach one of the same numbers at home.
const EVERYWHERE: [&str; 4] = ["192.168.0.0/24", "192.168.1.0/24", "192.168.178.0/24", "10.0.0.0/24"];

pub(super) fn rows(subject: &Subject<'_>, rows: &mut Vec<Row>) {
    let Some((edge, openvpn)) = subject.inventory.openvpn() else { return };
    if edge.name != subject.host.name {
        return;
    }
    rows.push(package(subject));
    rows.extend(port(subject, openvpn));
    rows.extend(clashes(subject, openvpn));
}

fn package(subject: &Subject<'_>) -> Row {
    let os = &subject.facts.os;
    let is = |id: &str, version: &str| os.id == id && os.version == version;
    let too_old = |text: String| {
        let help = "upgrade its operating system (Debian 12, Ubuntu 24.04 or later), or make another worker the edge";
        subject.blocking("openvpn", text, help)
    };
    if TOO_OLD.iter().any(|(id, version)| is(id, version)) {
        return too_old(format!("{} has no OpenVPN {OLDEST} or later", os.name));
    }
    let Some(installed) = &subject.facts.openvpn else {
        return subject.fine("openvpn", "comes from the host's package sources");
    };
    if compare(installed, OLDEST) == Ordering::Less {
        return too_old(format!("OpenVPN {installed} is older than {OLDEST}"));
    }
    let fixed =
        FIXED.iter().find(|(id, version, _)| is(id, version)).map_or(FIXED_UPSTREAM, |(_, _, fixed)| fixed);
    if compare(installed, fixed) == Ordering::Less {
        return subject.warning(
            "openvpn",
            format!("the package openvpn {installed} has holes that {fixed} has not (CVE-2026-12996, CVE-2026-13698)"),
            "on the host: `apt-get update && apt-get install --only-upgrade openvpn`, then `systemctl restart garboard-openvpn`",
        );
    }
    subject.fine("openvpn", installed.clone())
}

fn port(subject: &Subject<'_>, openvpn: &OpenVpn) -> Option<Row> {
    let mut holders = subject.facts.ports.iter();
    let holder = holders.find(|holder| holder.port == openvpn.port && holder.protocol == "udp")?;
    if subject.is_ours() && holder.process == "openvpn" {
        return None;
    }
    let text =
        format!("udp {} for the VPN is held by `{}` (process {})", openvpn.port, holder.process, holder.pid);
    Some(subject.blocking("port", text, "stop that program, or choose another `edge.openvpn.port`"))
}

fn clashes(subject: &Subject<'_>, openvpn: &OpenVpn) -> Option<Row> {
    let common: Vec<Ipv4Net> = EVERYWHERE.iter().filter_map(|network| network.parse().ok()).collect();
    let clash = openvpn.routes.iter().find(|route| common.iter().any(|network| route.contains(network)))?;
    let text =
        format!("the route {clash} is what many other networks have too: from those, it leads nowhere");
    let help = "give your network at home rarer numbers, such as 10.73.1.0/24, in your router";
    Some(subject.warning("vpn", text, help))
}

/// As dpkg compares versions (`deb-version(7)`), without epochs: runs of digits by their number, others letter by letter, where
/// `~` sorts before everything, the end before letters, letters before all else.
fn compare(one: &str, other: &str) -> Ordering {
    let (mut one, mut other) = (one.as_bytes(), other.as_bytes());
    loop {
        let (text, rest) = split(one, |byte| !byte.is_ascii_digit());
        let (other_text, other_rest) = split(other, |byte| !byte.is_ascii_digit());
        let longest = text.len().max(other_text.len());
        for at in 0..longest {
            let order = weight(text.get(at)).cmp(&weight(other_text.get(at)));
            if order != Ordering::Equal {
                return order;
            }
        }
        let (digits, rest) = split(rest, u8::is_ascii_digit);
        let (other_digits, other_rest) = split(other_rest, u8::is_ascii_digit);
        let order = number(digits).cmp(&number(other_digits));
        if order != Ordering::Equal {
            return order;
        }
        if rest.is_empty() && other_rest.is_empty() {
            return Ordering::Equal;
        }
        (one, other) = (rest, other_rest);
    }
}

fn split(text: &[u8], belongs: impl Fn(&u8) -> bool) -> (&[u8], &[u8]) {
    text.split_at(text.iter().position(|byte| !belongs(byte)).unwrap_or(text.len()))
}

fn weight(byte: Option<&u8>) -> i32 {
    match byte {
        Some(b'~') => -1,
        None => 0,
        Some(byte) if byte.is_ascii_alphabetic() => i32::from(*byte),
        Some(byte) => i32::from(*byte) + 256,
    }
}

fn number(digits: &[u8]) -> (usize, &[u8]) {
    let zeros = digits.iter().take_while(|byte| **byte == b'0').count();
    let digits = &digits[zeros..];
    (digits.len(), digits)
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;
    use std::collections::BTreeMap;

    use garboard_protocol::Facts;
    use garboard_protocol::facts::{OperatingSystem, PortHolder};

    use super::compare;
    use crate::check::{Row, Verdict, rows};
    use crate::facts_for_tests::facts;

    /// Rows about the VPN, of a host that has it.
    fn rows_of(facts: Facts, route: &str) -> Vec<Row> {
        let text = format!(
            "cluster: {{ name: home, kubernetes: v1.36.3 }}\nhosts:\n  cp1: {{ address: 192.168.1.10, role: control_plane }}\n  \
             dmz1: {{ address: 192.168.1.11, role: worker, edge: true }}\nedge:\n  openvpn: {{ remote: home.example.org, routes: \
             [{route}], users: [alice] }}\n"
        );
        let inventory = garboard_inventory::parse("garboard.yaml", &text).unwrap();
        let all = BTreeMap::from([("cp1".to_owned(), facts.clone()), ("dmz1".to_owned(), facts)]);
        let of_the_vpn = |row: &Row| row.check == "openvpn" || row.check == "vpn" || row.text.contains("VPN");
        let rows =
            rows(&inventory, &all, &BTreeMap::new()).into_iter().filter(of_the_vpn).collect::<Vec<_>>();
        assert!(rows.iter().all(|row| row.host == "dmz1"), "{rows:?}");
        rows
    }

    fn os(id: &str, version: &str) -> OperatingSystem {
        OperatingSystem { id: id.to_owned(), version: version.to_owned(), name: format!("{id} {version}") }
    }

    #[test]
    fn a_package_with_known_holes_is_named_with_the_one_that_has_none() {
        let verdict = |version: &str, os| {
            let facts = Facts { openvpn: Some(version.to_owned()), os, ..facts() };
            let rows = rows_of(facts, "10.73.1.0/24");
            assert_eq!(rows.len(), 1, "{rows:?}");
            (rows[0].verdict, rows[0].text.clone())
        };
        let (bad, text) = verdict("2.6.14-0+deb12u1", os("debian", "12"));
        assert_eq!(bad, Verdict::Warning);
        assert!(text.contains("2.6.14-0+deb12u2"), "{text}");
        assert_eq!(verdict("2.6.14-0+deb12u2", os("debian", "12")).0, Verdict::Fine);
        // The same upstream version, without the fixes of the later release.
        assert_eq!(verdict("2.6.14-1+deb13u2", os("debian", "13")).0, Verdict::Warning);
        assert_eq!(verdict("2.6.20-1", os("fedora", "44")).0, Verdict::Warning);
        assert_eq!(verdict("2.5.11-0ubuntu0.22.04.6", os("ubuntu", "22.04")).0, Verdict::Blocking);
        assert_eq!(verdict("2.5.1-3", os("debian", "12")).0, Verdict::Blocking);
    }

    #[test]
    fn a_host_without_the_package_is_judged_by_its_release() {
        assert_eq!(rows_of(facts(), "10.73.1.0/24")[0].verdict, Verdict::Fine);
        let old = Facts { os: os("debian", "11"), ..facts() };
        assert_eq!(rows_of(old, "10.73.1.0/24")[0].verdict, Verdict::Blocking);
    }

    #[test]
    fn a_port_that_is_taken_and_numbers_that_everybody_has_are_said() {
        let port = PortHolder { port: 1194, protocol: "udp".to_owned(), process: "nc".to_owned(), pid: 7 };
        let rows = rows_of(Facts { ports: vec![port], ..facts() }, "192.168.0.0/16");
        let verdicts: Vec<_> = rows.iter().map(|row| (row.check, row.verdict)).collect();
        let expected = [("openvpn", Verdict::Fine), ("port", Verdict::Blocking), ("vpn", Verdict::Warning)];
        assert_eq!(verdicts, expected, "{rows:?}");
    }

    #[test]
    fn revisions_compare_as_dpkg_compares_them() {
        for (one, other, order) in [
            ("2.6.14-0+deb12u1", "2.6.14-0+deb12u2", Ordering::Less),
            ("2.6.14-0+deb12u10", "2.6.14-0+deb12u2", Ordering::Greater),
            ("2.6.3-1+deb12u4", "2.6.14-0+deb12u2", Ordering::Less),
            ("2.6.19-0ubuntu0.24.04.5", "2.6.19-0ubuntu0.24.04.5", Ordering::Equal),
            ("2.6.9-1ubuntu4", "2.6.19-0ubuntu0.24.04.5", Ordering::Less),
            ("2.7.0~rc1-1", "2.7.0-1", Ordering::Less),
            ("2.7.0~rc1-1", "2.6.21", Ordering::Greater),
            ("2.5.11-0ubuntu0.22.04.6", "2.6", Ordering::Less),
            ("2.06", "2.6", Ordering::Equal),
        ] {
            assert_eq!(compare(one, other), order, "{one} and {other}");
            assert_eq!(compare(other, one), order.reverse(), "{other} and {one}");
        }
    }
}
