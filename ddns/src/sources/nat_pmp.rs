//! NAT-PMP (RFC 6886): two bytes to the gateway, twelve back.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use async_trait::async_trait;
use tokio::net::UdpSocket;
use tokio::time::timeout;

use super::{NO_ADDRESS, ROUTER, Source, route};
use crate::address::Family;

const PORT: u16 = 5351;
/// The RFC doubles from a quarter of a second; a router that is there answers the first within milliseconds.
const TRIES: [Duration; 3] = [Duration::from_millis(250), Duration::from_millis(500), Duration::from_secs(1)];

/// The default gateway, or one the user named.
pub(super) struct NatPmp {
    gateway: Option<SocketAddr>,
}

impl NatPmp {
    pub(super) fn new(gateway: Option<SocketAddr>) -> Self {
        Self { gateway }
    }
}

#[async_trait]
impl Source for NatPmp {
    fn operator(&self) -> &'static str {
        ROUTER
    }

    fn speaks(&self, family: Family) -> bool {
        family == Family::Ipv4
    }

    async fn look(&self, _family: Family, _from: Option<IpAddr>) -> Result<IpAddr, String> {
        let gateway = if let Some(gateway) = self.gateway {
            gateway
        } else {
            let table = fs_err::read_to_string("/proc/net/route").map_err(|error| error.to_string())?;
            let gateway = route::gateway(&table).ok_or("there is no IPv4 default route")?;
            SocketAddr::new(gateway.into(), PORT)
        };
        ask(gateway).await
    }
}

async fn ask(gateway: SocketAddr) -> Result<IpAddr, String> {
    let failed = |error: std::io::Error| format!("NAT-PMP at {gateway}: {error}");
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await.map_err(failed)?;
    // Connected: the kernel lets nobody else answer.
    socket.connect(gateway).await.map_err(failed)?;
    let mut answer = [0; 16];
    for patience in TRIES {
        socket.send(&[0, 0]).await.map_err(failed)?;
        if let Ok(length) = timeout(patience, socket.recv(&mut answer)).await {
            return read(&answer[..length.map_err(failed)?])
                .map_err(|problem| format!("NAT-PMP at {gateway}: {problem}"));
        }
    }
    Err(format!("no NAT-PMP at {gateway}: it did not answer"))
}

/// Version 0, operation 128, result, seconds of uptime, address.
fn read(answer: &[u8]) -> Result<IpAddr, String> {
    let [0, 128, high, low, _, _, _, _, a, b, c, d] = *answer else {
        return Err("the answer is not one of NAT-PMP's".to_owned());
    };
    match u16::from_be_bytes([high, low]) {
        0 if [a, b, c, d] != [0; 4] => Ok(Ipv4Addr::new(a, b, c, d).into()),
        0 | 3 => Err(format!("{NO_ADDRESS} now")),
        2 => Err("the router refuses (NAT-PMP is switched off there)".to_owned()),
        code => Err(format!("result code {code}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twelve_bytes_are_an_address_or_say_why_not() {
        assert_eq!(read(&[0, 128, 0, 0, 0, 0, 0, 9, 84, 20, 10, 1]), Ok("84.20.10.1".parse().unwrap()));
        assert!(read(&[0, 128, 0, 3, 0, 0, 0, 9, 0, 0, 0, 0]).unwrap_err().contains("no outer address"));
        assert!(read(&[0, 128, 0, 2, 0, 0, 0, 9, 0, 0, 0, 0]).unwrap_err().contains("refuses"));
        assert!(read(&[2, 128, 0, 0]).is_err());
        assert!(read(&[]).is_err());
    }
}
