//! Networks: `10.244.0.0/16`

use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net};

use crate::fault::{Flaw, quote};

/// A network of pods or services, in canonical form: of addresses that can be routed to. `example` is what the help offers.
pub(crate) fn cidr(text: &str, example: Ipv4Net) -> Result<Ipv4Net, Flaw> {
    let network = ipv4_network(text, example)?;
    let first = network.network();
    if first.is_unspecified() || first.is_loopback() || first.is_multicast() || first.is_link_local() {
        return Err(Flaw::new(format!("{} cannot be used for pods or services", quote(text)))
            .help(format!("take a private network, such as `{example}`")));
    }
    Ok(network)
}

/// An IPv4 network in canonical form. `example` is what the help offers.
pub(crate) fn ipv4_network(text: &str, example: Ipv4Net) -> Result<Ipv4Net, Flaw> {
    if let Ok(address) = text.parse::<IpAddr>() {
        let flaw = Flaw::new(format!("{} is an address, not a network", quote(text)));
        return Err(match address {
            IpAddr::V4(address) => flaw.help(format!("write `{}`", presumed(address, example))),
            IpAddr::V6(_) => no_ipv6(text, example),
        });
    }
    let network = match text.parse::<IpNet>() {
        Ok(IpNet::V4(network)) => network,
        Ok(IpNet::V6(_)) => return Err(no_ipv6(text, example)),
        Err(_) => {
            return Err(Flaw::new(format!("{} is no network", quote(text)))
                .help(format!("write it like `{example}`")));
        }
    };
    if network.trunc() != network {
        return Err(Flaw::new(format!("{} has bits set behind its prefix", quote(text)))
            .help(format!("write `{}`", network.trunc())));
    }
    Ok(network)
}

/// A network of a firewall, IPv4 or IPv6, in canonical form.
pub(crate) fn network(text: &str) -> Result<IpNet, Flaw> {
    if let Ok(address) = text.parse::<IpAddr>() {
        let prefix = if address.is_ipv4() { 24 } else { 64 };
        let presumed = IpNet::new(address, prefix).map_or(IpNet::from(address), |net| net.trunc());
        return Err(Flaw::new(format!("{} is an address, not a network", quote(text)))
            .help(format!("write `{presumed}`, or `{}` for this machine alone", IpNet::from(address))));
    }
    let network = text.parse::<IpNet>().map_err(|_| {
        Flaw::new(format!("{} is no network", quote(text))).help("write it like `192.168.1.0/24`")
    })?;
    if network.trunc() != network {
        return Err(Flaw::new(format!("{} has bits set behind its prefix", quote(text)))
            .help(format!("write `{}`", network.trunc())));
    }
    if network.prefix_len() == 0 {
        return Err(Flaw::new(format!("{} is the whole internet", quote(text)))
            .help("name the networks at home, such as `192.168.1.0/24`"));
    }
    let first = network.network();
    if first.is_unspecified() || first.is_loopback() || first.is_multicast() {
        return Err(Flaw::new(format!("{} is no network of machines", quote(text)))
            .help("write it like `192.168.1.0/24`"));
    }
    Ok(network)
}

/// The same, or one machine's address.
pub(crate) fn addresses(text: &str) -> Result<IpNet, Flaw> {
    match text.parse::<IpAddr>() {
        Ok(address) => network(&IpNet::from(address).to_string()),
        Err(_) => network(text),
    }
}

fn presumed(address: Ipv4Addr, example: Ipv4Net) -> Ipv4Net {
    Ipv4Net::new_assert(address, example.prefix_len()).trunc()
}

fn no_ipv6(text: &str, example: Ipv4Net) -> Flaw {
    Flaw::new(format!("{} is IPv6, which is not in this version", quote(text)))
        .help(format!("use an IPv4 network, such as `{example}`"))
}

#[cfg(test)]
mod tests {
    use ipnet::Ipv4Net;

    use crate::fault::Flaw;

    fn cidr(text: &str) -> Result<Ipv4Net, Flaw> {
        super::cidr(text, crate::defaults::pod_cidr())
    }

    #[test]
    fn a_network_of_a_firewall_is_one_of_machines() {
        use super::{addresses, network};
        assert_eq!(network("192.168.1.0/24").unwrap().to_string(), "192.168.1.0/24");
        assert_eq!(network("fd00:1::/64").unwrap().to_string(), "fd00:1::/64");
        assert_eq!(addresses("192.168.1.5").unwrap().to_string(), "192.168.1.5/32");
        assert_eq!(
            network("192.168.1.5").unwrap_err().help.unwrap(),
            "write `192.168.1.0/24`, or `192.168.1.5/32` for this machine alone"
        );
        for bad in ["0.0.0.0/0", "::/0", "127.0.0.0/8", "224.0.0.0/4", "192.168.1.5/24", "home", ""] {
            assert!(network(bad).is_err(), "{bad} was taken");
            assert!(addresses(bad).is_err(), "{bad} was taken");
        }
    }

    #[test]
    fn a_network_that_is_not_canonical_comes_with_the_one_that_is() {
        assert_eq!(cidr("10.244.0.1/16").unwrap_err().help.unwrap(), "write `10.244.0.0/16`");
        assert_eq!(cidr("10.244.7.9").unwrap_err().help.unwrap(), "write `10.244.0.0/16`");
        assert_eq!(cidr("10.244.0.0/16").unwrap().to_string(), "10.244.0.0/16");
        for bad in ["fd00::/48", "10.244.0.0/33", "10.244/16", "127.0.0.0/8", "0.0.0.0/0", "224.0.0.0/4"] {
            assert!(cidr(bad).is_err(), "{bad} was taken");
        }
    }
}
