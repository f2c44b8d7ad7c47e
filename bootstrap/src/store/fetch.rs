//! One request: the right URL, the token, the redirects; and what its failure means.
//!
//! Transfers are our own and not `oci-client`'s, because the pause of a 429 (`Retry-After`) and the continuation of a
//! broken transfer are not in its interface; tokens and the shape of manifests are its business.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use jiff::Timestamp;
use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::secrets::RegistryAuth;
use oci_client::{Reference, RegistryOperation};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, LOCATION, RANGE, RETRY_AFTER};
use reqwest::{Method, Response, StatusCode, Url};
use tokio::sync::{Mutex, OnceCell};

use super::error::StoreError;
use super::progress::{Listener, Progress};
use super::retry::{Attempts, Failure, Patience, pause, retry_after};
use super::source::Source;
use super::upstream::Upstream;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Silence of a server in the middle of an answer.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
const REDIRECTS: usize = 10;
/// The largest index or manifest a registry has to accept (OCI distribution specification).
const DOCUMENT_BYTES: usize = 4 * 1024 * 1024;

/// Asks upstream.
pub(super) struct Fetcher {
    /// Made when first needed: reading the OS' trust roots takes longer than a whole run that fetches nothing.
    clients: OnceCell<Clients>,
    /// By registry and repository; `None`: it asks for no token.
    tokens: Mutex<HashMap<String, Option<String>>>,
    upstream: Upstream,
    pub(super) patience: Patience,
    pub(super) listener: Listener,
}

struct Clients {
    http: reqwest::Client,
    registries: oci_client::Client,
}

impl Clients {
    fn new(upstream: &Upstream) -> Result<Self, StoreError> {
        // Both HTTP clients take the process's TLS provider; a second call finds it set, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let user_agent = concat!("garboard/", env!("CARGO_PKG_VERSION"));
        let http = reqwest::Client::builder()
            .user_agent(user_agent)
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| StoreError::Client(Arc::new(error)))?;
        let protocol = match upstream.plain_registry() {
            Some(registry) => ClientProtocol::HttpsExcept(vec![registry.to_owned()]),
            None => ClientProtocol::Https,
        };
        let registries = oci_client::Client::try_from(ClientConfig {
            protocol,
            connect_timeout: Some(CONNECT_TIMEOUT),
            read_timeout: Some(READ_TIMEOUT),
            user_agent,
            ..ClientConfig::default()
        })
        .map_err(|error| StoreError::Client(Arc::new(error)))?;
        Ok(Self { http, registries })
    }
}

impl Fetcher {
    pub(super) fn new(upstream: Upstream, patience: Patience, listener: Listener) -> Self {
        Self { clients: OnceCell::new(), tokens: Mutex::default(), upstream, patience, listener }
    }

    async fn clients(&self) -> Result<&Clients, StoreError> {
        self.clients.get_or_try_init(|| async { Clients::new(&self.upstream) }).await
    }

    /// Where `source` is asked for, for errors.
    pub(super) fn url(&self, source: &Source) -> Result<Url, StoreError> {
        source.url(&self.upstream)
    }

    /// One attempt at the bytes of `source` from `offset` on. The answer is 200, or 206 when `offset` is not 0 (the
    /// server may ignore it), or 416.
    pub(super) async fn attempt(
        &self,
        method: Method,
        source: &Source,
        offset: u64,
    ) -> Result<Response, Failure> {
        let first = self.url(source)?;
        let http = &self.clients().await?.http;
        let token = match source.image() {
            Some(image) => self.token(image).await?,
            None => None,
        };
        let mut url = first.clone();
        for _ in 0..=REDIRECTS {
            let mut request = http.request(method.clone(), url.clone()).header(ACCEPT, source.accept());
            // The token is the registry's. A host the content is redirected to must not see it, and S3 and its kin
            // refuse a signed URL that comes with one.
            let registry = url.origin() == first.origin() && url.path().starts_with("/v2/");
            if let Some(token) = token.as_ref().filter(|_| registry) {
                request = request.header(AUTHORIZATION, format!("Bearer {token}"));
            }
            if offset > 0 {
                request = request.header(RANGE, format!("bytes={offset}-"));
            }
            let response = request.send().await.map_err(|error| unreachable(&url, error))?;
            let Some(next) = redirection(&url, &response)? else {
                return self.judge(source, response).await;
            };
            url = next;
        }
        let reason = format!("it redirects more than {REDIRECTS} times");
        Err(Failure::Final(StoreError::Upstream { url: first.to_string(), reason }))
    }

