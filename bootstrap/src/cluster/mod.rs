//! The Kubernetes API, spoken from the laptop through whatever carries bytes to a control plane's port 6443.
//!
//! The cluster's own steps (manifests by server-side apply, labels, tokens, waits) run here. Waits are watches. All
//! types of the `kube` crates stay inside this module.
//!
//! # Current limitations
//!
//! Objects that left a manifest are not removed from the cluster (no pruning).

mod apply;
mod ask;
mod authority;
mod configuration;
mod connection;
mod difference;
mod discovery;
mod document;
mod drain;
mod error;
mod ingress;
mod node;
mod taint;
mod token;
mod watch;
mod workload;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use garboard_protocol::event::AdminCredentials;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::Api;
use kube::client::ConfigExt as _;
use tower::Layer as _;

pub use authority::ca_hash;
pub use configuration::ClusterConfiguration;
pub use connection::{ByteStream, Opener};
pub use error::ClusterError;
pub use node::NodeState;

use connection::Pipes;

/// Who we are in `metadata.managedFields`.
const FIELD_MANAGER: &str = "garboard";

/// A client of one cluster's API. Cheap to clone; connections are opened when needed, at most four at a time.
#[derive(Clone)]
pub struct Cluster {
    client: kube::Client,
    discovered: Arc<discovery::Discovered>,
}

impl Cluster {
    /// A client that reaches the API through streams `opener` gives, and expects a server called `server_name` (the
    /// endpoint's host) with a certificate of the CA in `credentials`. With `ca_hash`, that CA must be this one. No
    /// connection is made yet.
    pub fn connect(
        opener: Opener,
        credentials: &AdminCredentials,
        server_name: &str,
        ca_hash: Option<&str>,
    ) -> Result<Self, ClusterError> {
        let found = authority::ca_hash(&credentials.certificate_authority)?;
        if let Some(expected) = ca_hash.filter(|expected| *expected != found) {
            return Err(ClusterError::OtherAuthority { expected: expected.to_owned(), found });
        }
        // Both HTTP clients take the process's TLS provider; a second call finds it set, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let setup = |cause: kube::Error| ClusterError::Credentials { cause: Arc::new(cause) };
        // The address is never resolved: the connector ignores it.
        let url = http::Uri::from_static("https://kubernetes.default.svc");
        let mut config = kube::Config::new(url);
        config.tls_server_name = Some(server_name.to_owned());
        config.root_cert = Some(vec![authority::der(&credentials.certificate_authority)?]);
        // Through serde, because the field's type is another crate's.
        let key = STANDARD.encode(credentials.key.expose());
        config.auth_info = serde_json::from_value(serde_json::json!({
            "client-certificate-data": STANDARD.encode(&credentials.certificate),
            "client-key-data": key,
        }))
        .map_err(|error| setup(kube::Error::SerdeError(error)))?;
        let https = config.rustls_https_connector_with_connector(Pipes::new(opener)).map_err(setup)?;
        let http = hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new())
            .pool_max_idle_per_host(connection::AT_A_TIME)
            .build(https);
        let service = config.base_uri_layer().layer(http);
        Ok(Self { client: kube::Client::new(service, "default"), discovered: Arc::default() })
    }

    /// The UID of the namespace `kube-system`: with the CA's hash, the cluster's identity.
    pub async fn uid(&self) -> Result<String, ClusterError> {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        let asked = "read the namespace `kube-system`";
        let namespace = ask::ask(asked, || namespaces.get("kube-system")).await?;
        namespace.metadata.uid.ok_or_else(|| ClusterError::Answer {
            asked: asked.to_owned(),
            found: "a namespace without a UID".to_owned(),
        })
    }
}
