//! The mirror as its clients see it: a small made-up folder, a real server, real HTTP.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::num::{NonZeroU32, NonZeroU64};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use garboard_lab::mirror::{Faults, Mirror, MirrorError, Options, Request, read_log};
use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::secrets::RegistryAuth;
use reqwest::header;
use reqwest::{Client, Method, Response, StatusCode};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const NAME: &str = "registry.k8s.io/pause";
const KUBEADM: &str = "dl.k8s.io/release/v1.36.3/bin/linux/amd64/kubeadm";
const RUNC: &str = "github.com/opencontainers/runc/releases/download/v1.4.3/runc.amd64";

/// A mirror at work with one image and two files in it.
struct Fixture {
    mirror: Mirror,
    folder: tempfile::TempDir,
    log: PathBuf,
    /// Digests without `sha256:`.
    index: String,
    manifest: String,
    layer: String,
    content: Vec<u8>,
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// Bytes that differ everywhere, so that a wrong offset shows.
fn content(length: u32) -> Vec<u8> {
    (0..length).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()).collect()
}

fn put(blobs: &Path, bytes: &[u8]) -> String {
    let name = hex(bytes);
    fs_err::write(blobs.join(&name), bytes).unwrap();
    name
}

fn write(path: PathBuf, bytes: &[u8]) {
    fs_err::create_dir_all(path.parent().unwrap()).unwrap();
    fs_err::write(path, bytes).unwrap();
}

impl Fixture {
    async fn new() -> Self {
        Self::with(Options { throttle_every: None, ..Options::default() }).await
    }

    async fn with(options: Options) -> Self {
        // Another test of this process may have been first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("mirror");
        let repository = root.join("registry").join(NAME);
        let blobs = repository.join("blobs/sha256");
        fs_err::create_dir_all(&blobs).unwrap();
        let content = content(200_000);
        let layer = put(&blobs, &content);
        let config = br#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}"#;
        let configuration = put(&blobs, config);
        let manifest = serde_json::json!({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": format!("sha256:{configuration}"), "size": config.len(),
            },
            "layers": [{
                "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
                "digest": format!("sha256:{layer}"), "size": content.len(),
            }],
        })
        .to_string();
        let manifest_digest = put(&blobs, manifest.as_bytes());
        let index = serde_json::json!({
            "schemaVersion": 2, "mediaType": INDEX,
            "manifests": [{
                "mediaType": MANIFEST, "digest": format!("sha256:{manifest_digest}"), "size": manifest.len(),
                "platform": { "architecture": "amd64", "os": "linux" },
            }],
        })
        .to_string();
        let index = put(&blobs, index.as_bytes());
        write(repository.join("tags/3.10.2"), format!("sha256:{index}").as_bytes());
        write(root.join("files").join(KUBEADM), &content);
        write(root.join("files").join(RUNC), b"runc");
        write(folder.path().join("secret"), b"secret");
        let log = folder.path().join("requests");
        let options = Options { log: Some(log.clone()), ..options };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mirror = Mirror::start(&root, listener, options).await.unwrap();
        Self { mirror, folder, log, index, manifest: manifest_digest, layer, content }
    }

    fn requests(&self) -> Vec<Request> {
        read_log(&self.log).unwrap()
    }

    async fn send(&self, method: Method, path: &str, headers: &[(header::HeaderName, &str)]) -> Response {
        send(method, &format!("{}{path}", self.mirror.url()), headers).await
    }

    async fn get(&self, path: &str) -> Response {
        self.send(Method::GET, path, &[]).await
    }

    /// An `Authorization` header with a fresh token.
    async fn bearer(&self, name: &str) -> String {
        let path = format!("/token?service=garboard-mirror&scope=repository%3A{name}%3Apull");
        let answer: serde_json::Value = self.get(&path).await.json().await.unwrap();
        format!("Bearer {}", answer["token"].as_str().unwrap())
    }

    fn layer_path(&self) -> String {
        format!("/v2/{NAME}/blobs/sha256:{}", self.layer)
    }

    /// The address the layer is redirected to.
    async fn layer_link(&self) -> String {
        let bearer = self.bearer(NAME).await;
        let answer = self.send(Method::GET, &self.layer_path(), &[(header::AUTHORIZATION, &bearer)]).await;
        assert_eq!(answer.status(), StatusCode::TEMPORARY_REDIRECT);
        answer.headers()[header::LOCATION].to_str().unwrap().to_owned()
    }

    /// The client that the command-line tool uses, and the image as it names it.
    fn oci(&self) -> (oci_client::Client, oci_client::Reference) {
        let client =
            oci_client::Client::new(ClientConfig { protocol: ClientProtocol::Http, ..Default::default() });
        let registry = self.mirror.url().replace("http://", "");
        (client, format!("{registry}/{NAME}:3.10.2").parse().unwrap())
    }

    /// The layer as a client that checks digests pulls it.
    async fn pull_layer(&self) -> Result<Vec<u8>, oci_client::errors::OciDistributionError> {
        let (client, image) = self.oci();
        let (manifest, _) = client.pull_image_manifest(&image, &RegistryAuth::Anonymous).await?;
        let mut pulled = Vec::new();
        client.pull_blob(&image, &manifest.layers[0], &mut pulled).await?;
        Ok(pulled)
    }
}

