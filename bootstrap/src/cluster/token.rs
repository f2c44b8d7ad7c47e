//! Bootstrap tokens: the Secret kubeadm and the cluster's controllers know, short-lived.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use garboard_protocol::Secret;
use jiff::fmt::rfc2822;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{ConfigMap, Secret as SecretObject};
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use super::ask::ask;
use super::error::ClusterError;
use super::{Cluster, FIELD_MANAGER};

/// Longest life of a token.
const LIFETIME: Duration = Duration::from_mins(15);
/// Until the controller manager has signed the discovery document with a new token.
const SIGNED: Duration = Duration::from_mins(1);
/// The group kubeadm's own RBAC rules allow to join.
const GROUP: &str = "system:bootstrappers:kubeadm:default-node-token";

impl Cluster {
    /// Makes the token (`ID.SECRET`, kubeadm's form) known for at most 15 minutes, and waits until a host can discover
    /// the cluster by it: kubeadm itself would only look again every five seconds.
    pub async fn create_token(
        &self,
        token: &Secret,
        lifetime: Duration,
        description: &str,
    ) -> Result<(), ClusterError> {
        let (id, secret) = parts(token)?;
        self.discovery_is_there().await?;
        let now = self.time().await?;
        let lifetime = SignedDuration::try_from(lifetime.min(LIFETIME)).unwrap_or(SignedDuration::ZERO);
        let object = secret_object(id, secret, now + lifetime, description);
        let api: Api<SecretObject> = Api::namespaced(self.client.clone(), "kube-system");
        let parameters = PatchParams::apply(FIELD_MANAGER).force();
        let patch = Patch::Apply(&object);
        let asked = format!("make the bootstrap token `{id}`");
        let name = name(id);
        ask(&asked, || api.patch(&name, &parameters, &patch)).await?;
        self.token_signed(id).await
    }

    /// Waits until the discovery document `kube-public/cluster-info` is signed for the token `id`.
    pub async fn token_signed(&self, id: &str) -> Result<(), ClusterError> {
        let api: Api<ConfigMap> = Api::namespaced(self.client.clone(), "kube-public");
        let awaited = format!("`kube-public/cluster-info` to be signed for the token `{id}`");
        self.until(api, "cluster-info", &awaited, SIGNED, |found| lacking(found, id)).await
    }

    async fn discovery_is_there(&self) -> Result<(), ClusterError> {
        let api: Api<ConfigMap> = Api::namespaced(self.client.clone(), "kube-public");
        let found = ask("read `kube-public/cluster-info`", || api.get_opt("cluster-info")).await?;
        found.map(|_| ()).ok_or(ClusterError::NoDiscovery)
    }

