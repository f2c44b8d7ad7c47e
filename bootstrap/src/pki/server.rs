//! A server's certificate and key, as one file holds both: neither is ever there without the other.

use std::collections::BTreeSet;

use garboard_inventory::Secret;
use jiff::Timestamp;
use x509_parser::extensions::GeneralName;
use x509_parser::pem::Pem;

use super::{Issued, PkiError, Validity};

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

impl From<Issued> for ServerCertificate {
    fn from(issued: Issued) -> Self {
        Self { certificate: issued.certificate, key: issued.key, validity: issued.validity }
    }
}

impl ServerCertificate {
    /// As a file holds it.
    pub(crate) fn text(&self) -> Secret {
        Secret::new(format!("{}{}", self.certificate, self.key.expose()))
    }

    /// From its file.
    pub(crate) fn parse(text: &Secret) -> Result<Self, PkiError> {
        let at = text.expose().find(KEY_BEGINS).ok_or(PkiError::Label)?;
        let (certificate, key) = text.expose().split_at(at);
        let block = block(certificate)?;
        let parsed = block.parse_x509().map_err(|error| unreadable(&error))?;
        let time = |seconds: i64| Timestamp::from_second(seconds).map_err(|error| unreadable(&error));
        let validity = Validity {
            since: time(parsed.validity().not_before.timestamp())?,
            until: time(parsed.validity().not_after.timestamp())?,
        };
        Ok(Self { certificate: certificate.to_owned(), key: Secret::new(key), validity })
    }

    /// Whether this authority (PEM) has signed it, for these names and addresses and no others.
    pub(crate) fn is_for(&self, names: &[String], authority: &str) -> Result<bool, PkiError> {
        let (own, authority) = (block(&self.certificate)?, block(authority)?);
        let own = own.parse_x509().map_err(|error| unreadable(&error))?;
        let authority = authority.parse_x509().map_err(|error| unreadable(&error))?;
        if own.verify_signature(Some(authority.public_key())).is_err() {
            return Ok(false);
        }
        let alternative = own.subject_alternative_name().map_err(|error| unreadable(&error))?;
        let found: BTreeSet<String> = alternative
            .iter()
            .flat_map(|extension| &extension.value.general_names)
            .map(|name| match name {
                GeneralName::DNSName(name) => (*name).to_owned(),
                GeneralName::IPAddress([a, b, c, d]) => std::net::Ipv4Addr::new(*a, *b, *c, *d).to_string(),
                other => format!("{other:?}"),
            })
            .collect();
        Ok(found == names.iter().cloned().collect())
    }
}

fn block(certificate: &str) -> Result<Pem, PkiError> {
    let block = Pem::iter_from_buffer(certificate.as_bytes()).next();
    block.ok_or(PkiError::Label)?.map_err(|error| unreadable(&error))
}

fn unreadable(why: &dyn std::fmt::Display) -> PkiError {
    PkiError::Unreadable(why.to_string())
}

#[cfg(test)]
mod tests {
    use super::ServerCertificate;
    use crate::pki::{Authority, Validity};

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn certificate_and_key_come_back_from_one_text_and_names_are_known() {
        let now = "2026-11-21T12:00:00Z".parse().unwrap();
        let authority = Authority::make("home", now).unwrap();
        let own = names(&["w1", "192.168.1.12"]);
        let issued = authority.issue_for("w1", &own, Validity::days(now, 10)).unwrap();
        let server = ServerCertificate::from(issued);
        let again = ServerCertificate::parse(&server.text()).unwrap();
        assert_eq!(again, server);
        assert!(again.is_for(&own, authority.certificate()).unwrap());
        for other in [names(&["w1"]), names(&["w1", "192.168.1.13"]), names(&["w1", "192.168.1.12", "w2"])] {
            assert!(!again.is_for(&other, authority.certificate()).unwrap(), "{other:?}");
        }
        let stranger = Authority::make("home", now).unwrap();
        assert!(!again.is_for(&own, stranger.certificate()).unwrap());
    }
}
