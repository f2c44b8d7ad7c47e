//! The registry's side: challenge, tokens, manifests, and the way to blobs.

use std::fmt::Write as _;

use http::{HeaderMap, Response, StatusCode, header};
use serde::Deserialize;

use super::answer::{self, Answer};
use super::file::{self, Wanted};
use super::link::Refusal;
use super::route::Reference;
use super::server::Shared;
use super::token::Denied;

/// Names this registry in challenges and token requests.
const SERVICE: &str = "garboard-mirror";
const DIGEST: http::HeaderName = http::HeaderName::from_static("docker-content-digest");
/// Larger blobs are no manifests; the distribution specification sets this limit.
const LARGEST_MANIFEST: u64 = 4 << 20;

/// `/v2/`: says whether the bearer is known.
pub(super) fn base(shared: &Shared, headers: &HeaderMap) -> Answer {
    match shared.tokens.check(authorization(headers), None) {
        Ok(()) => answer::with(StatusCode::OK, "application/json", "{}".to_owned()),
        Err(denied) => challenge(shared, denied, None),
    }
}

/// `/token`: a token for whoever asks, for what they ask.
pub(super) fn token(shared: &Shared, query: &str) -> Answer {
    let mut scopes = Vec::new();
    for (key, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*key {
            "service" if value != SERVICE => {
                return answer::text(
                    StatusCode::BAD_REQUEST,
                    format!("there is no service `{value}` here\n"),
                );
            }
            "scope" => scopes.push(value.into_owned()),
            _ => {}
        }
    }
    match shared.tokens.issue(scopes.iter().map(String::as_str)) {
        Ok(token) => {
            let seconds = shared.tokens.life().as_secs();
            let body = serde_json::json!({ "token": token, "access_token": token, "expires_in": seconds });
            answer::with(StatusCode::OK, "application/json", body.to_string())
        }
        Err(error) => answer::text(StatusCode::INTERNAL_SERVER_ERROR, format!("no random bytes: {error}\n")),
    }
}

/// The answer to a request for a repository that may not go on.
fn refusal(shared: &Shared, headers: &HeaderMap, path: &str, name: &str) -> Option<Answer> {
    if let Err(denied) = shared.tokens.check(authorization(headers), Some(name)) {
        return Some(challenge(shared, denied, Some(name)));
    }
    if shared.throttle.refuses(path) {
        let mut answer =
            answer::registry_error(StatusCode::TOO_MANY_REQUESTS, "TOOMANYREQUESTS", "too many requests");
        answer::set(&mut answer, header::RETRY_AFTER, &shared.options.retry_after.as_secs().to_string());
        return Some(answer);
    }
    None
}

