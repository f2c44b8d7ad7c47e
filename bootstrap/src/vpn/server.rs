//! The certificate of the VPN's server.

use jiff::Timestamp;

use crate::pki::{Authority, PkiError, Usage, Validity};

use super::{SERVER_DAYS, SERVER_NAME};

pub use crate::pki::ServerCertificate;

impl ServerCertificate {
    /// A new one for the VPN's server.
    pub fn issue(authority: &Authority, now: Timestamp) -> Result<Self, PkiError> {
        authority.issue(Usage::Server, SERVER_NAME, Validity::days(now, SERVER_DAYS)).map(Self::from)
    }
}
