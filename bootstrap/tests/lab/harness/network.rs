//! A place in a lab's network for what the test itself runs there.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::process::{Child, Command};

use nix::sched::{CloneFlags, setns};

use super::TestLab;

/// An address in a network namespace.
#[derive(Clone)]
pub(crate) struct Network {
    namespace: String,
    address: Ipv4Addr,
}

impl Network {
    /// The lab's network as its bridge sees it: the default gateway of the hosts, where no home is around them.
    pub(crate) fn of(lab: &TestLab) -> Self {
        let [a, b, c, _] = lab.lab().host("w1").unwrap().address.octets();
        Self { namespace: format!("/run/netns/garboard-{}", lab.name()), address: Ipv4Addr::new(a, b, c, 1) }
    }

    /// The same as a machine with this address in it sees it.
    pub(crate) fn at(self, address: Ipv4Addr) -> Self {
        Self { address, ..self }
    }

    /// A machine on the internet behind a home's router.
    pub(crate) fn on_the_internet(lab: &TestLab, address: Ipv4Addr) -> Self {
        Self { namespace: format!("/run/netns/garboard-{}.internet", lab.name()), address }
    }

    /// Its address.
    pub(crate) fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// Does something there; sockets and processes that come of it stay there.
    pub(crate) fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                setns(fs_err::File::open(&self.namespace).unwrap(), CloneFlags::CLONE_NEWNET).unwrap();
                work()
            });
            thread.join().unwrap()
        })
    }

    /// Starts a program there.
    pub(crate) fn spawn(&self, mut command: Command) -> Child {
        self.inside(move || command.spawn().unwrap())
    }

    /// A socket for connections.
    pub(crate) fn tcp(&self, port: u16) -> TcpListener {
        self.inside(|| TcpListener::bind((self.address, port)).unwrap())
    }

    /// A socket for datagrams.
    pub(crate) fn udp(&self, port: u16) -> UdpSocket {
        self.inside(|| UdpSocket::bind((self.address, port)).unwrap())
    }
}
