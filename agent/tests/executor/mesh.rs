//! The mesh over real sockets on loopback: what is open, what is probed, and that nothing stays open.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::time::Duration;

use garboard_protocol::event::{Body, FailureKind};
use garboard_protocol::limits::{MESH_PORTS, MESH_SECONDS, MESH_TARGETS};
use garboard_protocol::mesh::{
    Answer, Heard, Listen, ListenPort, Listener, ListenerState, Port, Probe, Protocol, Said, Target,
};
use garboard_protocol::request;
use tokio::net::TcpStream;

use crate::client::{Client, Lab};

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const ALL: [Protocol; 2] = [Protocol::Tcp, Protocol::Udp];

/// A port nobody has.
fn free(protocol: Protocol) -> Port {
    let at = (LOOPBACK, 0);
    let number = match protocol {
        Protocol::Tcp => TcpListener::bind(at).unwrap().local_addr(),
        Protocol::Udp => UdpSocket::bind(at).unwrap().local_addr(),
    };
    Port { protocol, number: number.unwrap().port() }
}

fn listen(ports: &[Port]) -> Listen {
    Listen {
        nonce: "n1".into(),
        host: "w1".into(),
        address: LOOPBACK,
        ports: ports.iter().map(|port| ListenPort { port: *port, in_place: false }).collect(),
        seconds: 30,
    }
}

fn target(port: Port) -> Target {
    Target { host: "w1".into(), address: LOOPBACK, port, is_ours: true }
}

async fn listening(client: &mut Client, listen: Listen) -> Vec<Listener> {
    client.send(20, request::Body::MeshListen(listen)).await;
    match client.end_of(20).await {
        Body::MeshListening { listeners } => listeners,
        other => panic!("{other:?}"),
    }
}

async fn probed(client: &mut Client, nonce: &str, targets: Vec<Target>) -> Vec<Answer> {
    let probe = Probe { nonce: nonce.into(), host: "cp1".into(), targets, milliseconds: 400 };
    client.send(21, request::Body::MeshProbe(probe)).await;
    match client.end_of(21).await {
        Body::MeshProbed { answers } => answers,
        other => panic!("{other:?}"),
    }
}

async fn closed(client: &mut Client) -> Vec<Heard> {
    client.send(22, request::Body::MeshClose).await;
    match client.end_of(22).await {
        Body::MeshClosed { heard, .. } => heard,
        other => panic!("{other:?}"),
    }
}

/// Whether nobody has the port now.
fn is_free(port: Port) -> bool {
    match port.protocol {
        Protocol::Tcp => TcpListener::bind((LOOPBACK, port.number)).is_ok(),
        Protocol::Udp => UdpSocket::bind((LOOPBACK, port.number)).is_ok(),
    }
}

/// Waits until nobody has any of the ports.
async fn freed(ports: &[Port]) {
    let mut again = tokio::time::interval(Duration::from_millis(5));
    let waiting = async {
        while !ports.iter().all(|port| is_free(*port)) {
            again.tick().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), waiting).await.expect("a port stays open");
}

#[tokio::test]
async fn an_open_port_answers_by_name_and_remembers_who_came() {
    let lab = Lab::new();
    let mut client = lab.client(None).await;
    let ports = ALL.map(free);
    let listeners = listening(&mut client, listen(&ports)).await;
    assert!(listeners.iter().all(|found| found.state == ListenerState::Open && found.hears), "{listeners:?}");
    assert_eq!(probed(&mut client, "n1", ports.map(target).into()).await, [Answer::Reached, Answer::Reached]);
    let heard = closed(&mut client).await;
    let said = Some(Said { from: "cp1".into(), to: "w1".into() });
    assert_eq!(heard, ports.map(|port| Heard { port, address: LOOPBACK, said: said.clone() }));
    assert!(ports.into_iter().all(is_free), "closed, but not free");
}

