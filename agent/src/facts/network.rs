//! Addresses and name servers.

use std::net::{IpAddr, Ipv4Addr};

use garboard_protocol::facts::InterfaceAddress;
use nix::ifaddrs::getifaddrs;
use nix::sys::socket::SockaddrStorage;

use super::{exists, text};
use crate::system::Look;

const RESOLV_CONF: &str = "/etc/resolv.conf";
/// systemd-resolved keeps the real servers here, whatever stub `/etc/resolv.conf` names (`systemd-resolved.service(8)`).
const UPSTREAM_RESOLV_CONF: &str = "/run/systemd/resolve/resolv.conf";

/// All addresses but those of loopback.
pub(super) fn addresses() -> Vec<InterfaceAddress> {
    let Ok(found) = getifaddrs() else { return Vec::new() };
    found
        .filter_map(|interface| {
            let address = ip(&interface.address?)?;
            let prefix = interface.netmask.as_ref().and_then(ip).map_or(0, prefix);
            (!address.is_loopback()).then(|| InterfaceAddress {
                interface: interface.interface_name,
                address: address.to_string(),
                prefix,
            })
        })
        .collect()
}

fn ip(address: &SockaddrStorage) -> Option<IpAddr> {
    if let Some(address) = address.as_sockaddr_in() {
        return Some(IpAddr::V4(address.ip()));
    }
    address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip()))
}

fn prefix(mask: IpAddr) -> u8 {
    let ones = match mask {
        IpAddr::V4(mask) => mask.to_bits().count_ones(),
        IpAddr::V6(mask) => mask.to_bits().count_ones(),
    };
    u8::try_from(ones).unwrap_or(0)
}

/// The router that the IPv4 default route of the lowest metric leads to.
pub(super) fn gateway(look: &dyn Look) -> Option<Ipv4Addr> {
    default_gateway(&text(look, "/proc/net/route"))
}

/// Of `/proc/net/route`: destination, gateway and mask are numbers as this machine has them in memory.
fn default_gateway(table: &str) -> Option<Ipv4Addr> {
    let routes = table.lines().skip(1).filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [_, destination, gateway, flags, _, _, metric, mask, ..] = fields.as_slice() else { return None };
        // Up, and by a gateway (`linux/route.h`: RTF_UP, RTF_GATEWAY).
        let by_gateway = u32::from_str_radix(flags, 16).ok()? & 0x3 == 0x3;
        let is_default = *destination == "00000000" && *mask == "00000000" && by_gateway;
        let address = Ipv4Addr::from(u32::from_str_radix(gateway, 16).ok()?.to_ne_bytes());
        is_default.then_some((metric.parse::<u32>().ok()?, address))
    });
    routes.min_by_key(|(metric, _)| *metric).map(|(_, address)| address)
}

/// The file that pods' DNS can use: not one whose servers are all on loopback, which is another one inside a pod.
pub(super) fn resolv_conf(look: &dyn Look) -> &'static str {
    let text = text(look, RESOLV_CONF);
    let servers: Vec<&str> = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("nameserver")?.split_whitespace().next())
        .collect();
    let is_stub = |server: &&str| {
        let address = server.split('%').next().unwrap_or_default();
        address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    };
    if !servers.is_empty() && servers.iter().all(is_stub) && exists(look, UPSTREAM_RESOLV_CONF) {
        UPSTREAM_RESOLV_CONF
    } else {
        RESOLV_CONF
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::default_gateway;

    #[test]
    #[cfg(target_endian = "little")]
    fn the_gateway_is_that_of_the_default_route_with_the_lowest_metric() {
        let table = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n\
            wlan0\t00000000\tFE01A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n\
            eth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n\
            eth0\t0001A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n";
        assert_eq!(default_gateway(table), Some(Ipv4Addr::new(192, 168, 1, 1)));
        assert_eq!(default_gateway("Iface\n"), None);
        assert_eq!(default_gateway(""), None);
    }
}
