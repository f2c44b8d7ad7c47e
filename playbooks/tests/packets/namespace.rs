//! Hosts that are no more than a network namespace, each with a thread of its own that lives in it.

use std::io::Read as _;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use nix::sched::{CloneFlags, unshare};

/// Long enough for a handshake between two namespaces on a busy machine, where the first packet may have to be sent again (after a
/// second), and what a packet that was dropped costs.
const HANDSHAKE: Duration = Duration::from_millis(1500);

type Job = Box<dyn FnOnce() + Send>;

/// A host's network.
pub(crate) struct Namespace {
    jobs: Sender<Job>,
    /// The thread in it, by which `ip link set … netns` names it.
    thread: i32,
}

impl Namespace {
    /// A new one, with its loopback up, that forwards.
    pub(crate) fn new() -> Self {
        let (jobs, work) = channel::<Job>();
        let (tell, told) = channel();
        std::thread::spawn(move || {
            let made = unshare(CloneFlags::CLONE_NEWNET);
            tell.send(made.map(|()| nix::unistd::gettid().as_raw())).unwrap();
            for job in work {
                job();
            }
        });
        let thread = told.recv().unwrap().expect("network namespaces need root");
        let made = Self { jobs, thread };
        made.run("ip link set lo up");
        // Nobody else is there who could have an address already: it need not be waited for.
        let addresses = "net.ipv6.conf.default.accept_dad=0";
        for setting in [addresses, "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"] {
            made.run(&format!("sysctl --quiet --write {setting}"));
        }
        made
    }

    /// Does something there.
    pub(crate) fn on<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let (give, take) = channel();
        self.jobs.send(Box::new(move || drop(give.send(work())))).unwrap();
        take.recv().expect("the work there died")
    }

    /// Runs a command there, words with blanks between; gives what it printed.
    pub(crate) fn run(&self, words: &str) -> String {
        self.feed(words, "")
    }

    /// The same with something on its standard input.
    pub(crate) fn feed(&self, words: &str, input: &str) -> String {
        let (words, input) = (words.to_owned(), input.to_owned());
        self.on(move || {
            let mut parts = words.split(' ');
            let mut child = Command::new(parts.next().unwrap())
                .args(parts)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap_or_else(|error| panic!("`{words}`: {error}"));
            std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes()).unwrap();
            let output = child.wait_with_output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "`{words}`: {said}");
            String::from_utf8(output.stdout).unwrap()
        })
    }

    /// A cable between two hosts: a name and addresses at each end.
    pub(crate) fn connect(
        &self,
        (ours, our_addresses): (&str, &[&str]),
        other: &Self,
        (theirs, their_addresses): (&str, &[&str]),
    ) {
        self.run(&format!("ip link add {ours} type veth peer name {theirs} netns {}", other.thread));
        for (host, name, addresses) in [(self, ours, our_addresses), (other, theirs, their_addresses)] {
            for address in addresses {
                host.run(&format!(
                    "ip address add {address} dev {name}{}",
                    if address.contains(':') { " nodad" } else { "" }
                ));
            }
            host.run(&format!("ip link set {name} up"));
        }
    }

    /// Answers on TCP ports, for as long as the test runs, on all addresses.
    pub(crate) fn serve(&self, ports: &[u16]) {
        for port in ports.iter().copied() {
            let listener = self.on(move || {
                TcpListener::bind(SocketAddr::new(std::net::Ipv6Addr::UNSPECIFIED.into(), port)).unwrap()
            });
            std::thread::spawn(move || {
                for stream in listener.incoming() {
                    drop(stream.map(|mut stream| std::io::Write::write_all(&mut stream, b"here")));
                }
            });
        }
    }

    /// Whether something answers there.
    pub(crate) fn reaches(&self, address: &str) -> bool {
        let address: SocketAddr = address.parse().unwrap();
        self.on(move || {
            let Ok(mut stream) = TcpStream::connect_timeout(&address, HANDSHAKE) else { return false };
            stream.set_read_timeout(Some(HANDSHAKE)).unwrap();
            let mut said = [0; 4];
            stream.read_exact(&mut said).is_ok()
        })
    }

    /// Whether a datagram to `address` arrives at `other`, which listens on its port.
    pub(crate) fn sends_to(&self, other: &Self, address: &str) -> bool {
        let address: SocketAddr = address.parse().unwrap();
        let listener = other.on(move || UdpSocket::bind(("0.0.0.0", address.port())).unwrap());
        listener.set_read_timeout(Some(HANDSHAKE)).unwrap();
        self.on(move || {
            let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
            // A filter that rejects is told of here.
            let _ = socket.send_to(b"here", address);
        });
        listener.recv(&mut [0; 4]).is_ok()
    }
}
