//! The cluster's CA and its hash, as kubeadm writes it.

use garboard_protocol::Digest;
use x509_parser::pem::parse_x509_pem;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::error::ClusterError;

/// `sha256:` and the digest of the CA's public key (`SubjectPublicKeyInfo`, DER): the text `kubeadm join` wants as
/// `caCertHashes`.
pub fn ca_hash(pem: &str) -> Result<String, ClusterError> {
    let der = der(pem)?;
    let (_, certificate) = X509Certificate::from_der(&der).map_err(|error| wrong(&error))?;
    Ok(Digest::of(certificate.tbs_certificate.subject_pki.raw).to_string())
}

/// The first certificate of a PEM text.
pub(super) fn der(pem: &str) -> Result<Vec<u8>, ClusterError> {
    let (_, block) = parse_x509_pem(pem.as_bytes()).map_err(|error| wrong(&error))?;
    if block.label != "CERTIFICATE" {
        return Err(wrong(&format!("it holds a {}", block.label)));
    }
    Ok(block.contents)
}

fn wrong(reason: &dyn std::fmt::Display) -> ClusterError {
    ClusterError::Authority { reason: reason.to_string() }
}