#[tokio::test]
async fn another_host_under_the_address_is_told_by_its_name() {
    let lab = Lab::new();
    let mut client = lab.client(None).await;
    let ports = ALL.map(free);
    listening(&mut client, listen(&ports)).await;
    let wanted = ports.map(|port| Target { host: "w2".into(), ..target(port) });
    let other = Answer::Other { host: Some("w1".into()) };
    assert_eq!(probed(&mut client, "n1", wanted.into()).await, [other.clone(), other]);
    // One who does not know the nonce learns nothing: a TCP connection is closed, a packet not answered.
    let strange = probed(&mut client, "n2", ports.map(target).into()).await;
    assert_eq!(strange, [Answer::Other { host: None }, Answer::Silent]);
    let heard = closed(&mut client).await;
    assert!(heard.iter().all(|heard| heard.said.as_ref().unwrap().to == "w2"), "{heard:?}");
    assert_eq!(heard.len(), 2, "{heard:?}");
}

#[tokio::test]
async fn silence_is_not_taken_for_refusal() {
    let lab = Lab::new();
    let mut client = lab.client(None).await;
    let (mute_tcp, mute_udp) =
        (TcpListener::bind((LOOPBACK, 0)).unwrap(), UdpSocket::bind((LOOPBACK, 0)).unwrap());
    let port = |protocol, at: std::io::Result<SocketAddr>| Port { protocol, number: at.unwrap().port() };
    let mute = [port(Protocol::Tcp, mute_tcp.local_addr()), port(Protocol::Udp, mute_udp.local_addr())];
    let answers =
        probed(&mut client, "n1", mute.into_iter().chain(ALL.map(free)).map(target).collect()).await;
    assert_eq!(answers[..2], [Answer::Silent, Answer::Silent]);
    let refused = Answer::Refused { why: "Connection refused".into() };
    assert_eq!(answers[2..], [refused.clone(), refused]);
    // For a program of others a connection that comes about is enough.
    let theirs = vec![Target { is_ours: false, ..target(mute[0]) }];
    assert_eq!(probed(&mut client, "n1", theirs).await, [Answer::Reached]);
}

#[tokio::test]
async fn a_port_that_is_served_is_left_alone_and_probed_in_place() {
    let lab = Lab::new();
    let mut client = lab.client(None).await;
    let ports = ALL.map(free);
    let _tcp = TcpListener::bind((LOOPBACK, ports[0].number)).unwrap();
    let udp = UdpSocket::bind((LOOPBACK, ports[1].number)).unwrap();
    let listeners = listening(&mut client, listen(&ports)).await;
    for found in &listeners {
        let ListenerState::Served { process, pid } = &found.state else { panic!("{found:?}") };
        assert_eq!(*pid, std::process::id());
        assert!(!process.is_empty());
    }
    let answers = probed(&mut client, "n1", vec![target(ports[1])]).await;
    let heard = closed(&mut client).await;
    if listeners[1].hears {
        assert_eq!(answers, [Answer::Reached]);
        assert_eq!(heard.len(), 1, "{heard:?}");
        assert_eq!(heard[0].port, ports[1]);
    } else {
        assert!(!nix::unistd::geteuid().is_root(), "root may hear");
        assert_eq!((answers, heard), (vec![Answer::Silent], Vec::new()));
    }
    // Whoever holds it has got the packet all the same.
    udp.set_nonblocking(true).unwrap();
    assert!(udp.recv(&mut [0; 256]).unwrap() > 0);
}

#[tokio::test]
async fn a_port_whose_holder_has_stopped_meanwhile_is_told() {
    let lab = Lab::new();
    let mut client = lab.client(None).await;
    let ports = ALL.map(free);
    let holder = TcpListener::bind((LOOPBACK, ports[0].number)).unwrap();
    listening(&mut client, listen(&ports)).await;
    drop(holder);
    client.send(25, request::Body::MeshClose).await;
    let Body::MeshClosed { served, .. } = client.end_of(25).await else { panic!("not closed") };
    let [Listener { port, state: ListenerState::Vacant, .. }] = served.as_slice() else {
        panic!("{served:?}")
    };
    assert_eq!(*port, ports[0]);
}

