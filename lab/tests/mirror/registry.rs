//! Tokens, manifests, blobs, and too many requests.

use std::num::NonZeroU32;
use std::time::Duration;

use garboard_lab::mirror::Options;
use oci_client::secrets::RegistryAuth;
use reqwest::{Method, StatusCode, header};

use crate::fixture::{Fixture, INDEX, MANIFEST, NAME, challenge, hex, manifest_path, send};

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
