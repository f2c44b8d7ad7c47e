//! The two doors of the mirror and what stands behind both.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use http::{Method, Request as HttpRequest, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::answer::{self, Answer};
use super::body::{AnyBody, Logged};
use super::checksum::{self, Checksums};
use super::connection::{Connection, Cut};
use super::faults::{Fault, Faults};
use super::file::{self, Wanted};
use super::link::Signer;
use super::log::{Log, Request};
use super::route::{self, Route};
use super::throttle::Throttle;
use super::token::Tokens;
use super::{MirrorError, Options, registry};

/// What all requests share.
#[derive(Clone)]
pub(super) struct Shared(Arc<State>);

pub(super) struct State {
    /// Canonical, so that a file's own canonical path can be held against it.
    pub(super) root: PathBuf,
    pub(super) address: SocketAddr,
    pub(super) blob_address: SocketAddr,
    pub(super) options: Options,
    pub(super) tokens: Tokens,
    pub(super) signer: Signer,
    pub(super) throttle: Throttle,
    checksums: Checksums,
    faults: RwLock<Faults>,
    log: Arc<Log>,
}

impl std::ops::Deref for Shared {
    type Target = State;

    fn deref(&self) -> &State {
        &self.0
    }
}

/// Which of the two a client came through.
#[derive(Clone, Copy)]
enum Door {
    Front,
    Blobs,
}

impl Shared {
    pub(super) fn open(
        folder: &Path,
        address: SocketAddr,
        blob_address: SocketAddr,
        options: Options,
    ) -> Result<Self, MirrorError> {
        let root = fs_err::canonicalize(folder)
            .map_err(|source| MirrorError::Folder { folder: folder.to_owned(), source })?;
        if !root.join("files").is_dir() || !root.join("registry").is_dir() {
            return Err(MirrorError::NoMirror { folder: folder.to_owned() });
        }
        let log = Log::open(options.log.as_deref())
            .map_err(|source| MirrorError::Log { log: options.log.clone().unwrap_or_default(), source })?;
        Ok(Self(Arc::new(State {
            root,
            address,
            blob_address,
            tokens: Tokens::new(options.token_life),
            signer: Signer::new(options.link_life).map_err(MirrorError::Random)?,
            throttle: Throttle::new(options.throttle_every),
            checksums: Checksums::default(),
            faults: RwLock::new(options.faults.clone()),
            log: Arc::new(log),
            options,
        })))
    }

    pub(super) fn set_faults(&self, faults: Faults) {
        *self.faults.write().unwrap_or_else(PoisonError::into_inner) = faults;
    }

    /// The faults for a path, from the control file if there is one.
    pub(super) fn fault(&self, path: &str) -> Fault {
        let control = self.options.control.as_ref().and_then(|control| fs_err::read(control).ok());
        match control.map(|bytes| serde_json::from_slice::<Faults>(&bytes)) {
            Some(Ok(faults)) => faults.of(path),
            Some(Err(error)) => {
                tracing::error!(%error, "the mirror's control file is no valid JSON; it is not applied");
                Fault::default()
            }
            None => self.faults.read().unwrap_or_else(PoisonError::into_inner).of(path),
        }
    }

    pub(super) fn repository(&self, name: &str) -> PathBuf {
        self.root.join("registry").join(name)
    }

    pub(super) fn blob(&self, name: &str, hex: &str) -> PathBuf {
        self.repository(name).join("blobs/sha256").join(hex)
    }
}

