//! The way out, as the kernel shows it below `/proc/net`: text that needs no privilege and no netlink socket.

use std::net::Ipv4Addr;

/// The default gateway of `/proc/net/route`: that of the lowest metric.
pub(super) fn gateway(table: &str) -> Option<Ipv4Addr> {
    let routes = table.lines().skip(1).filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (destination, gateway, flags) = (fields.get(1)?, fields.get(2)?, fields.get(3)?);
        let metric: u32 = fields.get(6)?.parse().ok()?;
        let mask = fields.get(7)?;
        // Up, and by a gateway.
        let flags = u32::from_str_radix(flags, 16).ok()?;
        let is_default = *destination == "00000000" && *mask == "00000000" && flags & 0x3 == 0x3;
        // The kernel prints the four bytes as one number of this machine.
        let address = Ipv4Addr::from(u32::from_str_radix(gateway, 16).ok()?.to_ne_bytes());
        is_default.then_some((metric, address))
    });
    routes.min_by_key(|(metric, _)| *metric).map(|(_, address)| address)
}

/// The interface of the default route of `/proc/net/ipv6_route`: that of the lowest metric.
pub(super) fn ipv6_interface(table: &str) -> Option<&str> {
    let routes = table.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (destination, length, metric, flags) =
            (fields.first()?, fields.get(1)?, fields.get(5)?, fields.get(8)?);
        let interface = *fields.get(9)?;
        let metric = u32::from_str_radix(metric, 16).ok()?;
        let flags = u32::from_str_radix(flags, 16).ok()?;
        // Up; the kernel also lists a route that rejects, on `lo`.
        let is_default = destination.bytes().all(|byte| byte == b'0') && *length == "00" && flags & 0x1 != 0;
        (is_default && interface != "lo").then_some((metric, interface))
    });
    routes.min_by_key(|(metric, _)| *metric).map(|(_, interface)| interface)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn the_default_gateway_of_the_lowest_metric_is_taken() {
        let table = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n\
            wlan0\t00000000\tFE01A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n\
            eth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n\
            eth0\t0001A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n";
        assert_eq!(gateway(table), Some(Ipv4Addr::new(192, 168, 1, 1)));
        assert_eq!(gateway("Iface\n"), None);
    }

    #[test]
    fn the_interface_of_the_ipv6_default_route_is_taken() {
        let zero = "00000000000000000000000000000000";
        let table = format!(
            "{zero} 00 {zero} 00 fe800000000000000000000000000001 00000400 1 0 00000003 wlan0\n\
             {zero} 00 {zero} 00 fe800000000000000000000000000001 00000064 1 0 00000003 eth0\n\
             {zero} 00 {zero} 00 {zero} ffffffff 1 0 00200200 lo\n"
        );
        assert_eq!(ipv6_interface(&table), Some("eth0"));
        assert_eq!(ipv6_interface(""), None);
    }
}