    /// Removes a token; whether there was one.
    pub async fn delete_token(&self, id: &str) -> Result<bool, ClusterError> {
        let api: Api<SecretObject> = Api::namespaced(self.client.clone(), "kube-system");
        let parameters = DeleteParams::default();
        let asked = format!("delete the bootstrap token `{id}`");
        let name = name(id);
        match ask(&asked, || api.delete(&name, &parameters)).await {
            Ok(_) => Ok(true),
            Err(ClusterError::Refused { code: 404, .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The API server's time: the laptop's clock may be minutes off, and it is the cluster that ends a token's life.
    async fn time(&self) -> Result<Timestamp, ClusterError> {
        let asked = "ask for the API server's time";
        let date = ask(asked, || async {
            let request = http::Request::get("/version")
                .body(kube::client::Body::empty())
                .map_err(kube::Error::HttpError)?;
            let response = self.client.send(request).await?;
            Ok(response.headers().get(http::header::DATE).cloned())
        })
        .await?;
        let parsed = date.as_ref().and_then(|date| rfc2822::parse(date.to_str().ok()?).ok());
        parsed
            .map(|time| time.timestamp())
            .ok_or_else(|| ClusterError::Answer { asked: asked.to_owned(), found: "no date".to_owned() })
    }
}

fn name(id: &str) -> String {
    format!("bootstrap-token-{id}")
}

/// ID and secret of a token in kubeadm's form.
fn parts(token: &Secret) -> Result<(&str, &str), ClusterError> {
    let legal = |text: &str, length: usize| {
        text.len() == length && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    let parts = token.expose().split_once('.');
    parts.filter(|(id, secret)| legal(id, 6) && legal(secret, 16)).ok_or(ClusterError::Token)
}

/// As `kubeadm token create` makes it.
/// <https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/>
fn secret_object(id: &str, secret: &str, expires: Timestamp, description: &str) -> Value {
    let data = [
        ("token-id", id),
        ("token-secret", secret),
        ("expiration", &expires.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
        ("usage-bootstrap-authentication", "true"),
        ("usage-bootstrap-signing", "true"),
        ("auth-extra-groups", GROUP),
        ("description", description),
    ];
    let data: BTreeMap<&str, String> = data.iter().map(|(key, text)| (*key, STANDARD.encode(text))).collect();
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": { "name": name(id), "namespace": "kube-system" },
        "type": "bootstrap.kubernetes.io/token",
        "data": data,
    })
}

fn lacking(discovery: Option<&ConfigMap>, id: &str) -> Vec<String> {
    let signature = format!("jws-kubeconfig-{id}");
    let signed =
        discovery.and_then(|found| found.data.as_ref()).is_some_and(|data| data.contains_key(&signature));
    if signed { Vec::new() } else { vec!["the signature (is `kube-controller-manager` running?)".to_owned()] }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use garboard_protocol::Secret;
    use k8s_openapi::api::core::v1::ConfigMap;
    use serde_json::json;

    use super::{lacking, parts, secret_object};

    #[test]
    fn the_secret_has_the_form_kubeadm_gives_it() {
        let expires = "2026-11-21T10:15:00.123Z".parse().unwrap();
        let secret = secret_object("abcdef", "0123456789abcdef", expires, "for w1");
        assert_eq!(secret["apiVersion"], "v1");
        assert_eq!(secret["kind"], "Secret");
        assert_eq!(secret["metadata"], json!({"name": "bootstrap-token-abcdef", "namespace": "kube-system"}));
        assert_eq!(secret["type"], "bootstrap.kubernetes.io/token");
        let data: BTreeMap<String, String> = serde_json::from_value(secret["data"].clone()).unwrap();
        let text = |value: String| String::from_utf8(STANDARD.decode(value).unwrap()).unwrap();
        let told: Vec<String> =
            data.into_iter().map(|(key, value)| format!("{key}={}", text(value))).collect();
        let expected = [
            "auth-extra-groups=system:bootstrappers:kubeadm:default-node-token",
            "description=for w1",
            "expiration=2026-11-21T10:15:00Z",
            "token-id=abcdef",
            "token-secret=0123456789abcdef",
            "usage-bootstrap-authentication=true",
            "usage-bootstrap-signing=true",
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn only_tokens_of_kubeadms_form_are_taken() {
        assert!(parts(&Secret::new("abcdef.0123456789abcdef")).is_ok());
        for wrong in
            ["", "abcdef", "abcde.0123456789abcdef", "ABCDEF.0123456789abcdef", "abcdef.0123456789abcde/"]
        {
            assert!(parts(&Secret::new(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_token_can_be_used_once_discovery_is_signed_for_it() {
        let map = |key: &str| -> ConfigMap { serde_json::from_value(json!({"data": {key: "x"}})).unwrap() };
        assert!(lacking(Some(&map("jws-kubeconfig-abcdef")), "abcdef").is_empty());
        assert_eq!(lacking(Some(&map("jws-kubeconfig-aaaaaa")), "abcdef").len(), 1);
        assert_eq!(lacking(None, "abcdef").len(), 1);
    }
}
