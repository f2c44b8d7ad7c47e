//! Asking: DNS, the address on the internet, and the edge host itself through its session. Nothing secret is said to anybody, and nothing of
//! what comes back is trusted: it is compared.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use garboard_protocol::Digest;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{LookupIpStrategy, ResolveHosts};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::verdict::{Answer, Purpose, Question, Resolved};
use crate::session::Session;

/// Who is there answers sooner; who is not has the run wait no longer.
const PATIENCE: Duration = Duration::from_secs(4);
/// The head of an answer is shorter.
const HEAD: u64 = 16 * 1024;

/// What looking takes.
#[async_trait]
pub trait Look: Send + Sync {
    /// What the DNS servers of this machine say of a name.
    async fn resolve(&self, name: &str) -> Resolved;
    /// With which address this machine would ask there.
    fn source(&self, to: IpAddr) -> Option<IpAddr>;
    /// Asks at an address as somebody would who looks for that name.
    async fn ask(&self, to: IpAddr, question: &Question) -> Answer;
    /// The same at the edge host itself; nothing where it cannot be asked.
    async fn ask_edge(&self, question: &Question) -> Option<Answer>;
}

/// The real network; the edge host where it was reached.
pub struct Network {
    edge: Option<Session>,
}

impl Network {
    /// From here, and through that session.
    pub fn new(edge: Option<Session>) -> Self {
        Self { edge }
    }
}

#[async_trait]
impl Look for Network {
    async fn resolve(&self, name: &str) -> Resolved {
        match timeout(PATIENCE, addresses(name)).await {
            Err(_) => Resolved::Silent(format!("nothing for {} s", PATIENCE.as_secs())),
            Ok(resolved) => resolved,
        }
    }

    fn source(&self, to: IpAddr) -> Option<IpAddr> {
        // Connecting a UDP socket sends nothing: the kernel only chooses the way.
        let any: IpAddr = if to.is_ipv4() { [0; 4].into() } else { [0; 16].into() };
        let socket = UdpSocket::bind((any, 0)).ok()?;
        socket.connect((to, 9)).ok()?;
        Some(socket.local_addr().ok()?.ip())
    }

    async fn ask(&self, to: IpAddr, question: &Question) -> Answer {
        let asking = async {
            let stream = TcpStream::connect(SocketAddr::new(to, question.port))
                .await
                .map_err(|error| of_connection(&error))?;
            speak(stream, question).await
        };
        answer(timeout(PATIENCE, asking).await.unwrap_or(Err(Answer::Silent)))
    }

    async fn ask_edge(&self, question: &Question) -> Option<Answer> {
        let session = self.edge.as_ref()?;
        let asking = async {
            let place = format!("127.0.0.1:{}", question.port);
            let pipe = session.pipe(&place).await.map_err(|_| Answer::Silent)?;
            // A port that is closed there ends the pipe before a byte has come.
            speak(pipe, question).await.map_err(|_| Answer::Silent)
        };
        Some(answer(timeout(PATIENCE, asking).await.unwrap_or(Err(Answer::Silent))))
    }
}

fn answer(result: Result<Answer, Answer>) -> Answer {
    result.unwrap_or_else(|answer| answer)
}

fn of_connection(error: &io::Error) -> Answer {
    if error.kind() == io::ErrorKind::ConnectionRefused { Answer::Refused } else { Answer::Silent }
}

/// By the name servers of this machine alone: what its own `/etc/hosts` says is true nowhere else.
async fn addresses(name: &str) -> Resolved {
    let silent = |error: &dyn std::error::Error| Resolved::Silent(error.to_string());
    let mut builder = match TokioResolver::builder_tokio() {
        Ok(builder) => builder,
        Err(error) => return silent(&error),
    };
    let options = builder.options_mut();
    options.cache_size = 0;
    options.use_hosts_file = ResolveHosts::Never;
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    let resolver = match builder.build() {
        Ok(resolver) => resolver,
        Err(error) => return silent(&error),
    };
    // With the last dot: no search list makes another name of it.
    match resolver.lookup_ip(format!("{name}.")).await {
        Ok(found) => {
            let found: Vec<IpAddr> = found.iter().collect();
            if found.is_empty() { Resolved::Nothing } else { Resolved::Addresses(found) }
        }
        Err(error) if error.is_no_records_found() || error.is_nx_domain() => Resolved::Nothing,
        Err(error) => silent(&error),
    }
}

