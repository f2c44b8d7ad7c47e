//! The router and services over DNS, as fakes that speak the documented formats.

use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};

use garboard_ddns::quorum::Outside;
use hickory_proto::op::{Message, MessageType};
use hickory_proto::rr::rdata::{A, TXT};
use hickory_proto::rr::{RData, Record, RecordType};

use crate::fake_http::{FakeHttp, answer};
use crate::service::{Echoes, Home, NAME, NEW, OLD, SLOW, is_in_sync, other, state};

/// Answers every datagram by a function of it; `None`: not at all.
fn udp(answer: impl Fn(&[u8]) -> Option<Vec<u8>> + Send + 'static) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok((length, sender)) = socket.recv_from(&mut buffer) {
            if let Some(answer) = answer(&buffer[..length]) {
                let _ = socket.send_to(&answer, sender);
            }
        }
    });
    address
}

/// A router that speaks `UPnP` and says whatever address is in the cell.
fn upnp_router(address: &Arc<Mutex<String>>) -> (SocketAddr, FakeHttp) {
    let address = Arc::clone(address);
    let http = FakeHttp::start(move |request| match (request.method.as_str(), request.target.as_str()) {
        ("GET", "/desc.xml") => answer(
            200,
            "<?xml version=\"1.0\"?><root xmlns=\"urn:schemas-upnp-org:device-1-0\"><device><serviceList><service>\
             <serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType><controlURL>/ctl</controlURL>\
             </service></serviceList></device></root>",
        ),
        ("POST", "/ctl") => {
            let action = "\"urn:schemas-upnp-org:service:WANIPConnection:1#GetExternalIPAddress\"";
            assert_eq!(request.header("soapaction"), Some(action));
            assert!(request.body.contains("GetExternalIPAddress"));
            let address = address.lock().unwrap();
            answer(
                200,
                &format!(
                    "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body>\
                     <u:GetExternalIPAddressResponse xmlns:u=\"urn:schemas-upnp-org:service:WANIPConnection:1\">\
                     <NewExternalIPAddress>{address}</NewExternalIPAddress></u:GetExternalIPAddressResponse></s:Body>\
                     </s:Envelope>"
                ),
            )
        }
        _ => answer(404, ""),
    });
    let location = http.url("/desc.xml");
    let search = udp(move |message| {
        let text = std::str::from_utf8(message).unwrap();
        assert!(
            text.starts_with("M-SEARCH * HTTP/1.1\r\n") && text.contains("MAN: \"ssdp:discover\"\r\n"),
            "{text}"
        );
        Some(format!("HTTP/1.1 200 OK\r\nLOCATION: {location}\r\nST: x\r\n\r\n").into_bytes())
    });
    (search, http)
}

fn router_sources(router: &str, gateway: &str, echo: &FakeHttp) -> String {
    format!(
        "sources:\n  router: [{router}]\n  gateway: {{ {gateway} }}\n  dns: []\n  https:\n{}",
        other("one", echo)
    )
}

#[test]
fn a_router_that_speaks_upnp_and_one_service_are_enough() {
    let (home, echo) = (Home::new(), FakeHttp::saying(200, OLD));
    let provider = FakeHttp::saying(200, "good");
    let cell = Arc::new(Mutex::new(OLD.to_owned()));
    let (search, http) = upnp_router(&cell);
    let sources = router_sources("upnp", &format!("upnp: \"{search}\""), &echo);
    home.configure_name(NAME, &home.no_ip(&provider), &sources, SLOW);
    let service = home.start();
    let report = service.update();
    assert!(is_in_sync(&report, OLD), "{}", home.log());
    assert_eq!(report.outside, Some(Outside::Direct));
    let described = http.seen().iter().filter(|request| request.method == "GET").count();
    assert_eq!(described, 1, "a router that is known is not searched again");

    // The router lies, alone.
    NEW.clone_into(&mut cell.lock().unwrap());
    let report = service.update();
    assert_eq!(state(&report).published.to_string(), OLD);
    assert_eq!(provider.count(), 1);
    // And it was right.
    echo.say(200, NEW);
    assert!(is_in_sync(&service.update(), NEW), "{}", home.log());
    assert_eq!(provider.count(), 2);
}

