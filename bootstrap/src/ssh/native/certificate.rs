//! Host certificates: what they must say besides being signed by an authority that counts for the host. The rules are those
//! of `PROTOCOL.certkeys` of OpenSSH and of its `ssh`.

use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use russh::keys::ssh_key::certificate::CertType;
use russh::keys::{Algorithm, Certificate, HashAlg, PublicKey};

/// Whether `authority`, which counts for the host, vouches for it under one of `names` now; else what is wrong.
pub(super) fn vouched(
    certificate: &Certificate,
    authority: &PublicKey,
    names: &[&str],
) -> Result<(), String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    vouched_at(certificate, authority, names, now)
}

fn vouched_at(
    certificate: &Certificate,
    authority: &PublicKey,
    names: &[&str],
    now: u64,
) -> Result<(), String> {
    if certificate.cert_type() != CertType::Host {
        return Err("it is a user's certificate, no host's".to_owned());
    }
    if let Some((option, _)) = certificate.critical_options().iter().next() {
        return Err(format!("it has the critical option `{option}`, which means nothing for hosts"));
    }
    if matches!(certificate.signature().algorithm(), Algorithm::Dsa | Algorithm::Rsa { hash: None }) {
        return Err("it is signed by an algorithm that is broken by now (SHA-1)".to_owned());
    }
    let principals = certificate.valid_principals();
    // Whole names, no patterns: `ssh` takes none for hosts either.
    let is_named = |name: &&str| principals.iter().any(|principal| principal == name);
    if !principals.is_empty() && !names.iter().any(is_named) {
        return Err(format!("it is made out to {}, not to {}", list(principals), list(names)));
    }
    if now < certificate.valid_after() {
        return Err(format!("it is not good before {}", time(certificate.valid_after())));
    }
    if now >= certificate.valid_before() {
        return Err(format!("it was good until {}", time(certificate.valid_before())));
    }
    let authority = authority.fingerprint(HashAlg::Sha256);
    certificate.validate_at(now, [&authority]).map_err(|_| "its signature is wrong".to_owned())
}

fn list(names: &[impl AsRef<str>]) -> String {
    let names: Vec<_> = names.iter().map(|name| format!("`{}`", name.as_ref())).collect();
    names.join(", ")
}

/// Seconds since 1970 as a person reads them.
fn time(seconds: u64) -> String {
    let time = i64::try_from(seconds).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    time.map_or_else(|| "the end of time".to_owned(), |time| time.strftime("%Y-%m-%d %H:%M UTC").to_string())
}
