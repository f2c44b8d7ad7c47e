//! Keys and certificates that are made on the laptop: an authority of our own, what it signs, and the keys that hide an
//! OpenVPN server from those who have none.
//!
//! Nothing here touches a file: where keys lie is for [`crate::vpn`] and [`crate::serving`] to say.

mod authority;
mod key_file;
mod random;
mod serial;
mod server;
mod tls_crypt;
mod validity;

pub use authority::{Authority, Issued, Usage};
pub use key_file::{is_sealed, open, seal};
pub use serial::Serial;
pub use server::ServerCertificate;
pub use tls_crypt::{ClientKey, ServerKey};
pub use validity::Validity;

/// Why a key or a certificate could not be made or read. None of these carries any part of a key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PkiError {
    /// The machine gives no random bytes.
    #[error("this machine gives no random bytes")]
    Random(#[source] getrandom::Error),
    /// The library refused.
    #[error("cannot {action}")]
    Certificate {
        /// `sign a certificate`…
        action: &'static str,
        /// Why.
        source: rcgen::Error,
    },
    /// A certificate cannot be read.
    #[error("this is no certificate: {0}")]
    Unreadable(String),
    /// A key cannot be read.
    #[error("this is no private key in PKCS#8: {0}")]
    Key(pkcs8::Error),
    /// Something else stands where a key should.
    #[error("this is no private key in PKCS#8")]
    Label,
    /// A key that is encrypted, and no passphrase for it.
    #[error("the key is encrypted, and there is no passphrase for it")]
    Sealed,
    /// The passphrase does not open the key.
    #[error("the passphrase does not open the key")]
    Passphrase,
    /// Key and certificate do not belong together.
    #[error("the key is not that of the certificate")]
    Mismatch,
    /// A tls-crypt-v2 key of another form.
    #[error("this is no tls-crypt-v2 key of a server")]
    TlsCrypt,
    /// A time that no certificate can tell.
    #[error("no certificate can be valid until {0}")]
    Time(jiff::Timestamp),
}
