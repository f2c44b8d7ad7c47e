//! Dynamic update (RFC 2136) signed with TSIG (RFC 8945), HMAC-SHA-256, over TCP.
//!
//! One message: the zone, then for each family "delete the set, add this record", which the server does as one.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use base64::Engine as _;
use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::tsig::{TsigAlgorithm, TsigError};
use hickory_proto::rr::rdata::{A, AAAA};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType, TSigner};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Provider, fatal, transient};
use crate::address::Addresses;
use crate::configuration::DomainName;
use crate::http;
use crate::machine::{Answer, Scope};
use crate::secret::Secret;

const PORT: u16 = 53;
const WHOLE: Duration = Duration::from_secs(15);
/// How far the clocks may be apart, in seconds; what everybody uses (RFC 8945, 10).
const FUDGE: u16 = 300;

pub(super) struct Rfc2136 {
    server: String,
    zone: Name,
    signer: TSigner,
    ttl: u32,
}

impl Rfc2136 {
    pub(super) fn new(
        server: &str,
        zone: &DomainName,
        key: &str,
        secret: &Secret,
        ttl: u32,
    ) -> Result<Self, String> {
        let engine = base64::engine::general_purpose::STANDARD;
        // The error would tell a byte of the secret.
        let bytes = engine
            .decode(secret.expose())
            .map_err(|_| "the secret of the TSIG key is not base64".to_owned())?;
        let key = absolute(key)?;
        let signer =
            TSigner::new(bytes, TsigAlgorithm::HmacSha256, key, FUDGE).map_err(|error| error.to_string())?;
        Ok(Self { server: server.to_owned(), zone: absolute(zone.as_str())?, signer, ttl })
    }

    fn message(&self, name: &Name, addresses: &Addresses) -> Message {
        let mut message = Message::new(rand_id(), MessageType::Query, OpCode::Update);
        let mut zone = Query::new();
        zone.set_name(self.zone.clone()).set_query_class(DNSClass::IN).set_query_type(RecordType::SOA);
        message.add_query(zone);
        for address in addresses.iter() {
            let (kind, data) = match address {
                std::net::IpAddr::V4(address) => (RecordType::A, RData::A(A(address))),
                std::net::IpAddr::V6(address) => (RecordType::AAAA, RData::AAAA(AAAA(address))),
            };
            // Of this type alone; the add in the same message makes it a replacement.
            let mut old = Record::update0(name.clone(), 0, kind);
            old.dns_class = DNSClass::ANY;
            message.add_authority(old);
            message.add_authority(Record::from_rdata(name.clone(), self.ttl, data));
        }
        message
    }

    async fn exchange(&self, name: &Name, addresses: &Addresses) -> Result<Answer, String> {
        let mut message = self.message(name, addresses);
        let now =
            SystemTime::now().duration_since(UNIX_EPOCH).map_err(|_| "the clock is before 1970")?.as_secs();
        let verifier = message.finalize(&self.signer, now).map_err(|error| error.to_string())?;
        let mut verifier = verifier.ok_or("the update could not be signed")?;
        let bytes = message.to_vec().map_err(|error| error.to_string())?;
        let mut stream = self.connect().await?;
        let failed = |error: std::io::Error| error.to_string();
        let length = u16::try_from(bytes.len()).map_err(|_| "the update is too long")?;
        stream.write_all(&[&length.to_be_bytes(), bytes.as_slice()].concat()).await.map_err(failed)?;
        let length = stream.read_u16().await.map_err(failed)?;
        let mut answer = vec![0; usize::from(length)];
        stream.read_exact(&mut answer).await.map_err(failed)?;
        let read = Message::from_vec(&answer).map_err(|error| format!("the answer is not DNS: {error}"))?;
        if read.id != message.id || read.message_type != MessageType::Response {
            return Err("the answer belongs to another question".to_owned());
        }
        let signed = verifier.verify(&answer).is_ok();
        let error = read.signature().and_then(|record| record.data.error);
        Ok(self.meaning(read.response_code, error, signed))
    }

