//! A service that tells those who ask with which address they came, over DNS; and lies where the test wants it to.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::Network;

/// A name server that answers every question with one address: the asker's own, unless it was told another one. It lives as long as
/// the test's process.
pub(crate) struct Echo {
    says: Arc<Mutex<Option<Ipv4Addr>>>,
    count: Arc<AtomicUsize>,
}

impl Echo {
    pub(crate) fn start(network: &Network, port: u16) -> Self {
        let (socket, echo) = (network.udp(port), Self { says: Arc::default(), count: Arc::default() });
        let (says, count) = (Arc::clone(&echo.says), Arc::clone(&echo.count));
        std::thread::spawn(move || {
            let mut question = [0; 1024];
            while let Ok((length, asker)) = socket.recv_from(&mut question) {
                count.fetch_add(1, Ordering::SeqCst);
                let IpAddr::V4(own) = asker.ip() else { continue };
                let told = says.lock().unwrap().unwrap_or(own);
                let _ = socket.send_to(&answer(&question[..length], told), asker);
            }
        });
        echo
    }

    /// It says this to everybody.
    pub(crate) fn say(&self, address: Ipv4Addr) {
        *self.says.lock().unwrap() = Some(address);
    }

    /// It says what it sees.
    pub(crate) fn be_honest(&self) {
        *self.says.lock().unwrap() = None;
    }

    /// How often it was asked.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }
}

/// A response (RFC 1035, 4.1) with the question as it came and one record of type A.
fn answer(question: &[u8], address: Ipv4Addr) -> Vec<u8> {
    let mut end = 12;
    while question[end] != 0 {
        end += usize::from(question[end]) + 1;
    }
    // The root label, type and class.
    end += 5;
    let mut message = question[..2].to_vec();
    message.extend([0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
    message.extend(&question[12..end]);
    message.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
    message.extend(address.octets());
    message
}
