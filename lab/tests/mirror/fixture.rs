//! A small made-up mirror at work, and the clients of it.

use std::path::{Path, PathBuf};

use garboard_lab::mirror::{Mirror, Options, Request, read_log};
use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::secrets::RegistryAuth;
use reqwest::header;
use reqwest::{Client, Method, Response, StatusCode};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;

pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const NAME: &str = "registry.k8s.io/pause";
pub(crate) const KUBEADM: &str = "dl.k8s.io/release/v1.36.3/bin/linux/amd64/kubeadm";
pub(crate) const RUNC: &str = "github.com/opencontainers/runc/releases/download/v1.4.3/runc.amd64";

/// A mirror at work with one image and two files in it.
pub(crate) struct Fixture {
    pub(crate) mirror: Mirror,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) log: PathBuf,
    /// Digests without `sha256:`.
    pub(crate) index: String,
    pub(crate) manifest: String,
    pub(crate) layer: String,
    pub(crate) content: Vec<u8>,
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// Bytes that differ everywhere, so that a wrong offset shows.
pub(crate) fn content(length: u32) -> Vec<u8> {
    (0..length).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()).collect()
}

pub(crate) fn put(blobs: &Path, bytes: &[u8]) -> String {
    let name = hex(bytes);
    fs_err::write(blobs.join(&name), bytes).unwrap();
    name
}

pub(crate) fn write(path: PathBuf, bytes: &[u8]) {
    fs_err::create_dir_all(path.parent().unwrap()).unwrap();
    fs_err::write(path, bytes).unwrap();
}

impl Fixture {
    pub(crate) async fn new() -> Self {
        Self::with(Options { throttle_every: None, ..Options::default() }).await
    }

    pub(crate) async fn with(options: Options) -> Self {
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

    pub(crate) fn requests(&self) -> Vec<Request> {
        read_log(&self.log).unwrap()
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(header::HeaderName, &str)],
    ) -> Response {
        send(method, &format!("{}{path}", self.mirror.url()), headers).await
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.send(Method::GET, path, &[]).await
    }

    /// An `Authorization` header with a fresh token.
    pub(crate) async fn bearer(&self, name: &str) -> String {
        let path = format!("/token?service=garboard-mirror&scope=repository%3A{name}%3Apull");
        let answer: serde_json::Value = self.get(&path).await.json().await.unwrap();
        format!("Bearer {}", answer["token"].as_str().unwrap())
    }

    pub(crate) fn layer_path(&self) -> String {
        format!("/v2/{NAME}/blobs/sha256:{}", self.layer)
    }

    /// The address the layer is redirected to.
    pub(crate) async fn layer_link(&self) -> String {
        let bearer = self.bearer(NAME).await;
        let answer = self.send(Method::GET, &self.layer_path(), &[(header::AUTHORIZATION, &bearer)]).await;
        assert_eq!(answer.status(), StatusCode::TEMPORARY_REDIRECT);
        answer.headers()[header::LOCATION].to_str().unwrap().to_owned()
    }

    /// The client that the command-line tool uses, and the image as it names it.
    pub(crate) fn oci(&self) -> (oci_client::Client, oci_client::Reference) {
        let client =
            oci_client::Client::new(ClientConfig { protocol: ClientProtocol::Http, ..Default::default() });
        let registry = self.mirror.url().replace("http://", "");
        (client, format!("{registry}/{NAME}:3.10.2").parse().unwrap())
    }

    /// The layer as a client that checks digests pulls it.
    pub(crate) async fn pull_layer(&self) -> Result<Vec<u8>, oci_client::errors::OciDistributionError> {
        let (client, image) = self.oci();
        let (manifest, _) = client.pull_image_manifest(&image, &RegistryAuth::Anonymous).await?;
        let mut pulled = Vec::new();
        client.pull_blob(&image, &manifest.layers[0], &mut pulled).await?;
        Ok(pulled)
    }
}

pub(crate) fn manifest_path(reference: &str) -> String {
    format!("/v2/{NAME}/manifests/{reference}")
}

pub(crate) async fn send(method: Method, url: &str, headers: &[(header::HeaderName, &str)]) -> Response {
    let client = Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let request = headers
        .iter()
        .fold(client.request(method, url), |request, (name, value)| request.header(name, *value));
    request.send().await.unwrap()
}

pub(crate) fn challenge(answer: &Response) -> &str {
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    answer.headers()[header::WWW_AUTHENTICATE].to_str().unwrap()
}