/// An index or manifest.
pub(super) async fn manifest(
    shared: &Shared,
    headers: &HeaderMap,
    path: &str,
    name: &str,
    reference: Reference,
) -> std::io::Result<Answer> {
    if let Some(answer) = refusal(shared, headers, path, name) {
        return Ok(answer);
    }
    let unknown = || answer::registry_error(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN", "manifest unknown");
    let hex = match reference {
        Reference::Digest(hex) => hex,
        Reference::Tag(tag) => {
            let file = shared.repository(name).join("tags").join(tag);
            match tokio::fs::read_to_string(file).await {
                Ok(digest) => digest.trim().trim_start_matches("sha256:").to_owned(),
                Err(_) => return Ok(unknown()),
            }
        }
    };
    let blob = shared.blob(name, &hex);
    let Some(media_type) = media_type(&blob).await else {
        return Ok(unknown());
    };
    if !accepts(headers, &media_type) {
        let message = format!("this is a `{media_type}`, which the Accept header does not name");
        return Ok(answer::registry_error(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN", &message));
    }
    let digest = format!("sha256:{hex}");
    let tag = Some(format!("\"{digest}\""));
    let wanted =
        Wanted { headers, tag, media_type: &media_type, fault: shared.fault(&format!("{path} {hex}")) };
    let Some(mut answer) = file::answer(&shared.root, &blob, wanted).await? else {
        return Ok(unknown());
    };
    answer::set(&mut answer, DIGEST, &digest);
    Ok(answer)
}

/// The way to a blob: another address, signed.
pub(super) async fn blob(
    shared: &Shared,
    headers: &HeaderMap,
    path: &str,
    name: &str,
    hex: &str,
) -> std::io::Result<Answer> {
    if let Some(answer) = refusal(shared, headers, path, name) {
        return Ok(answer);
    }
    if !tokio::fs::try_exists(shared.blob(name, hex)).await? {
        return Ok(answer::registry_error(StatusCode::NOT_FOUND, "BLOB_UNKNOWN", "blob unknown to registry"));
    }
    let place = format!("/cdn/{name}/sha256/{hex}");
    let location = format!("http://{}{place}?{}", shared.blob_address, shared.signer.query(&place));
    let mut answer = Response::new(answer::full(""));
    *answer.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    answer::set(&mut answer, header::LOCATION, &location);
    answer::set(&mut answer, DIGEST, &format!("sha256:{hex}"));
    Ok(answer)
}

/// A blob at its own address.
pub(super) async fn link(
    shared: &Shared,
    headers: &HeaderMap,
    uri: &http::Uri,
    name: &str,
    hex: &str,
) -> std::io::Result<Answer> {
    if headers.contains_key(header::AUTHORIZATION) {
        let message = "Only one auth mechanism allowed; send no Authorization header to a signed address";
        return Ok(answer::storage_error(StatusCode::BAD_REQUEST, "InvalidArgument", message));
    }
    match shared.signer.check(uri.path(), uri.query().unwrap_or_default()) {
        Ok(()) => {}
        Err(Refusal::Forged) => {
            let message = "The request signature does not match";
            return Ok(answer::storage_error(StatusCode::FORBIDDEN, "SignatureDoesNotMatch", message));
        }
        Err(Refusal::Expired) => {
            let message = "Request has expired";
            return Ok(answer::storage_error(StatusCode::FORBIDDEN, "AccessDenied", message));
        }
    }
    let wanted = Wanted {
        headers,
        tag: Some(format!("\"{hex}\"")),
        media_type: "application/octet-stream",
        fault: shared.fault(uri.path()),
    };
    let answer = file::answer(&shared.root, &shared.blob(name, hex), wanted).await?;
    let missing =
        || answer::storage_error(StatusCode::NOT_FOUND, "NoSuchKey", "The specified key does not exist.");
    Ok(answer.unwrap_or_else(missing))
}

/// 401 with the way to a token.
fn challenge(shared: &Shared, denied: Denied, name: Option<&str>) -> Answer {
    let mut value = format!("Bearer realm=\"http://{}/token\",service=\"{SERVICE}\"", shared.address);
    if let Some(name) = name {
        // Writing to a String does not fail.
        let _ = write!(value, ",scope=\"repository:{name}:pull\"");
    }
    let message = match denied {
        Denied::Absent => "authentication required",
        Denied::Invalid => {
            value.push_str(",error=\"invalid_token\"");
            "the token is unknown or has expired"
        }
        Denied::OutOfScope => {
            value.push_str(",error=\"insufficient_scope\"");
            "the token is for something else"
        }
    };
    let mut answer = answer::registry_error(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", message);
    answer::set(&mut answer, header::WWW_AUTHENTICATE, &value);
    answer
}

fn authorization(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok())
}

/// The media type that a manifest states of itself; `None` if the blob is no manifest.
async fn media_type(blob: &std::path::Path) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Manifest {
        media_type: String,
    }
    let metadata = tokio::fs::metadata(blob).await.ok().filter(|metadata| metadata.len() <= LARGEST_MANIFEST);
    metadata?;
    let bytes = tokio::fs::read(blob).await.ok()?;
    serde_json::from_slice::<Manifest>(&bytes).ok().map(|manifest| manifest.media_type)
}

/// Whether the client takes this media type. One that names none takes all.
fn accepts(headers: &HeaderMap, media_type: &str) -> bool {
    let mut names = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|range| range.split(';').next().unwrap_or_default().trim())
        .peekable();
    names.peek().is_none() || names.any(|name| matches!(name, "*/*" | "application/*") || name == media_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_gets_only_what_it_names() {
        let index = "application/vnd.oci.image.index.v1+json";
        let headers = |values: &[&'static str]| -> HeaderMap {
            values.iter().map(|value| (header::ACCEPT, http::HeaderValue::from_static(value))).collect()
        };
        assert!(accepts(&headers(&[]), index));
        assert!(accepts(&headers(&["text/html, application/vnd.oci.image.index.v1+json;q=0.5"]), index));
        assert!(accepts(&headers(&["text/html", "*/*"]), index));
        assert!(!accepts(&headers(&["application/vnd.oci.image.manifest.v1+json"]), index));
    }
}
