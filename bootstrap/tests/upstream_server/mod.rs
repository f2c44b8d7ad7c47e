//! A small upstream for tests, laid out like a mirror: files at `/HOST/PATH`, a registry that wants a bearer token and
//! redirects blobs to a place that refuses one, and faults to order.

#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::StreamExt as _;
use garboard_protocol::Digest;
use http_body_util::{BodyExt, StreamBody, combinators::BoxBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{AUTHORIZATION, RANGE};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::json;

type Body = BoxBody<Bytes, std::io::Error>;

/// How one request to a path goes wrong.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// 429 with this Retry-After.
    Busy(u64),
    /// 503 without one.
    Unavailable,
    /// The connection breaks after this many bytes.
    Cut(usize),
    /// A sign-in page, 200.
    Html { honest: bool },
    /// One bit is another.
    Flip,
    /// It ends early, and says so in Content-Length.
    Short(usize),
    /// The whole content, whatever range was asked.
    IgnoreRange,
    /// 401: the token ran out.
    Expired,
}

/// One manifest of an image: what the index says of it, and what its configuration says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Built {
    pub(crate) architecture: &'static str,
    pub(crate) variant: Option<&'static str>,
    pub(crate) configuration: &'static str,
}

impl Built {
    /// As it should be.
    pub(crate) fn properly(architecture: &'static str) -> Self {
        Self { architecture, variant: None, configuration: architecture }
    }
}

/// What was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) range: Option<String>,
    pub(crate) token: bool,
}

#[derive(Default)]
struct State {
    content: HashMap<String, Bytes>,
    redirects: HashMap<String, String>,
    faults: HashMap<String, VecDeque<Fault>>,
    asked: Vec<Asked>,
}

/// The server; it ends with the test's runtime.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) url: String,
    state: Arc<Mutex<State>>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        let server = Self { url: format!("http://{address}"), state: Arc::default() };
        let accepting = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let server = accepting.clone();
                tokio::spawn(async move {
                    let service = service_fn(move |request| {
                        let server = server.clone();
                        async move { Ok::<_, Infallible>(server.answer(&request)) }
                    });
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        server
    }

    /// Serves `content` as the file officially at `https://PLACE`.
    pub(crate) fn file(&self, place: &str, content: impl Into<Bytes>) {
        self.state.lock().unwrap().content.insert(format!("/{place}"), content.into());
    }

    /// Serves the file no longer.
    pub(crate) fn remove(&self, place: &str) {
        self.state.lock().unwrap().content.remove(&format!("/{place}"));
    }

    /// Serves an image for each architecture under `HOST/NAME:TAG`; gives the index' digest.
    pub(crate) fn image(&self, name: &str, tag: &str, architectures: &[&'static str], seed: &str) -> Digest {
        let built: Vec<Built> = architectures.iter().map(|name| Built::properly(name)).collect();
        self.image_of(name, tag, &built, seed)
    }

    /// Serves an image with these manifests under `HOST/NAME:TAG`; gives the index' digest.
    pub(crate) fn image_of(&self, name: &str, tag: &str, built: &[Built], seed: &str) -> Digest {
        let mut state = self.state.lock().unwrap();
        let mut manifests = Vec::new();
        for Built { architecture, variant, configuration } in built {
            let mut blob = |content: Vec<u8>| {
                let digest = Digest::of(&content);
                let size = content.len();
                state.redirects.insert(format!("/v2/{name}/blobs/{digest}"), format!("/cdn/{digest}"));
                state.content.insert(format!("/cdn/{digest}"), content.into());
                (digest.to_string(), size)
            };
            let config = json!({ "os": "linux", "architecture": configuration, "author": seed });
            let (config, config_size) = blob(serde_json::to_vec(&config).unwrap());
            let variant = variant.unwrap_or_default();
            let layer = format!("layer {seed} {architecture} {variant} ").repeat(5000);
            let (layer, layer_size) = blob(layer.into_bytes());
            let manifest = json!({
                "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": config_size},
                "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": layer, "size": layer_size}],
            });
            let manifest = serde_json::to_vec(&manifest).unwrap();
            let digest = Digest::of(&manifest).to_string();
            let mut platform = json!({"os": "linux", "architecture": architecture});
            if !variant.is_empty() {
                platform["variant"] = variant.into();
            }
            manifests.push(json!({
                "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": manifest.len(),
                "platform": platform,
            }));
            state.content.insert(format!("/v2/{name}/manifests/{digest}"), manifest.into());
        }
        // As build tools do: an attestation beside the platforms.
        manifests.push(json!({
            "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": Digest::of(b"a").to_string(), "size": 1,
            "platform": {"os": "unknown", "architecture": "unknown"},
        }));
        let index = json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": manifests,
        });
        let index = serde_json::to_vec(&index).unwrap();
        let digest = Digest::of(&index);
        state.content.insert(format!("/v2/{name}/manifests/{tag}"), index.into());
        digest
    }

    /// The next requests to `path` go wrong, one after the other.
    pub(crate) fn fail(&self, path: &str, faults: impl IntoIterator<Item = Fault>) {
        self.state.lock().unwrap().faults.entry(path.to_owned()).or_default().extend(faults);
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.state.lock().unwrap().asked.clone()
    }

    /// Requests whose path holds `part`.
    pub(crate) fn asked_for(&self, part: &str) -> Vec<Asked> {
        self.asked().into_iter().filter(|asked| asked.path.contains(part)).collect()
    }

    fn answer(&self, request: &Request<Incoming>) -> Response<Body> {
        let path = request.uri().path().to_owned();
        let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
        let range = header(RANGE).map(str::to_owned);
        let authorization = header(AUTHORIZATION);
        let mut state = self.state.lock().unwrap();
        state.asked.push(Asked {
            method: request.method().to_string(),
            path: path.clone(),
            range: range.clone(),
            token: authorization.is_some(),
        });
        let fault = state.faults.get_mut(&path).and_then(VecDeque::pop_front);
        match &fault {
            Some(Fault::Busy(seconds)) => {
                return plain(429, &[("retry-after", &seconds.to_string())], "slow down");
            }
            Some(Fault::Unavailable) => return plain(503, &[], "overloaded"),
            Some(Fault::Expired) => return plain(401, &[], "token expired"),
            Some(Fault::Html { honest }) => {
                // Either the type or the content gives it away.
                let (kind, page) = if *honest {
                    ("text/html; charset=utf-8", "Please sign in")
                } else {
                    ("application/octet-stream", "<!DOCTYPE html><title>Sign in</title>")
                };
                return plain(200, &[("content-type", kind)], page);
            }
            _ => {}
        }
        if path == "/token" {
            return plain(200, &[("content-type", "application/json")], r#"{"token":"let-me-read"}"#);
        }
        if path.starts_with("/v2/") && authorization != Some("Bearer let-me-read") {
            let challenge = format!("Bearer realm=\"{}/token\",service=\"test\"", self.url);
            return plain(401, &[("www-authenticate", &challenge)], "token, please");
        }
        if path.starts_with("/cdn/") && authorization.is_some() {
            return plain(400, &[], "only one authentication mechanism is allowed");
        }
        if let Some(location) = state.redirects.get(&path) {
            return plain(307, &[("location", location)], "");
        }
        let Some(content) = state.content.get(&path).cloned() else { return plain(404, &[], "not found") };
        serve(request.method(), &content, range.as_deref(), fault.as_ref())
    }
}

