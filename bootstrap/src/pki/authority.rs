//! The certificate authority, and what it signs.

use garboard_inventory::Secret;
use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData as _, SerialNumber,
};

use super::{PkiError, Serial, Validity};

/// Twenty years: longer than the machines live; nobody wants to give out every profile anew before.
const LIFE_DAYS: u32 = 20 * 365;

/// What a certificate is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usage {
    /// To be a TLS server.
    Server,
    /// To be a TLS client.
    Client,
}

/// An authority with its key (ECDSA, P-256).
pub struct Authority {
    certificate: String,
    until: Timestamp,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate that was just signed, with its key.
#[derive(Debug)]
pub struct Issued {
    /// PEM.
    pub certificate: String,
    /// PEM, PKCS#8.
    pub key: Secret,
    /// Its number.
    pub serial: Serial,
    /// From when until when it is good.
    pub validity: Validity,
}

impl Authority {
    /// A new one, with a key that nobody has seen.
    pub fn make(name: &str, now: Timestamp) -> Result<Self, PkiError> {
        let mut parameters = parameters(name, Serial::random()?, Validity::days(now, LIFE_DAYS))?;
        parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = new_key()?;
        let certificate =
            parameters.self_signed(&key).map_err(refused("make an authority's certificate"))?.pem();
        Self::of(certificate, key)
    }

    /// One that was made before, from its certificate and its key (PEM, PKCS#8, not encrypted).
    pub fn open(certificate: &str, key: &Secret) -> Result<Self, PkiError> {
        let key = KeyPair::from_pkcs8_pem_and_sign_algo(key.expose(), &PKCS_ECDSA_P256_SHA256)
            .map_err(refused("read the authority's key"))?;
        Self::of(certificate.to_owned(), key)
    }

    fn of(certificate: String, key: KeyPair) -> Result<Self, PkiError> {
        let until = {
            let block = x509_parser::pem::parse_x509_pem(certificate.as_bytes());
            let (_, block) = block.map_err(|error| PkiError::Unreadable(error.to_string()))?;
            let parsed = block.parse_x509().map_err(|error| PkiError::Unreadable(error.to_string()))?;
            if parsed.public_key().subject_public_key.data.as_ref() != key.der_bytes() {
                return Err(PkiError::Mismatch);
            }
            Timestamp::from_second(parsed.validity().not_after.timestamp())
                .map_err(|error| PkiError::Unreadable(error.to_string()))?
        };
        let issuer = Issuer::from_ca_cert_pem(&certificate, key)
            .map_err(refused("read the authority's certificate"))?;
        Ok(Self { certificate, until, issuer })
    }

    /// Its certificate, PEM.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// Its key, PEM (PKCS#8).
    pub fn key(&self) -> Secret {
        Secret::new(self.issuer.key().serialize_pem())
    }

    /// A new key and the certificate for it. It never outlives the authority's own.
    pub fn issue(&self, usage: Usage, name: &str, validity: Validity) -> Result<Issued, PkiError> {
        self.sign(usage, name, &[], validity)
    }

    /// The same for a server that others know by these DNS names and addresses.
    pub fn issue_for(&self, name: &str, names: &[String], validity: Validity) -> Result<Issued, PkiError> {
        self.sign(Usage::Server, name, names, validity)
    }

    fn sign(
        &self,
        usage: Usage,
        name: &str,
        names: &[String],
        validity: Validity,
    ) -> Result<Issued, PkiError> {
        let serial = Serial::random()?;
        let validity = Validity { until: validity.until.min(self.until), ..validity };
        let mut parameters = parameters(name, serial, validity)?;
        let alternative = CertificateParams::new(names).map_err(refused("name a server"))?;
        parameters.subject_alt_names = alternative.subject_alt_names;
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.extended_key_usages = vec![match usage {
            Usage::Server => ExtendedKeyUsagePurpose::ServerAuth,
            Usage::Client => ExtendedKeyUsagePurpose::ClientAuth,
        }];
        parameters.use_authority_key_identifier_extension = true;
        let key = new_key()?;
        let signed = parameters.signed_by(&key, &self.issuer).map_err(refused("sign a certificate"))?;
        Ok(Issued { certificate: signed.pem(), key: Secret::new(key.serialize_pem()), serial, validity })
    }
}

fn parameters(name: &str, serial: Serial, validity: Validity) -> Result<CertificateParams, PkiError> {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters.serial_number = Some(SerialNumber::from_slice(&serial.bytes()));
    (parameters.not_before, parameters.not_after) = validity.ends()?;
    Ok(parameters)
}

fn new_key() -> Result<KeyPair, PkiError> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(refused("make a key"))
}

