//! `UPnP` Internet Gateway Device, versions 1 and 2: a search by multicast, the device's description, one SOAP question.
//!
//! Anybody in the LAN can answer a search. What answers must describe itself at its own address, and its word is one voice
//! of two; nothing is ever opened or changed there.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::Url;
use tokio::net::UdpSocket;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};

use super::{ROUTER, Source};
use crate::address::Family;
use crate::http::{self, Clients};

/// `UPnP` Device Architecture, 1.1.2.
const MULTICAST: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(239, 255, 255, 250)), 1900);
/// Longer than `MX`, the time devices are told to spread their answers over.
const SEARCH: Duration = Duration::from_secs(3);
/// A LAN without such a router is not searched again before.
const ABSENT: Duration = Duration::from_mins(10);
const DEVICES: [&str; 2] = [
    "urn:schemas-upnp-org:device:InternetGatewayDevice:1",
    "urn:schemas-upnp-org:device:InternetGatewayDevice:2",
];
/// Those that know the outer address, the better first.
const SERVICES: [&str; 3] = [
    "urn:schemas-upnp-org:service:WANIPConnection:2",
    "urn:schemas-upnp-org:service:WANIPConnection:1",
    "urn:schemas-upnp-org:service:WANPPPConnection:1",
];

/// The router, as far as it is known.
pub(super) struct Upnp {
    search: SocketAddr,
    clients: Arc<Clients>,
    known: Mutex<Known>,
}

enum Known {
    Nothing,
    Absent { until: Instant },
    Service(Service),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Service {
    kind: &'static str,
    control: Url,
}

impl Upnp {
    pub(super) fn new(search: Option<SocketAddr>, clients: Arc<Clients>) -> Self {
        Self { search: search.unwrap_or(MULTICAST), clients, known: Mutex::new(Known::Nothing) }
    }
}

#[async_trait]
impl Source for Upnp {
    fn operator(&self) -> &'static str {
        ROUTER
    }

    fn speaks(&self, family: Family) -> bool {
        family == Family::Ipv4
    }

    async fn look(&self, _family: Family, _from: Option<IpAddr>) -> Result<IpAddr, String> {
        let mut known = self.known.lock().await;
        if let Known::Service(service) = &*known
            && let Ok(address) = external_address(&self.clients, service).await
        {
            return Ok(address);
        }
        if let Known::Absent { until } = *known
            && Instant::now() < until
        {
            return Err("no UPnP router answered the last search".to_owned());
        }
        *known = Known::Absent { until: Instant::now() + ABSENT };
        let service = find(&self.clients, self.search).await?;
        let address = external_address(&self.clients, &service).await;
        // A router that was found is asked again at the next round, whatever it said.
        *known = Known::Service(service);
        address
    }
}

/// Searches, and reads the description of the first device that has what we need.
async fn find(clients: &Clients, search: SocketAddr) -> Result<Service, String> {
    let failed = |error: std::io::Error| format!("cannot search for a UPnP router: {error}");
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await.map_err(failed)?;
    for device in DEVICES {
        let message = format!(
            "M-SEARCH * HTTP/1.1\r\nHOST: {MULTICAST}\r\nMAN: \"ssdp:discover\"\r\nMX: 2\r\nST: {device}\r\n\r\n"
        );
        socket.send_to(message.as_bytes(), search).await.map_err(failed)?;
    }
    let deadline = Instant::now() + SEARCH;
    let mut buffer = [0; 2048];
    let mut problem = "no UPnP router answered the search".to_owned();
    while let Ok(received) = timeout_at(deadline, socket.recv_from(&mut buffer)).await {
        let (length, sender) = received.map_err(failed)?;
        let text = String::from_utf8_lossy(&buffer[..length]);
        let Some(location) = location(&text, sender.ip()) else { continue };
        match description(clients, &location).await {
            Ok(service) => return Ok(service),
            Err(why) => problem = format!("the UPnP router at {}: {why}", sender.ip()),
        }
    }
    Err(problem)
}

/// Where an answer to the search says its description is, if that is at the answerer's own address.
fn location(answer: &str, sender: IpAddr) -> Option<Url> {
    let mut lines = answer.lines();
    if !lines.next()?.starts_with("HTTP/1.1 200") {
        return None;
    }
    let headers = lines.filter_map(|line| line.split_once(':'));
    let value = headers.into_iter().find(|(name, _)| name.trim().eq_ignore_ascii_case("location"))?.1;
    own(value.trim().parse().ok()?, sender)
}

fn own(url: Url, sender: IpAddr) -> Option<Url> {
    let host: IpAddr = url.host_str()?.parse().ok()?;
    (url.scheme() == "http" && host == sender).then_some(url)
}

