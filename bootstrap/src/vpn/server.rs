//! The server's certificate and key, as one file holds both: neither is ever there without the other.

use garboard_inventory::Secret;
use jiff::Timestamp;
use x509_parser::pem::Pem;

use crate::pki::{Authority, PkiError, Usage, Validity};

use super::{SERVER_DAYS, SERVER_NAME};

/// What the server shows, and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerCertificate {
    /// PEM.
    pub certificate: String,
    /// PEM.
    pub key: Secret,
    /// From when until when it is good.
    pub validity: Validity,
}

const KEY_BEGINS: &str = "-----BEGIN PRIVATE KEY-----";

impl ServerCertificate {
    /// A new one.
    pub fn issue(authority: &Authority, now: Timestamp) -> Result<Self, PkiError> {
        let issued = authority.issue(Usage::Server, SERVER_NAME, Validity::days(now, SERVER_DAYS))?;
        Ok(Self { certificate: issued.certificate, key: issued.key, validity: issued.validity })
    }

    /// As the file holds it.
    pub(super) fn text(&self) -> Secret {
        Secret::new(format!("{}{}", self.certificate, self.key.expose()))
    }

    /// From its file.
    pub(super) fn parse(text: &Secret) -> Result<Self, PkiError> {
        let unreadable = |why: &dyn std::fmt::Display| PkiError::Unreadable(why.to_string());
        let at = text.expose().find(KEY_BEGINS).ok_or(PkiError::Label)?;
        let (certificate, key) = text.expose().split_at(at);
        let block = Pem::iter_from_buffer(certificate.as_bytes()).next();
        let block = block.ok_or(PkiError::Label)?.map_err(|error| unreadable(&error))?;
        let parsed = block.parse_x509().map_err(|error| unreadable(&error))?;
        let time = |seconds: i64| Timestamp::from_second(seconds).map_err(|error| unreadable(&error));
        let validity = Validity {
            since: time(parsed.validity().not_before.timestamp())?,
            until: time(parsed.validity().not_after.timestamp())?,
        };
        Ok(Self { certificate: certificate.to_owned(), key: Secret::new(key), validity })
    }
}

#[cfg(test)]
mod tests {
    use super::ServerCertificate;
    use crate::pki::Authority;

    #[test]
    fn certificate_and_key_come_back_from_one_text() {
        let now = "2026-11-21T12:00:00Z".parse().unwrap();
        let authority = Authority::make("home", now).unwrap();
        let server = ServerCertificate::issue(&authority, now).unwrap();
        assert_eq!(ServerCertificate::parse(&server.text()).unwrap(), server);
    }
}
