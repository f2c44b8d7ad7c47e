//! Connections that never come about: the first packet arrived here, and the answer to it was lost.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use garboard_protocol::mesh::{Heard, Port, Protocol};

use crate::system::Look;

/// State of a connection whose first packet was answered and not acknowledged yet, in `/proc/net` (`tcp_states.h`).
const SYN_RECEIVED: &str = "03";

/// Who has tried in vain to connect to one of `ports`, as far as the kernel still knows.
pub(super) fn half_open(look: &dyn Look, ports: &[u16]) -> Vec<Heard> {
    ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .flat_map(|table| {
            let table = look.read_text(Path::new(table)).ok().flatten().unwrap_or_default();
            peers(&table).into_iter().filter(|(port, _)| ports.contains(port)).collect::<Vec<_>>()
        })
        .map(|(number, address)| Heard {
            port: Port { protocol: Protocol::Tcp, number },
            address,
            said: None,
        })
        .collect()
}

/// Local port and peer of the half-open connections in a table of `/proc/net` (`proc_net_tcp.rst` of the kernel).
fn peers(table: &str) -> Vec<(u16, IpAddr)> {
    let read = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (local, remote, state) = (fields.get(1)?, fields.get(2)?, fields.get(3)?);
        let port = u16::from_str_radix(local.rsplit(':').next()?, 16).ok()?;
        (*state == SYN_RECEIVED).then_some(())?;
        Some((port, address(remote.split(':').next()?)?))
    };
    table.lines().skip(1).filter_map(read).collect()
}

/// 8 or 32 hex digits: words of 32 bits, each in the machine's own order of bytes.
fn address(hex: &str) -> Option<IpAddr> {
    let words: Vec<[u8; 4]> = (0..hex.len())
        .step_by(8)
        .map(|start| Some(u32::from_str_radix(hex.get(start..start + 8)?, 16).ok()?.to_ne_bytes()))
        .collect::<Option<_>>()?;
    match words.as_slice() {
        [word] => Some(Ipv4Addr::from(*word).into()),
        [one, two, three, four] => {
            let bytes: [u8; 16] = [*one, *two, *three, *four].concat().try_into().ok()?;
            Some(Ipv6Addr::from(bytes).to_canonical())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::peers;

    #[test]
    #[cfg(target_endian = "little")]
    fn only_half_open_connections_count() {
        let table =
            "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0B01A8C0:280A 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0
   1: 0B01A8C0:280A 0C01A8C0:D431 03 00000000:00000000 01:00000010 00000001     0        0 0 1 0
   2: 0B01A8C0:280A 0D01A8C0:D432 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0
";
        assert_eq!(peers(table), [(10250, "192.168.1.12".parse().unwrap())]);
        let table =
            "head\n 1: 0000000000000000FFFF00000B01A8C0:192B 0000000000000000FFFF00000C01A8C0:D431 03 0\n";
        assert_eq!(peers(table), [(6443, "192.168.1.12".parse().unwrap())]);
        assert_eq!(peers("head\nnonsense\n 1: x:y z:q 03\n"), []);
    }
}
