//! Why content could not be had.

use std::path::PathBuf;
use std::sync::Arc;

use garboard_protocol::Digest;

/// A failed fetch. Cheap to clone: several callers may wait for one download.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// A URL nothing can be asked at.
    #[error("`{url}` cannot be used: {reason}")]
    Upstream {
        /// As given.
        url: String,
        /// Why not.
        reason: String,
    },
    /// An image name that is none.
    #[error("`{reference}` is no image reference")]
    Reference {
        /// As given.
        reference: String,
        /// Why not.
        #[source]
        cause: Arc<oci_client::ParseError>,
    },
    /// The TLS or HTTP client could not be made.
    #[error("the HTTP client could not be set up")]
    Client(#[source] Arc<dyn std::error::Error + Send + Sync>),
    /// No connection, or it broke.
    #[error("`{url}` could not be read; is the network up, and may this machine reach that host?")]
    Unreachable {
        /// Asked.
        url: String,
        /// Why.
        #[source]
        cause: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// The server answered, but not with the content.
    #[error("`{url}` was answered with {status}{}", .detail.as_ref().map(|text| format!(": {text}")).unwrap_or_default())]
    Status {
        /// Asked.
        url: String,
        /// Code and name; for example `404 Not Found`.
        status: String,
        /// The beginning of the answer's text.
        detail: Option<String>,
    },
    /// The registry gave no token.
    #[error("the registry gave no permission to read `{reference}`")]
    Permission {
        /// The image.
        reference: String,
        /// Why.
        #[source]
        cause: Arc<oci_client::errors::OciDistributionError>,
    },
    /// Tried again and again.
    #[error("gave up on `{url}` after {attempts} attempts")]
    GaveUp {
        /// Asked.
        url: String,
        /// How often in a row, without any progress.
        attempts: u32,
        /// The last attempt's failure.
        #[source]
        cause: Box<StoreError>,
    },
    /// The server wants us to come back much later.
    #[error("`{url}` asks to be left alone for {seconds} s (429 Too Many Requests); run again after that")]
    ComeBack {
        /// Asked.
        url: String,
        /// From Retry-After.
        seconds: u64,
    },
    /// A web page in the file's place.
    #[error(
        "`{url}` was answered with an HTML page instead of the content `{expected}`; \
         is there a login page or a filtering proxy between here and that host?"
    )]
    Html {
        /// Asked.
        url: String,
        /// What should have come.
        expected: String,
    },
    /// Not the content that was asked for; it was thrown away.
    #[error("`{url}` gave content with the digest {found}, expected {expected}; it was thrown away")]
    WrongDigest {
        /// Asked.
        url: String,
        /// Locked.
        expected: Digest,
        /// What came.
        found: Digest,
    },
    /// Not the size that was asked for; it was thrown away.
    #[error("`{url}` gave {found} bytes, expected {expected}; they were thrown away")]
    WrongSize {
        /// Asked.
        url: String,
        /// Locked, in bytes.
        expected: u64,
        /// Offered or received, in bytes.
        found: u64,
    },
    /// A document larger than any real one.
    #[error("`{url}` gave more than {limit} bytes where a small document was expected")]
    TooLarge {
        /// Asked.
        url: String,
        /// In bytes.
        limit: usize,
    },
    /// A document that does not say what it should.
    #[error("`{url}` holds {found} where {expected} was expected")]
    Content {
        /// Asked.
        url: String,
        /// For example `an image index`.
        expected: &'static str,
        /// What it is.
        found: String,
    },
    /// The image is not built for the host's platform.
    #[error("the image `{reference}` is not built for {platform}; it is there for {}", listed(.available))]
    Platform {
        /// The image.
        reference: String,
        /// Wanted, for example `linux/arm64`.
        platform: String,
        /// What the index lists.
        available: Vec<String>,
    },
    /// Index and configuration of the image contradict each other.
    #[error(
        "the image `{reference}` is mislabelled: its index says {platform}, and the configuration there {found}"
    )]
    Mislabelled {
        /// The image.
        reference: String,
        /// By the index, for example `linux/arm64`.
        platform: String,
        /// By the configuration: `is for linux/amd64`.
        found: String,
    },
    /// The tag points elsewhere than the lock says.
    #[error(
        "the tag `{reference}` now serves {served}, but `garboard.lock` holds {locked}: it was moved, or is not what it \
         claims to be; to take the new image, delete this image's entry from `garboard.lock` and run again"
    )]
    TagMoved {
        /// The image.
        reference: String,
        /// In the lock.
        locked: Digest,
        /// At the registry.
        served: Digest,
    },
    /// Something that no source is known for.
    #[error("nothing says where the content {digest} comes from; run again, so that the lock is read anew")]
    NoSource {
        /// Asked for.
        digest: Digest,
    },
    /// The laptop's own disk.
    #[error("could not {action} `{}`", .path.display())]
    Disk {
        /// For example `write`.
        action: &'static str,
        /// What.
        path: PathBuf,
        /// Why.
        #[source]
        cause: Arc<std::io::Error>,
    },
}

impl StoreError {
    /// For `map_err` on the laptop's own files.
    pub(super) fn disk(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |cause| Self::Disk { action, path, cause: Arc::new(cause) }
    }
}

fn listed(available: &[String]) -> String {
    if available.is_empty() { "no platform at all".to_owned() } else { available.join(", ") }
}