    /// Sorts the answer into content, trouble that may pass, and trouble that stays.
    async fn judge(&self, source: &Source, response: Response) -> Result<Response, Failure> {
        let status = response.status();
        let url = response.url().clone();
        if status.is_success() || status == StatusCode::RANGE_NOT_SATISFIABLE {
            let html = response
                .headers()
                .get(CONTENT_TYPE)
                .and_then(|value| value.to_str().ok())
                .is_some_and(|value| value.trim_start().to_ascii_lowercase().starts_with("text/html"));
            if status.is_success() && html {
                return Err(StoreError::Html { url: url.into(), expected: source.name() }.into());
            }
            return Ok(response);
        }
        let asked = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| retry_after(value, Timestamp::now()));
        let detail = detail(response).await;
        let error = StoreError::Status { url: url.into(), status: status.to_string(), detail };
        let passing = status == StatusCode::TOO_MANY_REQUESTS
            || status == StatusCode::REQUEST_TIMEOUT
            || (status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED);
        if passing {
            return Err(Failure::Again(error, asked));
        }
        if let (StatusCode::UNAUTHORIZED, Some(image)) = (status, source.image()) {
            // The token ran out, or the registry was too busy to say that it wants one.
            self.tokens.lock().await.remove(&self.upstream.image(image).whole());
            return Err(Failure::Again(error, asked));
        }
        Err(Failure::Final(error))
    }

    /// The bearer token for reading `image`; asked once a run.
    async fn token(&self, image: &Reference) -> Result<Option<String>, Failure> {
        let asked = self.upstream.image(image);
        let mut tokens = self.tokens.lock().await;
        if let Some(token) = tokens.get(&asked.whole()) {
            return Ok(token.clone());
        }
        let registries = &self.clients().await?.registries;
        let token = registries
            .auth(&asked, &RegistryAuth::Anonymous, RegistryOperation::Pull)
            .await
            .map_err(|cause| {
                let error = StoreError::Permission { reference: image.whole(), cause: Arc::new(cause) };
                Failure::Again(error, None)
            })?;
        tokens.insert(asked.whole(), token.clone());
        Ok(token)
    }

    /// A small document, whole, with the URL it was asked at; attempts are made until one succeeds or patience ends.
    pub(super) async fn document(&self, source: &Source) -> Result<(String, Bytes), StoreError> {
        let url = self.url(source)?.to_string();
        let mut attempts = Attempts::new(self.patience);
        loop {
            let failure = match self.read_document(source).await {
                Ok(content) => return Ok((url, content)),
                Err(failure) => failure,
            };
            self.wait(&mut attempts, failure, source, &url).await?;
        }
    }

    async fn read_document(&self, source: &Source) -> Result<Bytes, Failure> {
        let mut response = self.attempt(Method::GET, source, 0).await?;
        let url = response.url().clone();
        let mut content = BytesMut::new();
        while let Some(piece) = response.chunk().await.map_err(|error| unreachable(&url, error))? {
            content.extend_from_slice(&piece);
            if content.len() > DOCUMENT_BYTES {
                return Err(StoreError::TooLarge { url: url.into(), limit: DOCUMENT_BYTES }.into());
            }
        }
        Ok(content.freeze())
    }

    /// The size of `source` as its server announces it, in bytes.
    pub(super) async fn size(&self, source: &Source) -> Result<Option<u64>, StoreError> {
        let url = self.url(source)?.to_string();
        let mut attempts = Attempts::new(self.patience);
        loop {
            let failure = match self.attempt(Method::HEAD, source, 0).await {
                // Not `content_length()`: that is the length of the (empty) body which follows.
                Ok(response) => {
                    let length = response.headers().get(reqwest::header::CONTENT_LENGTH);
                    return Ok(length.and_then(|value| value.to_str().ok()?.parse().ok()));
                }
                Err(failure) => failure,
            };
            self.wait(&mut attempts, failure, source, &url).await?;
        }
    }

    /// Waits until the next attempt is due, or gives up with the failure.
    pub(super) async fn wait(
        &self,
        attempts: &mut Attempts,
        failure: Failure,
        source: &Source,
        url: &str,
    ) -> Result<(), StoreError> {
        let (length, error) = attempts.after(failure, url)?;
        let milliseconds = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
        (self.listener)(Progress::Waiting { name: source.name(), milliseconds, because: error.to_string() });
        pause(length).await;
        Ok(())
    }
}

/// Where `response` sends us on to, if it does.
fn redirection(url: &Url, response: &Response) -> Result<Option<Url>, Failure> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let wrong = |reason: String| Failure::Final(StoreError::Upstream { url: url.to_string(), reason });
    let location = response
        .headers()
        .get(LOCATION)
        .and_then(|value| value.to_str().ok())
        .ok_or_else(|| wrong("it redirects to nowhere".to_owned()))?;
    let next = url
        .join(location)
        .map_err(|error| wrong(format!("it redirects to `{location}`, which is no URL: {error}")))?;
    if url.scheme() == "https" && next.scheme() != "https" {
        return Err(wrong(format!("it redirects to `{next}`, which is not encrypted")));
    }
    Ok(Some(next))
}

/// A connection that failed or broke; the next attempt may do better.
pub(super) fn unreachable(url: &Url, error: reqwest::Error) -> Failure {
    // The error repeats the URL otherwise, with a signed query perhaps.
    let cause = Arc::new(error.without_url());
    let mut shown = url.clone();
    shown.set_query(None);
    Failure::Again(StoreError::Unreachable { url: shown.into(), cause }, None)
}

/// The beginning of an error answer's text, as one line for a person.
async fn detail(mut response: Response) -> Option<String> {
    const SHOWN: usize = 200;
    let piece = response.chunk().await.ok()??;
    let text = String::from_utf8_lossy(&piece[..piece.len().min(SHOWN * 4)]).into_owned();
    if text.trim_start().starts_with('<') {
        return None;
    }
    let shown: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SHOWN).collect();
    let shown = shown.trim();
    (!shown.is_empty()).then(|| shown.to_owned())
}