fn refused(action: &'static str) -> impl FnOnce(rcgen::Error) -> PkiError {
    move |source| PkiError::Certificate { action, source }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use x509_parser::pem::parse_x509_pem;

    use super::{Authority, Usage};
    use crate::pki::{PkiError, Validity};

    fn now() -> Timestamp {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn certificates_say_what_openvpn_asks_for_and_nothing_more() {
        let authority = Authority::make("home vpn", now()).unwrap();
        let (_, root) = parse_x509_pem(authority.certificate().as_bytes()).unwrap();
        let root = root.parse_x509().unwrap();
        root.verify_signature(None).unwrap();
        let constraints = root.basic_constraints().unwrap().unwrap();
        assert!(constraints.critical && constraints.value.ca);
        assert_eq!(constraints.value.path_len_constraint, Some(0));
        let usage = root.key_usage().unwrap().unwrap();
        assert!(usage.critical && usage.value.key_cert_sign() && usage.value.crl_sign());
        assert!(!usage.value.digital_signature());
        for (usage, client) in [(Usage::Client, true), (Usage::Server, false)] {
            let issued = authority.issue(usage, "alice", Validity::days(now(), 10)).unwrap();
            let (_, leaf) = parse_x509_pem(issued.certificate.as_bytes()).unwrap();
            let leaf = leaf.parse_x509().unwrap();
            leaf.verify_signature(Some(root.public_key())).unwrap();
            assert_eq!(leaf.subject().to_string(), "CN=alice");
            assert_eq!(leaf.issuer(), root.subject());
            assert_eq!(leaf.raw_serial(), issued.serial.bytes());
            assert_eq!(leaf.serial.to_string(), issued.serial.to_string());
            assert!(leaf.basic_constraints().unwrap().is_none_or(|found| !found.value.ca));
            let extended = leaf.extended_key_usage().unwrap().unwrap().value;
            assert_eq!((extended.client_auth, extended.server_auth), (client, !client));
            let key_usage = leaf.key_usage().unwrap().unwrap().value;
            assert!(key_usage.digital_signature() && !key_usage.key_cert_sign());
            let identifiers = leaf.extensions().iter();
            let mut named = identifiers.map(|extension| extension.oid.to_id_string());
            assert!(named.any(|oid| oid == "2.5.29.35"), "no authority key identifier");
            let backdated = leaf.validity().not_before.timestamp();
            assert_eq!(backdated, now().as_second() - 86_400);
            assert_eq!(leaf.validity().not_after.timestamp(), now().as_second() + 10 * 86_400);
        }
    }

    #[test]
    fn no_certificate_outlives_its_authority_and_no_serial_comes_twice() {
        let authority = Authority::make("home vpn", now()).unwrap();
        let long = authority.issue(Usage::Client, "alice", Validity::days(now(), 100 * 365)).unwrap();
        assert!(long.validity.until < now() + jiff::SignedDuration::from_hours(24 * 365 * 21));
        let again = authority.issue(Usage::Client, "alice", Validity::days(now(), 1)).unwrap();
        assert_ne!(long.serial, again.serial);
        assert!(!long.key.expose().is_empty() && long.key != again.key);
    }

    #[test]
    fn an_authority_opens_with_its_own_key_only() {
        let (one, other) = (Authority::make("a", now()).unwrap(), Authority::make("a", now()).unwrap());
        let again = Authority::open(one.certificate(), &one.key()).unwrap();
        let issued = again.issue(Usage::Client, "bob", Validity::days(now(), 1)).unwrap();
        let (_, root) = parse_x509_pem(one.certificate().as_bytes()).unwrap();
        let (_, leaf) = parse_x509_pem(issued.certificate.as_bytes()).unwrap();
        let root = root.parse_x509().unwrap();
        leaf.parse_x509().unwrap().verify_signature(Some(root.public_key())).unwrap();
        assert!(matches!(Authority::open(one.certificate(), &other.key()), Err(PkiError::Mismatch)));
    }
}
