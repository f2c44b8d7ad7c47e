//! Small servers in a lab's own network: a router that is asked by `UPnP` and NAT-PMP. It says what the test wants, and lives as long
//! as the test's process.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::sync::{Arc, Mutex};

use crate::harness::Network;

/// A router's outer address; silent where there is none.
type Said = Arc<Mutex<Option<Ipv4Addr>>>;

/// Asked by a search to everybody and by NAT-PMP.
pub(super) struct Router {
    says: Said,
}

/// Where it has its control port: routers choose one.
const CONTROL: u16 = 49_000;

impl Router {
    pub(super) fn start(network: &Network) -> Self {
        let says = Said::default();
        let router = network.address();
        let search = network.inside(|| {
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 1900)).unwrap();
            socket.join_multicast_v4(&Ipv4Addr::new(239, 255, 255, 250), &router).unwrap();
            socket
        });
        std::thread::spawn(move || answer_searches(&search, router));
        let control = network.inside(|| TcpListener::bind((router, CONTROL)).unwrap());
        let own = Arc::clone(&says);
        std::thread::spawn(move || {
            for stream in control.incoming().flatten() {
                serve_control(stream, *own.lock().unwrap());
            }
        });
        let (nat_pmp, own) = (network.udp(5351), Arc::clone(&says));
        std::thread::spawn(move || answer_nat_pmp(&nat_pmp, &own));
        Self { says }
    }

    pub(super) fn say(&self, address: Option<Ipv4Addr>) {
        *self.says.lock().unwrap() = address;
    }
}

/// `UPnP` Device Architecture 1.1, 1.3.3.
fn answer_searches(socket: &UdpSocket, router: Ipv4Addr) {
    let mut question = [0; 2048];
    while let Ok((length, asker)) = socket.recv_from(&mut question) {
        if question[..length].starts_with(b"M-SEARCH ") {
            let answer = format!(
                "HTTP/1.1 200 OK\r\nST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\nUSN: uuid:1\r\n\
                 LOCATION: http://{router}:{CONTROL}/description.xml\r\n\r\n"
            );
            let _ = socket.send_to(answer.as_bytes(), asker);
        }
    }
}

/// The description, and `GetExternalIPAddress`: `0.0.0.0` is what routers say while their line is down.
fn serve_control(stream: TcpStream, says: Option<Ipv4Addr>) {
    let mut reader = BufReader::new(stream);
    let mut request = String::new();
    let (mut line, mut length) = (String::new(), 0);
    while reader.read_line(&mut line).is_ok_and(|count| count > 2) {
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap();
        }
        request.push_str(&line);
        line.clear();
    }
    let mut body = vec![0; length];
    if reader.read_exact(&mut body).is_err() {
        return;
    }
    let service = "urn:schemas-upnp-org:service:WANIPConnection:1";
    let answer = if request.starts_with("GET ") {
        format!(
            "<?xml version=\"1.0\"?><root xmlns=\"urn:schemas-upnp-org:device-1-0\"><device><serviceList><service>\
             <serviceType>{service}</serviceType><controlURL>/control</controlURL></service></serviceList></device></root>"
        )
    } else {
        let address = says.unwrap_or(Ipv4Addr::UNSPECIFIED);
        format!(
            "<?xml version=\"1.0\"?><s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body>\
             <u:GetExternalIPAddressResponse xmlns:u=\"{service}\"><NewExternalIPAddress>{address}</NewExternalIPAddress>\
             </u:GetExternalIPAddressResponse></s:Body></s:Envelope>"
        )
    };
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", answer.len());
    let _ = reader.get_mut().write_all((head + &answer).as_bytes());
}

/// RFC 6886, 3.2.
fn answer_nat_pmp(socket: &UdpSocket, says: &Said) {
    let mut question = [0; 16];
    while let Ok((length, asker)) = socket.recv_from(&mut question) {
        if question[..length] != [0, 0] {
            continue;
        }
        // Result 3: network failure.
        let (result, address) = says.lock().unwrap().map_or((3, [0; 4]), |address| (0, address.octets()));
        let mut answer = vec![0, 128, 0, result, 0, 0, 0, 9];
        answer.extend(address);
        let _ = socket.send_to(&answer, asker);
    }
}