/// Takes connections at both doors. Ends, with all connections, when its task is aborted.
pub(super) async fn run(shared: Shared, front: TcpListener, blobs: TcpListener) {
    let mut connections = JoinSet::new();
    loop {
        let (accepted, door) = tokio::select! {
            accepted = front.accept() => (accepted, Door::Front),
            accepted = blobs.accept() => (accepted, Door::Blobs),
            Some(_) = connections.join_next() => continue,
        };
        match accepted {
            Ok((stream, _)) => {
                let shared = shared.clone();
                connections.spawn(async move {
                    let cut = Cut::default();
                    let service = service_fn(|request| respond(shared.clone(), door, cut.clone(), request));
                    let stream = TokioIo::new(Connection::new(stream, cut.clone()));
                    let connection =
                        hyper::server::conn::http1::Builder::new().serve_connection(stream, service);
                    if let Err(error) = connection.await {
                        tracing::debug!(%error, "a client of the mirror went away");
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the mirror cannot take a connection");
                // Out of file descriptors: some come free when a connection ends.
                connections.join_next().await;
            }
        }
    }
}

async fn respond(
    shared: Shared,
    door: Door,
    cut: Cut,
    request: HttpRequest<Incoming>,
) -> Result<Response<AnyBody>, Infallible> {
    let range = request.headers().get(header::RANGE).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let mut answer = choose(&shared, door, &request).await.unwrap_or_else(|error| {
        tracing::error!(%error, path = request.uri().path(), "the mirror cannot answer");
        answer::text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n"))
    });
    let version = http::HeaderName::from_static("docker-distribution-api-version");
    if request.uri().path().starts_with("/v2") {
        answer::set(&mut answer, version, "registry/2.0");
    }
    let record = Request {
        method: request.method().to_string(),
        path: request.uri().path().to_owned(),
        range,
        status: answer.status().as_u16(),
        bytes: 0,
        complete: true,
    };
    let log = Arc::clone(&shared.log);
    Ok(answer.map(|body| Logged::new(body, log, record, cut).boxed_unsync()))
}

async fn choose(shared: &Shared, door: Door, request: &HttpRequest<Incoming>) -> std::io::Result<Answer> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut answer = answer::text(StatusCode::METHOD_NOT_ALLOWED, "this mirror can only be read\n");
        answer::set(&mut answer, header::ALLOW, "GET, HEAD");
        return Ok(answer);
    }
    let (headers, uri) = (request.headers(), request.uri());
    let route = match door {
        Door::Front => route::parse(uri.path()),
        Door::Blobs => route::parse_link(uri.path()),
    };
    match route {
        Err(route::BadPath) => Ok(answer::text(StatusCode::BAD_REQUEST, "this path names nothing here\n")),
        Ok(Route::Registry) => Ok(registry::base(shared, headers)),
        Ok(Route::Token) => Ok(registry::token(shared, uri.query().unwrap_or_default())),
        Ok(Route::Manifest { name, reference }) => {
            registry::manifest(shared, headers, uri.path(), &name, reference).await
        }
        Ok(Route::Blob { name, hex }) => registry::blob(shared, headers, uri.path(), &name, &hex).await,
        Ok(Route::Link { name, hex }) => registry::link(shared, headers, uri, &name, &hex).await,
        Ok(Route::File(path)) => plain(shared, headers, &path).await,
    }
}

/// A plain file, or the checksum of one.
async fn plain(shared: &Shared, headers: &http::HeaderMap, path: &str) -> std::io::Result<Answer> {
    let place = shared.root.join("files").join(path);
    let wanted =
        Wanted { headers, tag: None, media_type: "application/octet-stream", fault: shared.fault(path) };
    if let Some(answer) = file::answer(&shared.root, &place, wanted).await? {
        return Ok(answer);
    }
    if let Some(summed) = path.strip_suffix(".sha256") {
        let (shared, place) = (shared.clone(), shared.root.join("files").join(summed));
        if place.is_file() {
            let sum = tokio::task::spawn_blocking(move || shared.checksums.of(&place)).await;
            let sum = sum.map_err(std::io::Error::other)??;
            return Ok(answer::text(StatusCode::OK, checksum::render(summed, &sum)));
        }
    }
    Ok(answer::text(StatusCode::NOT_FOUND, format!("the mirror has no `{path}`\n")))
}