fn manifest_path(reference: &str) -> String {
    format!("/v2/{NAME}/manifests/{reference}")
}

async fn send(method: Method, url: &str, headers: &[(header::HeaderName, &str)]) -> Response {
    let client = Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let request = headers
        .iter()
        .fold(client.request(method, url), |request, (name, value)| request.header(name, *value));
    request.send().await.unwrap()
}

fn challenge(answer: &Response) -> &str {
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    answer.headers()[header::WWW_AUTHENTICATE].to_str().unwrap()
}

#[tokio::test]
async fn the_tools_own_client_pulls_an_image() {
    let fixture = Fixture::new().await;
    let (client, image) = fixture.oci();
    let (manifest, digest) = client.pull_manifest(&image, &RegistryAuth::Anonymous).await.unwrap();
    assert_eq!(digest, format!("sha256:{}", fixture.index));
    assert!(matches!(manifest, oci_client::manifest::OciManifest::ImageIndex(_)));
    let (_, digest) = client.pull_image_manifest(&image, &RegistryAuth::Anonymous).await.unwrap();
    assert_eq!(digest, format!("sha256:{}", fixture.manifest));
    assert_eq!(fixture.pull_layer().await.unwrap(), fixture.content);
    let statuses: Vec<u16> = fixture.requests().iter().map(|request| request.status).collect();
    assert!(statuses.contains(&401) && statuses.contains(&307), "{statuses:?}");
}