    async fn connect(&self) -> Result<TcpStream, String> {
        let (host, port) = split(&self.server)?;
        let addresses = match host.parse() {
            Ok(address) => vec![address],
            Err(_) => http::addresses(&host, None)
                .await
                .map_err(|error| format!("no address of `{host}`: {error}"))?,
        };
        let mut problem = format!("`{host}` has no address");
        for address in addresses {
            let address = SocketAddr::new(address, port);
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => problem = format!("cannot connect to {address}: {error}"),
            }
        }
        Err(problem)
    }

    /// What a response code means; `signed`: the answer is the server's own, word for word.
    fn meaning(&self, code: ResponseCode, error: Option<TsigError>, signed: bool) -> Answer {
        let server = &self.server;
        let key = self.signer.signer_name();
        match (code, error) {
            (_, Some(TsigError::BadTime)) => transient(format!(
                "{server} says BADTIME: its clock and this machine's are more than {FUDGE} s apart; is the time right here?"
            )),
            (_, Some(error)) if u16::from(error) != 0 => fatal(
                format!(
                    "{server} does not accept the TSIG key `{key}` ({error:?}): its name, algorithm (hmac-sha256) or secret differ there"
                ),
                Scope::Account,
            ),
            (ResponseCode::NoError, _) if signed => Answer::Good,
            // Anybody on the way could have said so.
            (ResponseCode::NoError, _) => {
                transient(format!("the answer of {server} is not signed with the key `{key}`"))
            }
            (ResponseCode::ServFail, _) => {
                transient(format!("{server} says SERVFAIL: it has trouble of its own"))
            }
            (ResponseCode::NotAuth, _) => fatal(
                format!(
                    "{server} says NOTAUTH: it is not the primary server of the zone `{}`, or does not know the key `{key}`",
                    self.zone
                ),
                Scope::Name,
            ),
            (ResponseCode::NotZone, _) => fatal(
                format!("{server} says NOTZONE: the name is not in the zone `{}`", self.zone),
                Scope::Name,
            ),
            (ResponseCode::NXDomain, _) => fatal(
                format!("{server} says NXDOMAIN: it knows nothing of the zone `{}`", self.zone),
                Scope::Name,
            ),
            (ResponseCode::Refused, _) => fatal(
                format!("{server} says REFUSED: the key `{key}` may not update this name there"),
                Scope::Name,
            ),
            (code, _) => fatal(format!("{server} refuses the update: {code}"), Scope::Name),
        }
    }
}

#[async_trait]
impl Provider for Rfc2136 {
    async fn update(&self, name: &DomainName, _all: &Addresses, changed: &Addresses) -> Answer {
        let name = match absolute(name.as_str()) {
            Ok(name) => name,
            Err(problem) => return fatal(problem, Scope::Name),
        };
        match timeout(WHOLE, self.exchange(&name, changed)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(problem)) => transient(format!("no answer of {}: {problem}", self.server)),
            Err(_) => transient(format!("{} did not answer within {} s", self.server, WHOLE.as_secs())),
        }
    }
}

fn absolute(name: &str) -> Result<Name, String> {
    let mut name = Name::from_ascii(name).map_err(|error| format!("`{name}` is no name in DNS: {error}"))?;
    name.set_fqdn(true);
    Ok(name)
}

fn rand_id() -> u16 {
    // The connection is TCP and the answer signed: the number tells answers apart, it guards nothing.
    Message::query().id
}

/// `HOST`, `HOST:PORT`, `[V6]:PORT`, `V6`.
fn split(server: &str) -> Result<(String, u16), String> {
    let port = |text: &str| text.parse().map_err(|_| format!("`{server}`: `{text}` is no port"));
    if let Some(rest) = server.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or_else(|| format!("`{server}`: the `]` is missing"))?;
        let port = rest.strip_prefix(':').map_or(Ok(PORT), port)?;
        return Ok((host.to_owned(), port));
    }
    match server.split_once(':') {
        Some((host, rest)) if !rest.contains(':') => Ok((host.to_owned(), port(rest)?)),
        _ => Ok((server.to_owned(), PORT)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_has_a_port_or_gets_it() {
        let read = |text: &str| split(text).unwrap();
        assert_eq!(read("ns1.example.org"), ("ns1.example.org".to_owned(), 53));
        assert_eq!(read("127.0.0.1:5353"), ("127.0.0.1".to_owned(), 5353));
        assert_eq!(read("[::1]:5353"), ("::1".to_owned(), 5353));
        assert_eq!(read("[::1]"), ("::1".to_owned(), 53));
        assert_eq!(read("2a01:4f8::1"), ("2a01:4f8::1".to_owned(), 53));
        assert!(split("ns1:dns").is_err());
    }

    #[test]
    fn only_a_signed_answer_is_good() {
        let zone = DomainName::new("example.org").unwrap();
        let one = Rfc2136::new("ns1", &zone, "home", &Secret::new("c2VjcmV0"), 60).unwrap();
        assert_eq!(one.meaning(ResponseCode::NoError, None, true), Answer::Good);
        assert!(matches!(one.meaning(ResponseCode::NoError, None, false), Answer::Transient { .. }));
        assert!(matches!(one.meaning(ResponseCode::ServFail, None, true), Answer::Transient { .. }));
        for code in
            [ResponseCode::NXDomain, ResponseCode::NotZone, ResponseCode::NotAuth, ResponseCode::Refused]
        {
            assert!(
                matches!(one.meaning(code, None, true), Answer::Fatal { scope: Scope::Name, .. }),
                "{code}"
            );
        }
        let badkey = one.meaning(ResponseCode::NotAuth, Some(TsigError::BadKey), false);
        assert!(matches!(badkey, Answer::Fatal { scope: Scope::Account, .. }));
        assert!(matches!(
            one.meaning(ResponseCode::NotAuth, Some(TsigError::BadTime), true),
            Answer::Transient { .. }
        ));
        assert!(
            Rfc2136::new("ns1", &zone, "home", &Secret::new("not base64!"), 60)
                .is_err_and(|said| !said.contains('!'))
        );
    }
}
