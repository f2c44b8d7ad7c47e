//! Hearing what comes to a UDP port that somebody else holds: a raw socket gets a copy of each packet that has passed the
//! host's firewall (`raw(7)`). So the port of a VXLAN device, which is the kernel's own, is probed in place.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};
use std::os::fd::AsRawFd as _;

use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, SockaddrIn, bind, socket};
use tokio::net::UdpSocket;

/// Bytes of a UDP header (RFC 768).
const HEAD: usize = 8;

/// A raw socket for UDP.
pub(super) struct Hearing {
    /// What is sent and received through it begins at the UDP and at the IP header; the calls are the same.
    socket: UdpSocket,
    port: u16,
}

/// One packet.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Packet {
    pub(super) from: SocketAddrV4,
    pub(super) content: Vec<u8>,
}

impl Hearing {
    /// Hears what comes to `port` at `address`. Needs `CAP_NET_RAW`.
    pub(super) fn open(address: IpAddr, port: u16) -> io::Result<Self> {
        let IpAddr::V4(address) = address else { return Err(io::ErrorKind::Unsupported.into()) };
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let socket = socket(AddressFamily::Inet, SockType::Raw, flags, SockProtocol::Udp)?;
        bind(socket.as_raw_fd(), &SockaddrIn::from(SocketAddrV4::new(address, 0)))?;
        Ok(Self { socket: UdpSocket::from_std(socket.into())?, port })
    }

    /// The next packet that comes to the port.
    pub(super) async fn next(&self) -> io::Result<Packet> {
        let mut buffer = vec![0; 4096];
        loop {
            let count = self.socket.recv(&mut buffer).await?;
            if let Some(packet) = read(&buffer[..count], self.port) {
                return Ok(packet);
            }
        }
    }

    /// Answers from the port itself, so that it looks like any other answer on its way back.
    pub(super) async fn answer(&self, to: SocketAddrV4, content: &[u8]) -> io::Result<()> {
        let packet = packet(self.port, to.port(), content).ok_or(io::ErrorKind::InvalidInput)?;
        self.socket.send_to(&packet, to).await.map(drop)
    }
}

/// UDP header and content. The checksum is left out, which IPv4 allows.
fn packet(from: u16, to: u16, content: &[u8]) -> Option<Vec<u8>> {
    let length = u16::try_from(HEAD + content.len()).ok()?;
    let mut packet = Vec::with_capacity(HEAD + content.len());
    for field in [from, to, length, 0] {
        packet.extend_from_slice(&field.to_be_bytes());
    }
    packet.extend_from_slice(content);
    Some(packet)
}

/// Takes an IPv4 packet with UDP apart, if it is one to `port`.
fn read(bytes: &[u8], port: u16) -> Option<Packet> {
    let words = usize::from(bytes.first()? & 0x0f);
    let source: [u8; 4] = bytes.get(12..16)?.try_into().ok()?;
    let udp = bytes.get(words * 4..)?;
    let field = |at: usize| Some(u16::from_be_bytes(udp.get(at..at + 2)?.try_into().ok()?));
    (field(2)? == port).then_some(())?;
    let content = udp.get(HEAD..usize::from(field(4)?))?.to_vec();
    Some(Packet { from: SocketAddrV4::new(Ipv4Addr::from(source), field(0)?), content })
}

#[cfg(test)]
mod tests {
    use super::{Packet, packet, read};

    fn ip(udp: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0, 192, 168, 1, 12, 192, 168, 1, 11];
        bytes.extend_from_slice(udp);
        bytes
    }

    #[test]
    fn a_packet_to_the_port_is_taken_apart_and_no_other() {
        let bytes = ip(&packet(40_000, 8472, b"hello").unwrap());
        let expected = Packet { from: "192.168.1.12:40000".parse().unwrap(), content: b"hello".to_vec() };
        assert_eq!(read(&bytes, 8472), Some(expected));
        assert_eq!(read(&bytes, 8473), None);
        for cut in 0..bytes.len() {
            assert_eq!(read(&bytes[..cut], 8472), None, "cut at {cut}");
        }
        // Lengths that lie.
        let mut lying = bytes;
        lying[24..26].copy_from_slice(&3_u16.to_be_bytes());
        assert_eq!(read(&lying, 8472), None);
        lying[0] = 0x4f;
        assert_eq!(read(&lying, 8472), None);
    }
}
