//! Ports that are open for a few seconds.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use garboard_protocol::mesh::{Heard, Listen, ListenPort, Listener, ListenerState, Port, Protocol};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

use super::half_open::half_open;
use super::hearing::Hearing;
use super::message::{MOST_BYTES, answer, read_question};
use crate::system::Look;

/// Connections of one port that are answered at a time; a further one is closed at once.
const MOST_CONNECTIONS: usize = 64;
/// Visitors that are remembered; more are no mesh.
const MOST_HEARD: usize = 8192;
/// Longest a connection may take to ask, and to close.
const PATIENCE: Duration = Duration::from_secs(3);

/// Open ports. Dropped, all of them are closed.
pub struct Listeners {
    tasks: JoinSet<()>,
    /// TCP ports, whose half-open connections the kernel lists.
    tcp: Vec<u16>,
    inner: Arc<Inner>,
}

struct Inner {
    nonce: String,
    host: String,
    heard: Mutex<BTreeSet<Heard>>,
}

impl Listeners {
    /// Opens them, at most for `listen.seconds`. Who serves a port already is left to the caller to find out.
    pub fn open(listen: &Listen) -> (Self, Vec<Listener>) {
        let deadline = Instant::now() + Duration::from_secs(listen.seconds);
        let inner = Arc::new(Inner {
            nonce: listen.nonce.clone(),
            host: listen.host.clone(),
            heard: Mutex::default(),
        });
        let mut listeners = Self { tasks: JoinSet::new(), tcp: Vec::new(), inner };
        let states =
            listen.ports.iter().map(|port| listeners.open_port(listen.address, *port, deadline)).collect();
        (listeners, states)
    }

    fn open_port(&mut self, address: IpAddr, wanted: ListenPort, deadline: Instant) -> Listener {
        let port = wanted.port;
        let at = SocketAddr::new(address, port.number);
        let opened = match port.protocol {
            _ if wanted.in_place => Ok(false),
            Protocol::Tcp => {
                listen_tcp(at).map(|socket| self.serve(deadline, tcp(socket, self.inner.clone())))
            }
            Protocol::Udp => {
                listen_udp(at).map(|socket| self.serve(deadline, udp(socket, port, self.inner.clone())))
            }
        };
        let (state, is_taken) = match opened {
            Ok(true) => (ListenerState::Open, false),
            Ok(false) => (ListenerState::Vacant, true),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                (ListenerState::Served { process: String::new(), pid: 0 }, true)
            }
            Err(error) => (ListenerState::Failed { why: error.to_string() }, false),
        };
        let hears = match port.protocol {
            Protocol::Tcp => {
                self.tcp.push(port.number);
                true
            }
            Protocol::Udp if is_taken => match Hearing::open(address, port.number) {
                Ok(hearing) => self.serve(deadline, hear(hearing, port, self.inner.clone())),
                // A host that may not hear is no failure of the mesh: the client says that this was not probed.
                Err(_) => false,
            },
            Protocol::Udp => state == ListenerState::Open,
        };
        Listener { port, state, hears }
    }

    fn serve(&mut self, deadline: Instant, serving: impl Future<Output = ()> + Send + 'static) -> bool {
        self.tasks.spawn(async move {
            // At the deadline the socket is dropped with what serves it.
            let _ = timeout_at(deadline, serving).await;
        });
        true
    }

    /// Whoever came to a TCP port and got no further than the first packet; reads `/proc`.
    pub fn half_open(look: &dyn Look, ports: &[u16]) -> Vec<Heard> {
        half_open(look, ports)
    }

    /// The TCP ports, open or served by others.
    pub fn tcp_ports(&self) -> Vec<u16> {
        self.tcp.clone()
    }

    /// Closes all ports; they are closed when this returns. Gives whoever was heard.
    pub async fn close(mut self) -> Vec<Heard> {
        self.tasks.shutdown().await;
        let mut heard = self.inner.heard.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *heard).into_iter().collect()
    }
}

impl Inner {
    /// Notes a visitor of this mesh; gives what to answer.
    fn answer(&self, port: Port, address: IpAddr, line: &[u8]) -> Option<Vec<u8>> {
        let said = read_question(line, &self.nonce)?;
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        if heard.len() < MOST_HEARD {
            heard.insert(Heard { port, address, said: Some(said) });
        }
        Some(answer(&self.nonce, &self.host))
    }
}

fn listen_tcp(at: SocketAddr) -> io::Result<TcpListener> {
    let listener = std::net::TcpListener::bind(at)?;
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

fn listen_udp(at: SocketAddr) -> io::Result<UdpSocket> {
    let socket = std::net::UdpSocket::bind(at)?;
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket)
}

async fn tcp(listener: TcpListener, inner: Arc<Inner>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) if connections.len() < MOST_CONNECTIONS => {
                    let port = listener.local_addr().map_or(0, |at| at.port());
                    let port = Port { protocol: Protocol::Tcp, number: port };
                    connections.spawn(talk(stream, port, peer.ip(), inner.clone()));
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                // Out of descriptors: whoever comes now is answered by nobody, and the client says so.
                Err(_) => return,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// One connection: question, answer, and the other side's end, so that no closed port of ours waits here for late packets.
async fn talk(mut stream: TcpStream, port: Port, address: IpAddr, inner: Arc<Inner>) {
    let talking = async {
        let line = read_line(&mut stream).await.ok()?;
        let answer = inner.answer(port, address, &line)?;
        stream.write_all(&answer).await.ok()?;
        stream.read(&mut [0]).await.ok()
    };
    // Who says nothing is none of ours.
    let _ = timeout(PATIENCE, talking).await;
}

/// One line, or what came before the end; at most [`MOST_BYTES`].
pub(super) async fn read_line(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut line = Vec::with_capacity(MOST_BYTES);
    while !line.ends_with(b"\n") && line.len() < MOST_BYTES {
        let mut byte = [0];
        if stream.read(&mut byte).await? == 0 {
            break;
        }
        line.push(byte[0]);
    }
    Ok(line)
}

async fn udp(socket: UdpSocket, port: Port, inner: Arc<Inner>) {
    let mut buffer = [0; MOST_BYTES];
    loop {
        let Ok((count, peer)) = socket.recv_from(&mut buffer).await else { return };
        if let Some(answer) = inner.answer(port, peer.ip(), &buffer[..count]) {
            // An answer that is not let out is one that does not arrive: the other side says so.
            let _ = socket.send_to(&answer, peer).await;
        }
    }
}

async fn hear(hearing: Hearing, port: Port, inner: Arc<Inner>) {
    while let Ok(packet) = hearing.next().await {
        if let Some(answer) = inner.answer(port, (*packet.from.ip()).into(), &packet.content) {
            let _ = hearing.answer(packet.from, &answer).await;
        }
    }
}