#[test]
fn nat_pmp_is_spoken_where_upnp_is_not() {
    let (home, echo) = (Home::new(), FakeHttp::saying(200, NEW));
    let provider = FakeHttp::saying(200, "good");
    let gateway = udp(|message| (message == [0, 0]).then(|| vec![0, 128, 0, 0, 0, 0, 1, 0, 84, 20, 10, 2]));
    let silent = udp(|_| None);
    let places = format!("upnp: \"{silent}\", nat_pmp: \"{gateway}\"");
    home.configure_name(NAME, &home.no_ip(&provider), &router_sources("upnp, nat_pmp", &places, &echo), SLOW);
    let service = home.start();
    assert!(is_in_sync(&service.update(), NEW), "{}", home.log());
}

#[test]
fn nat_of_the_provider_is_recognised_and_said() {
    let (home, echoes, provider) = (Home::new(), Echoes::saying(OLD), FakeHttp::saying(200, "good"));
    let cell = Arc::new(Mutex::new("100.72.3.4".to_owned()));
    let (search, _http) = upnp_router(&cell);
    let sources =
        router_sources("upnp", &format!("upnp: \"{search}\""), &echoes.one) + &other("two", &echoes.two);
    home.configure_name(NAME, &home.no_ip(&provider), &sources, SLOW);
    let service = home.start();
    let report = service.update();
    assert!(is_in_sync(&report, OLD), "{}", home.log());
    assert_eq!(report.outside, Some(Outside::BehindNat { router: "100.72.3.4".parse().unwrap() }));
    let text = String::from_utf8(home.run(&["status"]).stdout).unwrap();
    assert!(text.contains("outer address is 100.72.3.4: it stands behind another NAT"), "{text}");
    assert!(home.log().contains("stands behind another NAT"));

    // A public address of the router that nobody else sees: the name stays where it is.
    NEW.clone_into(&mut cell.lock().unwrap());
    let report = service.update();
    let (router, seen) = (NEW.parse().unwrap(), OLD.parse().unwrap());
    assert_eq!(report.outside, Some(Outside::Differs { router, seen }));
    assert_eq!(state(&report).published.to_string(), OLD);
    assert_eq!(provider.count(), 1);
}

/// A name server that answers with an address, as one or as text.
fn echo_over_dns(address: &'static str) -> SocketAddr {
    udp(move |message| {
        let question = Message::from_vec(message).unwrap();
        let query = question.queries[0].clone();
        let data = match query.query_type() {
            RecordType::TXT => RData::TXT(TXT::new(vec![address.to_owned()])),
            _ => RData::A(A(address.parse().unwrap())),
        };
        let mut reply = Message::new(question.id, MessageType::Response, question.op_code);
        reply.metadata.recursion_desired = question.recursion_desired;
        reply.add_answer(Record::from_rdata(query.name().clone(), 0, data));
        reply.add_query(query);
        Some(reply.to_vec().unwrap())
    })
}

#[test]
fn services_over_dns_are_heard_as_addresses_and_as_text() {
    let (home, provider) = (Home::new(), FakeHttp::saying(200, "good"));
    let (one, two) = (echo_over_dns(NEW), echo_over_dns(NEW));
    let sources = format!(
        "sources:\n  router: []\n  https: []\n  dns:\n    - other: {{ operator: one, ipv4: \"{one}\", name: myip.example.org }}\n    \
         - other: {{ operator: two, ipv4: \"{two}\", name: myaddr.example.org, text: true }}\n"
    );
    home.configure_name(NAME, &home.no_ip(&provider), &sources, SLOW);
    let service = home.start();
    assert!(is_in_sync(&service.update(), NEW), "{}", home.log());
    assert_eq!(provider.count(), 1);
}
