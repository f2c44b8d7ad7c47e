//! Probing other hosts' ports, all at once.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use garboard_protocol::mesh::{Answer, Probe, Protocol, Said, Target};
use nix::errno::Errno;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpStream, UdpSocket};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::listeners::read_line;
use super::message::{MOST_BYTES, question, read_answer};

/// UDP may lose a packet: asked again after this, then after twice as long, and so on.
const AGAIN: Duration = Duration::from_millis(100);

/// Asks all targets; the answers are in their order.
pub async fn probe(probe: Probe) -> Vec<Answer> {
    let deadline = Instant::now() + Duration::from_millis(probe.milliseconds);
    let mut tasks = JoinSet::new();
    let mut answers = vec![Answer::Silent; probe.targets.len()];
    for (position, target) in probe.targets.into_iter().enumerate() {
        let (nonce, from) = (probe.nonce.clone(), probe.host.clone());
        tasks.spawn(async move {
            let question = question(&nonce, &Said { from, to: target.host.clone() });
            let asked = match target.port.protocol {
                Protocol::Tcp => timeout_at(deadline, tcp(&target, &nonce, &question)).await,
                Protocol::Udp => timeout_at(deadline, udp(&target, &nonce, &question)).await,
            };
            let answer = match asked {
                Ok(Ok(answer)) => answer,
                Ok(Err(error)) => failed(&error),
                Err(_) => Answer::Silent,
            };
            (position, answer)
        });
    }
    while let Some(joined) = tasks.join_next().await {
        if let Ok((position, answer)) = joined {
            answers[position] = answer;
        }
    }
    answers
}

async fn tcp(target: &Target, nonce: &str, question: &[u8]) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(SocketAddr::new(target.address, target.port.number)).await?;
    if !target.is_ours {
        return Ok(Answer::Reached);
    }
    stream.write_all(question).await?;
    let line = read_line(&mut stream).await?;
    Ok(judged(&line, target, nonce))
}

async fn udp(target: &Target, nonce: &str, question: &[u8]) -> io::Result<Answer> {
    let any: IpAddr = match target.address {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0)).await?;
    // Connected: only what comes from there is received, ICMP messages included.
    socket.connect(SocketAddr::new(target.address, target.port.number)).await?;
    let mut buffer = [0; MOST_BYTES];
    let mut wait = AGAIN;
    loop {
        socket.send(question).await?;
        if let Ok(received) = timeout_at(Instant::now() + wait, socket.recv(&mut buffer)).await {
            return Ok(judged(&buffer[..received?], target, nonce));
        }
        wait *= 2;
    }
}

fn judged(line: &[u8], target: &Target, nonce: &str) -> Answer {
    match read_answer(line, nonce) {
        Some(host) if host == target.host => Answer::Reached,
        host => Answer::Other { host },
    }
}

/// `connect(2)` and `send(2)` say what came back: a reset or "port unreachable" is `ECONNREFUSED`, the other ICMP messages
/// are `EHOSTUNREACH` or `ENETUNREACH` (`icmp(7)`); `EPERM` is this host's own firewall.
fn failed(error: &io::Error) -> Answer {
    let errno = error.raw_os_error().map_or(Errno::UnknownErrno, Errno::from_raw);
    match errno {
        Errno::ECONNREFUSED | Errno::ECONNRESET | Errno::EHOSTUNREACH | Errno::ENETUNREACH => {
            Answer::Refused { why: errno.desc().to_owned() }
        }
        Errno::EPERM | Errno::EACCES => Answer::Withheld,
        Errno::ETIMEDOUT => Answer::Silent,
        _ => Answer::Failed { why: error.to_string() },
    }
}