fn serve(method: &Method, content: &Bytes, range: Option<&str>, fault: Option<&Fault>) -> Response<Body> {
    let mut content = content.to_vec();
    match fault {
        Some(Fault::Flip) => content[3] ^= 4,
        Some(Fault::Short(length)) => content.truncate(*length),
        _ => {}
    }
    let total = content.len();
    let start = range
        .filter(|_| !matches!(fault, Some(Fault::IgnoreRange)))
        .map(|range| range.trim_start_matches("bytes=").trim_end_matches('-').parse::<usize>().unwrap());
    let mut response = Response::builder();
    if let Some(start) = start {
        if start >= total {
            return plain(416, &[("content-range", &format!("bytes */{total}"))], "");
        }
        content.drain(..start);
        response = response
            .status(StatusCode::PARTIAL_CONTENT)
            .header("content-range", format!("bytes {start}-{}/{total}", total - 1));
    }
    response = response.header("content-length", content.len());
    if method == Method::HEAD {
        return response.body(body(Vec::new())).unwrap();
    }
    let pieces: Vec<std::io::Result<Bytes>> = match fault {
        Some(Fault::Cut(after)) => {
            content.truncate(*after);
            vec![Ok(content.into()), Err(std::io::Error::other("cut"))]
        }
        _ => content.chunks(16 * 1024).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect(),
    };
    response.body(body(pieces)).unwrap()
}

fn plain(status: u16, headers: &[(&str, &str)], text: &str) -> Response<Body> {
    let mut response = Response::builder().status(status).header("content-length", text.len());
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(body(vec![Ok(Bytes::copy_from_slice(text.as_bytes()))])).unwrap()
}

fn body(pieces: Vec<std::io::Result<Bytes>>) -> Body {
    // While this is pending, the server writes out what it has so far; only then does the error end the connection.
    let stream = futures::stream::iter(pieces).then(|piece| async move {
        if piece.is_err() {
            tokio::task::yield_now().await;
        }
        piece.map(Frame::data)
    });
    let stream: Pin<Box<dyn futures::Stream<Item = _> + Send + Sync>> = Box::pin(stream);
    BodyExt::boxed(StreamBody::new(stream))
}