async fn description(clients: &Clients, location: &Url) -> Result<Service, String> {
    let client = clients.get(Some(Family::Ipv4), None).map_err(|error| error.to_string())?;
    let reply = http::send(client.get(location.clone())).await.map_err(|error| error.to_string())?;
    if reply.status != 200 {
        return Err(format!("HTTP status {} for its description", reply.status));
    }
    service(&reply.body, location).ok_or_else(|| "its description names no WAN connection".to_owned())
}

/// The service of a description that knows the outer address.
fn service(description: &str, location: &Url) -> Option<Service> {
    let document = roxmltree::Document::parse(description).ok()?;
    let text = |node: roxmltree::Node<'_, '_>, tag: &str| {
        let child = node.children().find(|child| child.tag_name().name() == tag)?;
        child.text().map(|text| text.trim().to_owned())
    };
    SERVICES.into_iter().find_map(|kind| {
        document
            .descendants()
            .filter(|node| node.tag_name().name() == "service")
            .filter(|node| text(*node, "serviceType").as_deref() == Some(kind))
            .find_map(|node| {
                let control = location.join(&text(node, "controlURL")?).ok()?;
                let sender = location.host_str()?.parse().ok()?;
                Some(Service { kind, control: own(control, sender)? })
            })
    })
}

async fn external_address(clients: &Clients, service: &Service) -> Result<IpAddr, String> {
    let client = clients.get(Some(Family::Ipv4), None).map_err(|error| error.to_string())?;
    let body = format!(
        "<?xml version=\"1.0\"?>\r\n<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" \
         s:encodingStyle=\"http://schemas.xmlsoap.org/soap/encoding/\"><s:Body>\
         <u:GetExternalIPAddress xmlns:u=\"{}\"></u:GetExternalIPAddress></s:Body></s:Envelope>\r\n",
        service.kind
    );
    let request = client
        .post(service.control.clone())
        .header("Content-Type", "text/xml; charset=\"utf-8\"")
        .header("SOAPAction", format!("\"{}#GetExternalIPAddress\"", service.kind))
        .body(body);
    let reply = http::send(request).await.map_err(|error| error.to_string())?;
    external(&reply.body)
        .ok_or_else(|| format!("the UPnP router said no address (HTTP status {})", reply.status))
}

fn external(answer: &str) -> Option<IpAddr> {
    let document = roxmltree::Document::parse(answer).ok()?;
    let node = document.descendants().find(|node| node.tag_name().name() == "NewExternalIPAddress")?;
    let address: Ipv4Addr = node.text()?.trim().parse().ok()?;
    // What routers say while their line is down.
    (!address.is_unspecified()).then_some(address.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DESCRIPTION: &str = "<?xml version=\"1.0\"?><root xmlns=\"urn:schemas-upnp-org:device-1-0\"><device><deviceList>\
        <device><serviceList><service><serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType>\
        <controlURL>/ctl/IPConn</controlURL></service></serviceList></device></deviceList></device></root>";

    #[test]
    fn what_answers_must_describe_itself_at_its_own_address() {
        let answer = "HTTP/1.1 200 OK\r\nST: x\r\nLocation: http://192.168.1.1:5000/rootDesc.xml\r\n\r\n";
        assert!(location(answer, "192.168.1.1".parse().unwrap()).is_some());
        assert!(location(answer, "192.168.1.66".parse().unwrap()).is_none());
        assert!(
            location(
                "NOTIFY * HTTP/1.1\r\nLocation: http://192.168.1.1/\r\n",
                "192.168.1.1".parse().unwrap()
            )
            .is_none()
        );
    }

    #[test]
    fn the_control_url_is_joined_and_stays_at_the_router() {
        let at: Url = "http://192.168.1.1:5000/rootDesc.xml".parse().unwrap();
        let found = service(DESCRIPTION, &at).unwrap();
        assert_eq!(found.control.as_str(), "http://192.168.1.1:5000/ctl/IPConn");
        assert_eq!(found.kind, SERVICES[1]);
        let elsewhere = DESCRIPTION.replace("/ctl/IPConn", "http://10.0.0.1/admin");
        assert_eq!(service(&elsewhere, &at), None);
        assert_eq!(service("<html>", &at), None);
    }

    #[test]
    fn an_address_is_read_and_a_line_that_is_down_is_none() {
        let answer = |address: &str| {
            format!(
                "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><u:R xmlns:u=\"x\">\
                 <NewExternalIPAddress>{address}</NewExternalIPAddress></u:R></s:Body></s:Envelope>"
            )
        };
        assert_eq!(external(&answer("84.20.10.1")), Some("84.20.10.1".parse().unwrap()));
        assert_eq!(external(&answer("0.0.0.0")), None);
        assert_eq!(external(&answer("")), None);
    }
}
