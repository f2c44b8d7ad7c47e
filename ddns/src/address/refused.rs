//! Addresses that no name on the internet may get, whoever says them.
//!
//! Ranges: the special-purpose registries of IANA (RFC 6890 and later), and what Cloudflare publishes for its proxies at
//! `cloudflare.com/ips`: an echo service behind them has been seen to answer with its own address.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Why an address is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// `0.0.0.0/8`, `::`.
    Unspecified,
    /// This machine itself.
    Loopback,
    /// Valid on one link only.
    LinkLocal,
    /// RFC 1918.
    Private,
    /// `100.64.0.0/10`: between a provider and its customers (RFC 6598).
    CarrierGrade,
    /// `fc00::/7`.
    UniqueLocal,
    /// For protocols or benchmarks.
    Special,
    /// For examples in documents.
    Documentation,
    /// Groups.
    Multicast,
    /// Not in use.
    Reserved,
    /// An IPv4 address inside an IPv6 address.
    EmbeddedIpv4,
    /// A proxy or resolver of Cloudflare.
    Cloudflare,
}

impl Refusal {
    /// Whether a router with such an outer address stands behind another NAT.
    pub fn is_behind_nat(self) -> bool {
        matches!(self, Self::Private | Self::CarrierGrade | Self::Special)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Unspecified => "unspecified",
            Self::Loopback => "loopback",
            Self::LinkLocal => "link-local",
            Self::Private => "private (RFC 1918)",
            Self::CarrierGrade => "carrier-grade NAT (100.64.0.0/10)",
            Self::UniqueLocal => "unique local (fc00::/7)",
            Self::Special => "for protocols or benchmarks only",
            Self::Documentation => "for documentation only",
            Self::Multicast => "multicast",
            Self::Reserved => "reserved",
            Self::EmbeddedIpv4 => "an IPv4 address inside IPv6",
            Self::Cloudflare => "one of Cloudflare's own",
        })
    }
}

const fn v4(a: u8, b: u8, c: u8, d: u8, length: u8) -> IpNet {
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), length))
}

const fn v6(a: u16, b: u16, length: u8) -> IpNet {
    IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0), length))
}

const RANGES: &[(IpNet, Refusal)] = &[
    (v4(0, 0, 0, 0, 8), Refusal::Unspecified),
    (v4(127, 0, 0, 0, 8), Refusal::Loopback),
    (v4(169, 254, 0, 0, 16), Refusal::LinkLocal),
    (v4(10, 0, 0, 0, 8), Refusal::Private),
    (v4(172, 16, 0, 0, 12), Refusal::Private),
    (v4(192, 168, 0, 0, 16), Refusal::Private),
    (v4(100, 64, 0, 0, 10), Refusal::CarrierGrade),
    (v4(192, 0, 0, 0, 24), Refusal::Special),
    (v4(198, 18, 0, 0, 15), Refusal::Special),
    (v4(192, 88, 99, 0, 24), Refusal::Special),
    (v4(192, 0, 2, 0, 24), Refusal::Documentation),
    (v4(198, 51, 100, 0, 24), Refusal::Documentation),
    (v4(203, 0, 113, 0, 24), Refusal::Documentation),
    (v4(224, 0, 0, 0, 4), Refusal::Multicast),
    (v4(240, 0, 0, 0, 4), Refusal::Reserved),
    (v4(1, 0, 0, 0, 24), Refusal::Cloudflare),
    (v4(1, 1, 1, 0, 24), Refusal::Cloudflare),
    (v4(173, 245, 48, 0, 20), Refusal::Cloudflare),
    (v4(103, 21, 244, 0, 22), Refusal::Cloudflare),
    (v4(103, 22, 200, 0, 22), Refusal::Cloudflare),
    (v4(103, 31, 4, 0, 22), Refusal::Cloudflare),
    (v4(141, 101, 64, 0, 18), Refusal::Cloudflare),
    (v4(108, 162, 192, 0, 18), Refusal::Cloudflare),
    (v4(190, 93, 240, 0, 20), Refusal::Cloudflare),
    (v4(188, 114, 96, 0, 20), Refusal::Cloudflare),
    (v4(197, 234, 240, 0, 22), Refusal::Cloudflare),
    (v4(198, 41, 128, 0, 17), Refusal::Cloudflare),
    (v4(162, 158, 0, 0, 15), Refusal::Cloudflare),
    (v4(104, 16, 0, 0, 13), Refusal::Cloudflare),
    (v4(104, 24, 0, 0, 14), Refusal::Cloudflare),
    (v4(172, 64, 0, 0, 13), Refusal::Cloudflare),
    (v4(131, 0, 72, 0, 22), Refusal::Cloudflare),
    (v6(0x2400, 0xcb00, 32), Refusal::Cloudflare),
    (v6(0x2606, 0x4700, 32), Refusal::Cloudflare),
    (v6(0x2803, 0xf800, 32), Refusal::Cloudflare),
    (v6(0x2405, 0xb500, 32), Refusal::Cloudflare),
    (v6(0x2405, 0x8100, 32), Refusal::Cloudflare),
    (v6(0x2a06, 0x98c0, 29), Refusal::Cloudflare),
    (v6(0x2c0f, 0xf248, 32), Refusal::Cloudflare),
    (v6(0xfe80, 0, 10), Refusal::LinkLocal),
    (v6(0xfec0, 0, 10), Refusal::LinkLocal),
    (v6(0xfc00, 0, 7), Refusal::UniqueLocal),
    (v6(0xff00, 0, 8), Refusal::Multicast),
    (v6(0x2001, 0x0db8, 32), Refusal::Documentation),
    (v6(0x3fff, 0, 20), Refusal::Documentation),
    (v6(0x0064, 0xff9b, 32), Refusal::EmbeddedIpv4),
    (v6(0x2002, 0, 16), Refusal::EmbeddedIpv4),
    (v6(0x2001, 0, 32), Refusal::EmbeddedIpv4),
    (v6(0x2001, 0, 23), Refusal::Special),
];

