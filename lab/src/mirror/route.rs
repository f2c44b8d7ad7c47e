//! What a request's path asks for. Pure.

use percent_encoding::percent_decode_str;

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// `/v2/`: is this a registry, and may I?
    Registry,
    /// `/token`: a bearer token.
    Token,
    /// An index or manifest by tag or digest.
    Manifest { name: String, reference: Reference },
    /// A blob, to be redirected.
    Blob { name: String, hex: String },
    /// A blob at its own address.
    Link { name: String, hex: String },
    /// A plain file: `HOST/PATH`.
    File(String),
}

/// How a manifest is named.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reference {
    Tag(String),
    /// 64 hexadecimal digits of a SHA-256.
    Digest(String),
}

/// A path that cannot name anything here.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BadPath;

/// The front door: everything but blobs at their own address.
pub(super) fn parse(path: &str) -> Result<Route, BadPath> {
    let path = decode(path)?;
    if matches!(path.as_str(), "v2" | "v2/") {
        return Ok(Route::Registry);
    }
    if path == "token" {
        return Ok(Route::Token);
    }
    check(&path)?;
    let Some(rest) = path.strip_prefix("v2/") else {
        return Ok(Route::File(path));
    };
    let (front, last) = rest.rsplit_once('/').ok_or(BadPath)?;
    let (name, kind) = front.rsplit_once('/').ok_or(BadPath)?;
    let name = name.to_owned();
    match (kind, last.strip_prefix("sha256:")) {
        ("manifests", None) => Ok(Route::Manifest { name, reference: Reference::Tag(last.to_owned()) }),
        ("manifests", Some(hex)) => Ok(Route::Manifest { name, reference: Reference::Digest(digest(hex)?) }),
        ("blobs", Some(hex)) => Ok(Route::Blob { name, hex: digest(hex)? }),
        _ => Err(BadPath),
    }
}

/// The other door: `/cdn/NAME/sha256/HEX`.
pub(super) fn parse_link(path: &str) -> Result<Route, BadPath> {
    let path = decode(path)?;
    check(&path)?;
    let rest = path.strip_prefix("cdn/").ok_or(BadPath)?;
    let (name, hex) = rest.split_once("/sha256/").ok_or(BadPath)?;
    Ok(Route::Link { name: name.to_owned(), hex: digest(hex)? })
}

fn decode(path: &str) -> Result<String, BadPath> {
    let path = path.strip_prefix('/').ok_or(BadPath)?;
    percent_decode_str(path).decode_utf8().map(std::borrow::Cow::into_owned).map_err(|_| BadPath)
}

/// Every component must be a plain name: nothing here may lead out of the mirror's folder.
fn check(path: &str) -> Result<(), BadPath> {
    let plain = |component: &str| {
        !matches!(component, "" | "." | "..")
            && !component.contains(['\0', '\\'])
            && !component.starts_with('.')
    };
    if path.split('/').all(plain) { Ok(()) } else { Err(BadPath) }
}

fn digest(hex: &str) -> Result<String, BadPath> {
    let good = hex.len() == 64 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if good { Ok(hex.to_owned()) } else { Err(BadPath) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_and_files_are_told_apart() {
        let hex = "a".repeat(64);
        let name = || "registry.k8s.io/coredns/coredns".to_owned();
        assert_eq!(parse("/v2/"), Ok(Route::Registry));
        assert_eq!(
            parse("/v2/registry.k8s.io/coredns/coredns/manifests/v1.14.2"),
            Ok(Route::Manifest { name: name(), reference: Reference::Tag("v1.14.2".to_owned()) })
        );
        assert_eq!(
            parse(&format!("/v2/registry.k8s.io/coredns/coredns/manifests/sha256:{hex}")),
            Ok(Route::Manifest { name: name(), reference: Reference::Digest(hex.clone()) })
        );
        assert_eq!(
            parse(&format!("/v2/registry.k8s.io/coredns/coredns/blobs/sha256:{hex}")),
            Ok(Route::Blob { name: name(), hex: hex.clone() })
        );
        assert_eq!(
            parse_link(&format!("/cdn/registry.k8s.io/coredns/coredns/sha256/{hex}")),
            Ok(Route::Link { name: name(), hex })
        );
        assert_eq!(parse("/dl.k8s.io/kubeadm"), Ok(Route::File("dl.k8s.io/kubeadm".to_owned())));
    }

    #[test]
    fn nothing_leads_out_of_the_folder() {
        for path in [
            "/dl.k8s.io/../../etc/passwd",
            "/dl.k8s.io/%2e%2e/%2e%2e/etc/passwd",
            "/dl.k8s.io%2f..%2f..%2fetc%2fpasswd",
            "/v2/registry.k8s.io/../../manifests/v1",
            "/v2/registry.k8s.io/pause/blobs/sha256:../../../etc/passwd",
            "//etc/passwd",
            "/dl.k8s.io/a\\b",
            "/dl.k8s.io/%00",
            "/",
        ] {
            assert_eq!(parse(path), Err(BadPath), "{path}");
        }
        assert_eq!(parse_link("/cdn/registry.k8s.io/../sha256/x"), Err(BadPath));
    }
}
