//! Addresses and name servers.

use std::net::IpAddr;

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
