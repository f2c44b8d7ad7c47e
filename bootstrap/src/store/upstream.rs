//! Where the official hosts' content is asked for: at those hosts, or at a mirror laid out like them. The one place
//! that knows how a mirror is laid out.

use oci_client::Reference;
use reqwest::Url;

use super::error::StoreError;

/// The official hosts, or the mirror that stands for them.
#[derive(Debug, Clone, Default)]
pub struct Upstream {
    mirror: Option<Mirror>,
}

#[derive(Debug, Clone)]
struct Mirror {
    /// Without a trailing slash; for example `http://127.0.0.1:8080`.
    origin: String,
    /// Host and, where it is not the scheme's own, port.
    authority: String,
    plain: bool,
}

impl Upstream {
    /// The official hosts, over HTTPS.
    pub fn official() -> Self {
        Self::default()
    }

    /// A mirror: `https://HOST/PATH` is asked as `MIRROR/HOST/PATH`, the image `HOST/NAME:TAG` as `HOST/NAME:TAG` at
    /// the registry `MIRROR`. `url` is `http` or `https`, a host and perhaps a port; image registries have no path.
    pub fn mirror(url: &str) -> Result<Self, StoreError> {
        let wrong = |reason: &str| StoreError::Upstream { url: url.to_owned(), reason: reason.to_owned() };
        let parsed = Url::parse(url).map_err(|error| wrong(&error.to_string()))?;
        let plain = match parsed.scheme() {
            "http" => true,
            "https" => false,
            _ => return Err(wrong("only `http` and `https` are spoken")),
        };
        if !matches!(parsed.path(), "" | "/") || parsed.query().is_some() || parsed.fragment().is_some() {
            return Err(wrong("a mirror is named by its host and port alone, without a path"));
        }
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err(wrong("it must not hold a user name or password"));
        }
        let host = parsed.host_str().ok_or_else(|| wrong("it names no host"))?;
        let authority = parsed.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        Ok(Self {
            mirror: Some(Mirror { origin: format!("{}://{authority}", parsed.scheme()), authority, plain }),
        })
    }

    /// Where the file officially at `url` is asked for.
    pub(super) fn file(&self, url: &str) -> Result<Url, StoreError> {
        let wrong = |reason: String| StoreError::Upstream { url: url.to_owned(), reason };
        let official = Url::parse(url).map_err(|error| wrong(error.to_string()))?;
        if official.scheme() != "https" {
            return Err(wrong("files come over `https` only".to_owned()));
        }
        let Some(mirror) = &self.mirror else { return Ok(official) };
        let rest = url.trim_start_matches("https://");
        Url::parse(&format!("{}/{rest}", mirror.origin)).map_err(|error| wrong(error.to_string()))
    }

    /// The reference under which the image officially called `reference` is asked for.
    pub(super) fn image(&self, reference: &Reference) -> Reference {
        let Some(mirror) = &self.mirror else { return reference.clone() };
        let repository = format!("{}/{}", reference.registry(), reference.repository());
        let tag = reference.tag().unwrap_or("latest").to_owned();
        Reference::with_tag(mirror.authority.clone(), repository, tag)
    }

    /// The registry's own URL of `path` (`manifests/TAG`, `blobs/DIGEST`) of the image officially called `reference`.
    pub(super) fn registry(&self, reference: &Reference, path: &str) -> Result<Url, StoreError> {
        let asked = self.image(reference);
        let scheme = if self.plain_registry().is_some() { "http" } else { "https" };
        let url = format!("{scheme}://{}/v2/{}/{path}", asked.resolve_registry(), asked.repository());
        Url::parse(&url).map_err(|error| StoreError::Upstream { url, reason: error.to_string() })
    }

    /// The registry that is spoken to without TLS, if any.
    pub(super) fn plain_registry(&self) -> Option<&str> {
        self.mirror.as_ref().filter(|mirror| mirror.plain).map(|mirror| mirror.authority.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::Upstream;

    #[test]
    fn official_hosts_are_asked_as_they_are() {
        let upstream = Upstream::official();
        let url = "https://dl.k8s.io/release/v1.36.3/bin/linux/amd64/kubeadm";
        assert_eq!(upstream.file(url).unwrap().as_str(), url);
        let pause = "registry.k8s.io/pause:3.10.2".parse().unwrap();
        let manifest = upstream.registry(&pause, "manifests/3.10.2").unwrap();
        assert_eq!(manifest.as_str(), "https://registry.k8s.io/v2/pause/manifests/3.10.2");
    }

    #[test]
    fn a_mirror_is_asked_for_host_and_path() {
        let upstream = Upstream::mirror("http://127.0.0.1:8080/").unwrap();
        let file = upstream.file("https://dl.k8s.io/release/v1.36.3/bin/linux/amd64/kubeadm").unwrap();
        assert_eq!(file.as_str(), "http://127.0.0.1:8080/dl.k8s.io/release/v1.36.3/bin/linux/amd64/kubeadm");
        let coredns = "registry.k8s.io/coredns/coredns:v1.14.2".parse().unwrap();
        let manifest = upstream.registry(&coredns, "manifests/v1.14.2").unwrap();
        assert_eq!(
            manifest.as_str(),
            "http://127.0.0.1:8080/v2/registry.k8s.io/coredns/coredns/manifests/v1.14.2"
        );
    }

    #[test]
    fn a_mirror_with_a_path_a_password_or_another_scheme_is_refused() {
        for url in
            ["http://mirror/path", "ftp://mirror", "http://user:word@mirror", "mirror:80", "http://m/?a=b"]
        {
            assert!(Upstream::mirror(url).is_err(), "{url}");
        }
    }
}