#[tokio::test]
async fn the_registry_greets_with_a_challenge() {
    let fixture = Fixture::new().await;
    let answer = fixture.get("/v2/").await;
    let realm = format!("Bearer realm=\"{}/token\",service=\"", fixture.mirror.url());
    assert!(challenge(&answer).starts_with(&realm), "{answer:?}");
    let bearer = fixture.bearer(NAME).await;
    let answer = fixture.send(Method::GET, "/v2/", &[(header::AUTHORIZATION, &bearer)]).await;
    assert_eq!(answer.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_manifest_needs_a_token_for_its_own_repository() {
    let fixture = Fixture::new().await;
    let path = manifest_path("3.10.2");
    let answer = fixture.get(&path).await;
    assert!(challenge(&answer).ends_with(&format!("scope=\"repository:{NAME}:pull\"")), "{answer:?}");
    let answer = fixture.send(Method::GET, &path, &[(header::AUTHORIZATION, "Bearer wrong")]).await;
    assert!(challenge(&answer).contains("invalid_token"), "{answer:?}");
    let other = fixture.bearer("registry.k8s.io/etcd").await;
    let answer = fixture.send(Method::GET, &path, &[(header::AUTHORIZATION, &other)]).await;
    assert!(challenge(&answer).contains("insufficient_scope"), "{answer:?}");
    let own = fixture.bearer(NAME).await;
    let answer = fixture.send(Method::GET, &path, &[(header::AUTHORIZATION, &own)]).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()[header::CONTENT_TYPE], INDEX);
    assert_eq!(answer.headers()["docker-content-digest"], format!("sha256:{}", fixture.index));
    assert_eq!(hex(&answer.bytes().await.unwrap()), fixture.index);
}

#[tokio::test]
async fn an_expired_token_is_refused() {
    let fixture = Fixture::with(Options { token_life: Duration::ZERO, ..Options::default() }).await;
    let bearer = fixture.bearer(NAME).await;
    let answer = fixture.send(Method::GET, &fixture.layer_path(), &[(header::AUTHORIZATION, &bearer)]).await;
    assert!(challenge(&answer).contains("invalid_token"), "{answer:?}");
}

#[tokio::test]
async fn manifests_come_by_digest_and_head_has_no_content() {
    let fixture = Fixture::new().await;
    let bearer = fixture.bearer(NAME).await;
    let headers = [(header::AUTHORIZATION, bearer.as_str())];
    let path = manifest_path(&format!("sha256:{}", fixture.manifest));
    let answer = fixture.send(Method::GET, &path, &headers).await;
    assert_eq!(answer.headers()[header::CONTENT_TYPE], MANIFEST);
    let body = answer.bytes().await.unwrap();
    assert_eq!(hex(&body), fixture.manifest);
    let answer = fixture.send(Method::HEAD, &path, &headers).await;
    assert_eq!(answer.headers()[header::CONTENT_LENGTH], body.len().to_string());
    assert_eq!(answer.bytes().await.unwrap().len(), 0);
    for unknown in
        ["no-such-tag", &format!("sha256:{}", "0".repeat(64)), &format!("sha256:{}", fixture.layer)]
    {
        let answer = fixture.send(Method::GET, &manifest_path(unknown), &headers).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{unknown}");
        assert!(answer.text().await.unwrap().contains("MANIFEST_UNKNOWN"), "{unknown}");
    }
}

#[tokio::test]
async fn an_index_is_not_given_to_a_client_that_does_not_name_it() {
    let fixture = Fixture::new().await;
    let bearer = fixture.bearer(NAME).await;
    let headers = [(header::AUTHORIZATION, bearer.as_str()), (header::ACCEPT, MANIFEST)];
    let answer = fixture.send(Method::GET, &manifest_path("3.10.2"), &headers).await;
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn blobs_lie_elsewhere_behind_a_signed_address() {
    let fixture = Fixture::new().await;
    let link = fixture.layer_link().await;
    assert!(!link.starts_with(&fixture.mirror.url()), "{link}");
    let answer = send(Method::GET, &link, &[]).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.bytes().await.unwrap(), fixture.content);

    let bearer = fixture.bearer(NAME).await;
    let answer = send(Method::GET, &link, &[(header::AUTHORIZATION, &bearer)]).await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    let other = link.replace(&fixture.layer, &fixture.manifest);
    assert_eq!(send(Method::GET, &other, &[]).await.status(), StatusCode::FORBIDDEN);
    let unsigned = link.split('?').next().unwrap();
    assert_eq!(send(Method::GET, unsigned, &[]).await.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_blobs_address_expires() {
    let fixture = Fixture::with(Options { link_life: Duration::ZERO, ..Options::default() }).await;
    let link = fixture.layer_link().await;
    let answer = send(Method::GET, &link, &[]).await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert!(answer.text().await.unwrap().contains("expired"));
}

#[tokio::test]
async fn too_many_requests_then_success() {
    let options = Options {
        throttle_every: NonZeroU32::new(2),
        retry_after: Duration::from_secs(3),
        ..Options::default()
    };
    let fixture = Fixture::with(options).await;
    let bearer = fixture.bearer(NAME).await;
    let headers = [(header::AUTHORIZATION, bearer.as_str())];
    let first = fixture.send(Method::GET, &manifest_path("3.10.2"), &headers).await;
    assert_eq!(first.status(), StatusCode::OK);
    let second = fixture.send(Method::GET, &fixture.layer_path(), &headers).await;
    assert_eq!(second.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(second.headers()[header::RETRY_AFTER], "3");
    let again = fixture.send(Method::GET, &fixture.layer_path(), &headers).await;
    assert_eq!(again.status(), StatusCode::TEMPORARY_REDIRECT);
}

#[tokio::test]
async fn an_interrupted_transfer_can_be_resumed() {
    let fixture = Fixture::new().await;
    let url = format!("{}/{KUBEADM}", fixture.mirror.url());
    let whole = send(Method::GET, &url, &[]).await;
    let tag = whole.headers()[header::ETAG].to_str().unwrap().to_owned();
    assert_eq!(whole.headers()[header::CONTENT_LENGTH], fixture.content.len().to_string());
    let rest = [(header::RANGE, "bytes=300000-"), (header::IF_RANGE, tag.as_str())];
    let answer = send(Method::GET, &url, &rest).await;
    assert_eq!(answer.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(answer.headers()[header::CONTENT_RANGE], "bytes 300000-799999/800000");
    assert_eq!(answer.bytes().await.unwrap(), fixture.content[300_000..]);
    let stale = [(header::RANGE, "bytes=300000-"), (header::IF_RANGE, "\"another\"")];
    assert_eq!(send(Method::GET, &url, &stale).await.status(), StatusCode::OK);
    let beyond = send(Method::GET, &url, &[(header::RANGE, "bytes=800000-")]).await;
    assert_eq!(beyond.status(), StatusCode::RANGE_NOT_SATISFIABLE);
    let unchanged = send(Method::GET, &url, &[(header::IF_NONE_MATCH, &tag)]).await;
    assert_eq!(unchanged.status(), StatusCode::NOT_MODIFIED);

    let link = fixture.layer_link().await;
    let answer = send(Method::GET, &link, &[(header::RANGE, "bytes=5-9")]).await;
    assert_eq!(answer.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(answer.bytes().await.unwrap(), fixture.content[5..10]);
}

#[tokio::test]
async fn checksums_are_published_as_each_host_writes_them() {
    let fixture = Fixture::new().await;
    let bare = fixture.get(&format!("/{KUBEADM}.sha256")).await.text().await.unwrap();
    assert_eq!(bare, hex(&fixture.content));
    let named = fixture.get(&format!("/{RUNC}.sha256")).await.text().await.unwrap();
    assert_eq!(named, format!("{}  runc.amd64\n", hex(b"runc")));
    let missing = fixture.get("/dl.k8s.io/no/such/file.sha256").await;
    assert_eq!(missing.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_flipped_bit_is_one_bit_and_a_client_notices_it() {
    let fixture = Fixture::new().await;
    let faults = Faults {
        flip_bit: [(fixture.layer.clone(), 8 * 500_000 + 3), ("kubeadm".to_owned(), 0)].into(),
        ..Faults::default()
    };
    fixture.mirror.set_faults(faults);
    let error = fixture.pull_layer().await.unwrap_err().to_string();
    assert!(error.to_lowercase().contains("digest"), "{error}");
    let spoilt = send(Method::GET, &fixture.layer_link().await, &[]).await.bytes().await.unwrap();
    let differing: Vec<usize> = (0..spoilt.len()).filter(|at| spoilt[*at] != fixture.content[*at]).collect();
    assert_eq!(differing, [500_000]);
    assert_eq!(spoilt[500_000] ^ fixture.content[500_000], 1 << 3);
    let part = fixture.send(Method::GET, &format!("/{KUBEADM}"), &[(header::RANGE, "bytes=1-9")]).await;
    assert_eq!(part.bytes().await.unwrap(), fixture.content[1..10]);
    fixture.mirror.set_faults(Faults::default());
    assert_eq!(fixture.pull_layer().await.unwrap(), fixture.content);
}

#[tokio::test]
async fn a_truncated_transfer_breaks_off_and_the_log_says_so() {
    let fixture = Fixture::new().await;
    let truncate = [("kubeadm".to_owned(), 123_456)].into();
    fixture.mirror.set_faults(Faults { truncate, ..Faults::default() });
    let answer = fixture.get(&format!("/{KUBEADM}")).await;
    assert_eq!(answer.headers()[header::CONTENT_LENGTH], fixture.content.len().to_string());
    answer.bytes().await.unwrap_err();
    let logged = fixture.requests().pop().unwrap();
    assert_eq!((logged.bytes, logged.complete), (123_456, false));
}

#[tokio::test]
async fn a_captive_portal_answers_with_a_page() {
    let fixture = Fixture::new().await;
    fixture.mirror.set_faults(Faults { html: [String::new()].into(), ..Faults::default() });
    for url in [format!("{}/{KUBEADM}", fixture.mirror.url()), fixture.layer_link().await] {
        let answer = send(Method::GET, &url, &[]).await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert!(answer.headers()[header::CONTENT_TYPE].to_str().unwrap().starts_with("text/html"));
        assert!(answer.text().await.unwrap().contains("<html>"));
    }
}

#[tokio::test]
async fn a_slow_transfer_takes_its_time() {
    let fixture = Fixture::new().await;
    let slow = [("kubeadm".to_owned(), NonZeroU64::new(2_000_000).unwrap())].into();
    fixture.mirror.set_faults(Faults { slow, ..Faults::default() });
    let begun = Instant::now();
    let answer = fixture.get(&format!("/{KUBEADM}")).await;
    assert_eq!(answer.bytes().await.unwrap(), fixture.content);
    assert!(begun.elapsed() >= Duration::from_millis(300), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn the_control_file_switches_faults_while_it_exists() {
    let place = tempfile::tempdir().unwrap();
    let control = place.path().join("faults.json");
    let options = Options { control: Some(control.clone()), ..Options::default() };
    let fixture = Fixture::with(options).await;
    let path = format!("/{RUNC}");
    assert_eq!(fixture.get(&path).await.text().await.unwrap(), "runc");
    fs_err::write(&control, r#"{"flip_bit": {"runc": 0}}"#).unwrap();
    assert_eq!(fixture.get(&path).await.text().await.unwrap(), "sunc");
    fs_err::remove_file(&control).unwrap();
    assert_eq!(fixture.get(&path).await.text().await.unwrap(), "runc");
}

/// Sends a path as it stands: HTTP clients tidy it up.
async fn raw(fixture: &Fixture, path: &str) -> String {
    let address = fixture.mirror.url().replace("http://", "");
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: mirror\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn nothing_outside_the_folder_is_served() {
    let fixture = Fixture::new().await;
    for path in ["/dl.k8s.io/../../../secret", "/dl.k8s.io/%2e%2e/%2e%2e/%2e%2e/secret", "//secret"] {
        let answer = raw(&fixture, path).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{path}: {answer}");
    }
    let link = fixture.folder.path().join("mirror/files/dl.k8s.io/link");
    std::os::unix::fs::symlink(fixture.folder.path().join("secret"), link).unwrap();
    let answer = raw(&fixture, "/dl.k8s.io/link").await;
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
}

#[tokio::test]
async fn the_mirror_cannot_be_written_to() {
    let fixture = Fixture::new().await;
    let answer = fixture.send(Method::PUT, &format!("/{KUBEADM}"), &[]).await;
    assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn the_log_counts_what_was_fetched_and_shows_no_signature() {
    let fixture = Fixture::new().await;
    assert_eq!(fixture.requests(), []);
    fixture.pull_layer().await.unwrap();
    let requests = fixture.requests();
    let fetched = requests.iter().find(|request| request.path.starts_with("/cdn/")).unwrap();
    assert_eq!((fetched.bytes, fetched.complete, fetched.status), (800_000, true, 200));
    assert!(!fs_err::read_to_string(&fixture.log).unwrap().contains("signature"));
    fixture.send(Method::HEAD, &format!("/{KUBEADM}"), &[]).await;
    let head = fixture.requests().pop().unwrap();
    assert_eq!((head.method.as_str(), head.bytes), ("HEAD", 0));
    assert_eq!(fixture.requests().len(), requests.len() + 1);
}

#[tokio::test]
async fn a_folder_that_is_no_mirror_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let error = Mirror::start(folder.path(), listener, Options::default()).await.err().unwrap();
    assert!(matches!(error, MirrorError::NoMirror { .. }), "{error}");
    assert!(error.to_string().contains(&folder.path().display().to_string()));
}