async fn speak<S>(stream: S, question: &Question) -> Result<Answer, Answer>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    match question.purpose {
        Purpose::Web { tls: true } => certificate(stream, &question.name).await,
        _ => head(stream, &question.name).await,
    }
}

/// The certificate that is shown for the name.
async fn certificate<S: AsyncRead + AsyncWrite + Unpin>(stream: S, name: &str) -> Result<Answer, Answer> {
    let babble = |error: &dyn std::error::Error| Answer::Babble(error.to_string());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let whoever = Arc::new(Whoever(Arc::clone(&provider)));
    let configuration = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| babble(&error))?
        .dangerous()
        .with_custom_certificate_verifier(whoever)
        .with_no_client_auth();
    let server = ServerName::try_from(name.to_owned()).map_err(|error| babble(&error))?;
    let connected = TlsConnector::from(Arc::new(configuration)).connect(server, stream).await;
    let stream = connected.map_err(|error| match error.kind() {
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => Answer::Silent,
        _ => babble(&error),
    })?;
    let (_, connection) = stream.get_ref();
    let shown = connection.peer_certificates().and_then(<[_]>::first);
    let shown = shown.ok_or_else(|| Answer::Babble("no certificate".to_owned()))?;
    let about = X509Certificate::from_der(shown).map_or_else(
        |_| "a certificate that cannot be read".to_owned(),
        |(_, read)| format!("a certificate for {}, by {}", read.subject(), read.issuer()),
    );
    Ok(Answer::Spoke(Digest::of(shown).to_string(), about))
}

/// The head of an answer to a request for `/`, without what differs from one moment to the next.
async fn head<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, name: &str) -> Result<Answer, Answer> {
    let request = format!(
        "GET / HTTP/1.1\r\nHost: {name}\r\nUser-Agent: garboard\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.map_err(|_| Answer::Silent)?;
    stream.flush().await.map_err(|_| Answer::Silent)?;
    let mut said = Vec::new();
    let mut limited = stream.take(HEAD);
    let mut buffer = [0; 1024];
    while !said.windows(4).any(|window| window == b"\r\n\r\n") {
        match limited.read(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(length) => said.extend_from_slice(&buffer[..length]),
        }
    }
    if said.is_empty() {
        return Err(Answer::Silent);
    }
    Ok(read_head(&String::from_utf8_lossy(&said)))
}

fn read_head(said: &str) -> Answer {
    let head = said.split("\r\n\r\n").next().unwrap_or_default();
    let mut lines = head.lines();
    let status = lines.next().unwrap_or_default();
    if !status.starts_with("HTTP/") {
        return Answer::Babble("no answer of HTTP".to_owned());
    }
    let headers: Vec<(String, &str)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim()))
        .collect();
    let value = |wanted: &str| headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| *value);
    let kept = ["location", "server", "www-authenticate", "content-type"]
        .map(|name| value(name).unwrap_or_default());
    let to = value("location").map(|place| format!(", to {place}")).unwrap_or_default();
    Answer::Spoke(format!("{status}\n{}", kept.join("\n")), format!("`{status}`{to}"))
}

/// Believes everybody: who it was is judged by the certificate itself.
#[derive(Debug)]
struct Whoever(Arc<CryptoProvider>);

impl ServerCertVerifier for Whoever {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    /// Who shows a certificate has its key: copies of ours are no use to others.
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::{Answer, read_head};

    #[test]
    fn the_head_of_an_answer_is_what_stays_the_same() {
        let one =
            "HTTP/1.1 308 Permanent Redirect\r\nLocation: https://app1.example.org/\r\nDate: Mon\r\n\r\n";
        let Answer::Spoke(first, shown) = read_head(one) else { panic!("{one}") };
        assert_eq!(shown, "`HTTP/1.1 308 Permanent Redirect`, to https://app1.example.org/");
        let later = one.replace("Mon", "Tue").replace("Location", "location");
        assert!(matches!(read_head(&later), Answer::Spoke(second, _) if second == first));
        let router = "HTTP/1.1 308 Permanent Redirect\r\nLocation: https://fritz.box/\r\n\r\n";
        assert!(matches!(read_head(router), Answer::Spoke(second, _) if second != first));
        assert!(matches!(read_head("SSH-2.0-OpenSSH_9.2\r\n"), Answer::Babble(_)));
    }
}
