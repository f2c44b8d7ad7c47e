//! Where hosts are: addresses, ports, logins.

use std::net::IpAddr;

use super::name::is_domain;
use crate::fault::{Flaw, quote};

/// What SSH connects to: an IPv4 address or a name.
pub(crate) fn address(text: &str) -> Result<String, Flaw> {
    if let Ok(address) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
        usable(address, text)?;
        return Ok(text.to_owned());
    }
    if let Some((login, host)) = text.split_once('@') {
        return Err(Flaw::new(format!("{} holds a login", quote(text)))
            .help(format!("write `address: {host}, ssh: {{ user: {login} }}`")));
    }
    if let Some((host, port)) = text.rsplit_once(':')
        && port.parse::<u16>().is_ok()
        && !host.contains([':', '/'])
    {
        return Err(Flaw::new(format!("{} holds a port", quote(text)))
            .help(format!("write `address: {host}, ssh: {{ port: {port} }}`")));
    }
    if let Ok(network) = text.parse::<ipnet::IpNet>() {
        return Err(
            Flaw::new(format!("{} is a network", quote(text))).help(format!("write `{}`", network.addr()))
        );
    }
    // Four numbers are meant as an address, though DNS would take `192.168.1.300` for a name.
    if !is_domain(text) || looks_numeric(text) {
        return Err(Flaw::new(format!("{} is neither an IPv4 address nor a host name", quote(text)))
            .help("write it like `192.168.1.11` or `raspberrypi.local`"));
    }
    Ok(text.to_owned())
}

/// A node's address in the cluster.
pub(crate) fn node_ip(text: &str) -> Result<IpAddr, Flaw> {
    let address = text.parse::<IpAddr>().map_err(|_| {
        Flaw::new(format!("{} is no IPv4 address", quote(text))).help("write it like `192.168.1.12`")
    })?;
    usable(address, text)?;
    if address.is_loopback() {
        return Err(Flaw::new(format!("{} is a loopback address, other hosts cannot reach it", quote(text)))
            .help("write the address the other hosts use"));
    }
    Ok(address)
}

fn usable(address: IpAddr, text: &str) -> Result<(), Flaw> {
    let IpAddr::V4(address) = address else {
        return Err(Flaw::new(format!("{} is IPv6, which is not in this version", quote(text)))
            .help("write the host's IPv4 address"));
    };
    if address.is_unspecified() || address.is_multicast() || address.is_broadcast() {
        return Err(Flaw::new(format!("{} is not the address of one host", quote(text)))
            .help("write it like `192.168.1.11`"));
    }
    Ok(())
}

fn looks_numeric(text: &str) -> bool {
    text.chars().all(|character| character.is_ascii_digit() || character == '.')
}

/// Whether an address leads back to the machine it is used on.
pub(crate) fn is_loopback(address: &str) -> bool {
    address.parse::<IpAddr>().map_or_else(
        |_| {
            let name = normal(address);
            name == "localhost" || name.ends_with(".localhost")
        },
        |address| address.is_loopback(),
    )
}

/// Whether two addresses are written for the same thing.
pub(crate) fn same_host(one: &str, other: &str) -> bool {
    normal(one) == normal(other)
}

fn normal(address: &str) -> String {
    address.strip_suffix('.').unwrap_or(address).to_lowercase()
}

/// A TCP port.
pub(crate) fn port(text: &str) -> Result<u16, Flaw> {
    match text.parse::<u16>() {
        Ok(0) | Err(_) => {
            Err(Flaw::new(format!("{} is no port, a port is a number from 1 to 65535", quote(text)))
                .help("sshd listens on 22"))
        }
        Ok(port) => Ok(port),
    }
}

/// A port that is opened to everybody.
pub(crate) fn public_port(text: &str) -> Result<u16, Flaw> {
    port(text).map_err(|flaw| Flaw::new(flaw.message).help("write one port an entry, such as `443`"))
}

/// A login on the hosts.
pub(crate) fn login(text: &str) -> Result<String, Flaw> {
    let bad =
        |character: char| character.is_whitespace() || character.is_control() || "@:/".contains(character);
    if text.is_empty() || text.starts_with('-') || text.contains(bad) {
        return Err(Flaw::new(format!("{} is no login", quote(text)))
            .help("write a user's name, such as `root` or `pi`"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{address, is_loopback, login, port, same_host};

    #[test]
    fn an_address_is_an_ip_or_a_name_and_nothing_more() {
        for good in ["192.168.1.11", "raspberrypi.local", "pi", "127.0.0.1", "Pi.Local."] {
            assert!(address(good).is_ok(), "{good} was refused");
        }
        for bad in [
            "",
            "192.168.1.300",
            "pi@10.0.0.1",
            "10.0.0.1:22",
            "10.0.0.1/24",
            "fe80::1",
            "[fe80::1]",
            "0.0.0.0",
            "a b",
        ] {
            assert!(address(bad).is_err(), "{bad:?} was taken");
        }
        assert_eq!(
            address("pi@10.0.0.1").unwrap_err().help.unwrap(),
            "write `address: 10.0.0.1, ssh: { user: pi }`"
        );
    }

    #[test]
    fn the_ends_of_the_port_range_are_known() {
        assert_eq!((port("1"), port("65535")), (Ok(1), Ok(65535)));
        assert!(["0", "65536", "-1", "ssh", "22.0", ""].iter().all(|bad| port(bad).is_err()));
    }

    #[test]
    fn names_for_the_same_host_are_the_same() {
        assert!(same_host("Pi.local.", "pi.local"));
        assert!(!same_host("pi1", "pi2"));
        assert!(is_loopback("127.0.0.9") && is_loopback("localhost") && !is_loopback("10.0.0.1"));
        assert!(login("pi").is_ok() && login("-oProxyCommand=x").is_err());
    }
}
