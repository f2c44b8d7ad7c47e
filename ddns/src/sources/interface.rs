//! The IPv6 address of this machine's own interface. Each host has its own; a temporary one (RFC 8981) is never published,
//! it would be gone within a day.
//!
//! The columns of `/proc/net/if_inet6`: address, index, prefix length, scope, flags, name (`net/ipv6/addrconf.c`).

use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;

use super::route;
use crate::address::refusal;

const TEMPORARY: u32 = 0x01;
const DETECTION_FAILED: u32 = 0x08;
const DEPRECATED: u32 = 0x20;
const TENTATIVE: u32 = 0x40;
const PERMANENT: u32 = 0x80;

/// What the interface has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InterfaceAddresses {
    /// Those that may be published, the best first.
    pub stable: Vec<Ipv6Addr>,
    /// Temporary ones, of all interfaces.
    pub temporary: Vec<Ipv6Addr>,
}

/// What the kernel shows now. `interface`: its name, or that of the IPv6 default route.
///
/// # Errors
/// `/proc/net` cannot be read.
pub fn interface_addresses(
    interface: Option<&str>,
    allowed: &[IpNet],
) -> std::io::Result<InterfaceAddresses> {
    let addresses = match fs_err::read_to_string("/proc/net/if_inet6") {
        Ok(text) => text,
        // A kernel without IPv6.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(InterfaceAddresses::default());
        }
        Err(error) => return Err(error),
    };
    let routes = fs_err::read_to_string("/proc/net/ipv6_route").unwrap_or_default();
    let interface = interface.or_else(|| route::ipv6_interface(&routes));
    Ok(read(&addresses, interface, allowed))
}

fn read(table: &str, interface: Option<&str>, allowed: &[IpNet]) -> InterfaceAddresses {
    let mut found = InterfaceAddresses::default();
    let mut stable = Vec::new();
    for line in table.lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [address, _, _, _, flags, name] = fields[..] else { continue };
        let (Ok(address), Ok(flags)) = (u128::from_str_radix(address, 16), u32::from_str_radix(flags, 16))
        else {
            continue;
        };
        let address = Ipv6Addr::from(address);
        if refusal(IpAddr::V6(address), allowed).is_some() {
            continue;
        }
        if flags & TEMPORARY != 0 {
            found.temporary.push(address);
        } else if Some(name) == interface && flags & (DETECTION_FAILED | DEPRECATED | TENTATIVE) == 0 {
            // Set by hand before given by the router; else the lowest, so that the choice is always the same.
            stable.push((flags & PERMANENT == 0, address));
        }
    }
    stable.sort_unstable();
    found.stable = stable.into_iter().map(|(_, address)| address).collect();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
        2a0104f80c0a00020000000000000009 02 40 00 00     eth0\n\
        2a0104f80c0a00025054c3fffe9e1d2a 02 40 00 01     eth0\n\
        2a0104f80c0a00020000000000000005 02 40 00 00     eth0\n\
        2a0104f80c0a00020000000000000001 02 40 00 20     eth0\n\
        2a0104f80c0a00020000000000000002 02 40 00 40     eth0\n\
        2a0104f80c0a000200000000000000ff 02 40 00 80     eth0\n\
        2a0104f80c0a00030000000000000001 03 40 00 80    wlan0\n\
        fe800000000000005054c3fffe9e1d2a 02 40 20 80     eth0\n\
        fd000000000000000000000000000001 02 40 00 80     eth0\n\
        00000000000000000000000000000001 01 80 10 80       lo\n";

    #[test]
    fn a_temporary_deprecated_tentative_or_local_address_is_never_chosen() {
        let found = read(TABLE, Some("eth0"), &[]);
        let address = |text: &str| text.parse::<Ipv6Addr>().unwrap();
        let stable = ["2a01:4f8:c0a:2::ff", "2a01:4f8:c0a:2::5", "2a01:4f8:c0a:2::9"].map(address);
        assert_eq!(found.stable, stable);
        assert_eq!(found.temporary, [address("2a01:4f8:c0a:2:5054:c3ff:fe9e:1d2a")]);
        assert!(read(TABLE, None, &[]).stable.is_empty());
    }
}