/// Why a name must not get this address; `None` if it may. `allowed` are ranges that the user says are public where he is
/// (a lab, a company's own network).
pub fn refusal(address: IpAddr, allowed: &[IpNet]) -> Option<Refusal> {
    if allowed.iter().any(|range| range.contains(&address)) {
        return None;
    }
    if let IpAddr::V6(address) = address {
        if address.is_unspecified() {
            return Some(Refusal::Unspecified);
        }
        if address.is_loopback() {
            return Some(Refusal::Loopback);
        }
        // `::ffff:a.b.c.d` and the older `::a.b.c.d`.
        if address.to_ipv4().is_some() {
            return Some(Refusal::EmbeddedIpv4);
        }
    }
    let listed = RANGES.iter().find(|(range, _)| range.contains(&address)).map(|(_, why)| *why);
    // Everything that was ever given out is in 2000::/3.
    let elsewhere = matches!(address, IpAddr::V6(address) if address.segments()[0] & 0xe000 != 0x2000);
    listed.or(elsewhere.then_some(Refusal::Reserved))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_name_may_get_is_refused_and_says_why() {
        let cases = [
            ("0.1.2.3", Refusal::Unspecified),
            ("127.0.0.1", Refusal::Loopback),
            ("169.254.1.1", Refusal::LinkLocal),
            ("10.0.0.1", Refusal::Private),
            ("172.31.255.255", Refusal::Private),
            ("192.168.0.10", Refusal::Private),
            ("100.64.0.1", Refusal::CarrierGrade),
            ("100.127.255.254", Refusal::CarrierGrade),
            ("192.0.0.8", Refusal::Special),
            ("198.19.0.1", Refusal::Special),
            ("192.0.2.1", Refusal::Documentation),
            ("198.51.100.7", Refusal::Documentation),
            ("203.0.113.9", Refusal::Documentation),
            ("224.0.0.1", Refusal::Multicast),
            ("255.255.255.255", Refusal::Reserved),
            ("104.21.5.5", Refusal::Cloudflare),
            ("1.1.1.1", Refusal::Cloudflare),
            ("::", Refusal::Unspecified),
            ("::1", Refusal::Loopback),
            ("fe80::1", Refusal::LinkLocal),
            ("fd00::1", Refusal::UniqueLocal),
            ("ff02::1", Refusal::Multicast),
            ("2001:db8::1", Refusal::Documentation),
            ("::ffff:84.20.10.1", Refusal::EmbeddedIpv4),
            ("64:ff9b::5414:a01", Refusal::EmbeddedIpv4),
            ("2002:5414:a01::1", Refusal::EmbeddedIpv4),
            ("2606:4700::6810:1", Refusal::Cloudflare),
            ("4000::1", Refusal::Reserved),
        ];
        for (address, why) in cases {
            assert_eq!(refusal(address.parse().unwrap(), &[]), Some(why), "{address}");
        }
    }

    #[test]
    fn public_addresses_and_what_the_user_allows_pass() {
        for address in
            ["84.20.10.1", "172.15.0.1", "172.32.0.1", "100.63.255.255", "100.128.0.1", "2a01:4f8::1"]
        {
            assert_eq!(refusal(address.parse().unwrap(), &[]), None, "{address}");
        }
        let allowed = ["203.0.113.0/24".parse().unwrap()];
        assert_eq!(refusal("203.0.113.9".parse().unwrap(), &allowed), None);
        assert_eq!(refusal("192.0.2.1".parse().unwrap(), &allowed), Some(Refusal::Documentation));
    }
}