#[tokio::test]
async fn a_port_to_be_left_in_place_is_not_opened() {
    let lab = Lab::new();
    let mut client = lab.client(None).await;
    let ports = ALL.map(free);
    let mut wanted = listen(&ports);
    wanted.ports.iter_mut().for_each(|port| port.in_place = true);
    let listeners = listening(&mut client, wanted).await;
    assert!(listeners.iter().all(|found| found.state == ListenerState::Vacant), "{listeners:?}");
    assert!(ports.into_iter().all(is_free));
    // Nobody is there to answer; but where packets are heard, this one was.
    if listeners[1].hears {
        probed(&mut client, "n1", vec![target(ports[1])]).await;
        assert_eq!(closed(&mut client).await.len(), 1);
    }
}

#[tokio::test]
async fn ports_are_closed_when_the_client_is_gone() {
    let lab = Lab::new();
    let mut client = lab.client(None).await;
    let ports = ALL.map(free);
    listening(&mut client, listen(&ports)).await;
    assert!(!ports.into_iter().any(is_free));
    drop(client);
    freed(&ports).await;
}

#[tokio::test]
async fn ports_are_closed_when_another_client_takes_over() {
    let lab = Lab::new();
    let mut client = lab.client(None).await;
    let ports = ALL.map(free);
    listening(&mut client, listen(&ports)).await;
    let mut second = lab.client(None).await;
    freed(&ports).await;
    let listeners = listening(&mut second, listen(&ports)).await;
    assert!(listeners.iter().all(|found| found.state == ListenerState::Open), "{listeners:?}");
}

#[tokio::test]
async fn ports_are_closed_when_their_time_is_over() {
    let lab = Lab::new();
    let mut client = lab.client(None).await;
    let ports = ALL.map(free);
    let begun = std::time::Instant::now();
    listening(&mut client, Listen { seconds: 1, ..listen(&ports) }).await;
    freed(&ports).await;
    assert!(begun.elapsed() >= Duration::from_secs(1), "too early");
}

#[tokio::test]
async fn ports_are_closed_when_the_run_is_cancelled_and_the_probe_is_answered() {
    let lab = Lab::new();
    let mut client = lab.client(None).await;
    let ports = ALL.map(free);
    listening(&mut client, listen(&ports)).await;
    let mute = UdpSocket::bind((LOOPBACK, 0)).unwrap();
    let port = Port { protocol: Protocol::Udp, number: mute.local_addr().unwrap().port() };
    let probe =
        Probe { nonce: "n1".into(), host: "cp1".into(), targets: vec![target(port)], milliseconds: 10_000 };
    client.send(21, request::Body::MeshProbe(probe)).await;
    client.send(23, request::Body::Cancel).await;
    let Body::Failed(failure) = client.end_of(21).await else { panic!("the probe went on") };
    assert_eq!(failure.kind, FailureKind::Cancelled);
    assert!(matches!(client.end_of(23).await, Body::Done));
    freed(&ports).await;
}

#[tokio::test]
async fn ports_are_closed_when_the_run_ends() {
    let lab = Lab::new();
    let mut client = lab.client(None).await;
    let ports = ALL.map(free);
    listening(&mut client, listen(&ports)).await;
    // A visitor that stays.
    let _visitor = TcpStream::connect((LOOPBACK, ports[0].number)).await.unwrap();
    client.send(24, request::Body::End).await;
    assert!(matches!(client.end_of(24).await, Body::Done));
    assert!(ports.into_iter().all(is_free), "said to be done with a port open");
    lab.executor.await.unwrap().unwrap();
}

#[tokio::test]
async fn more_than_a_mesh_needs_is_refused() {
    let lab = Lab::new();
    let mut client = lab.client(None).await;
    let port = free(Protocol::Tcp);
    let too_much = [
        request::Body::MeshListen(listen(&[port; MESH_PORTS + 1])),
        request::Body::MeshListen(Listen { seconds: MESH_SECONDS + 1, ..listen(&[port]) }),
        request::Body::MeshProbe(Probe {
            nonce: "n1".into(),
            host: "cp1".into(),
            targets: vec![target(port); MESH_TARGETS + 1],
            milliseconds: 1,
        }),
    ];
    for (id, body) in (30..).zip(too_much) {
        client.send(id, body).await;
        let Body::Failed(failure) = client.end_of(id).await else { panic!("request {id} was taken") };
        assert_eq!(failure.kind, FailureKind::Refused);
    }
    assert!(is_free(port));
}
