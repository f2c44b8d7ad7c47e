//! A private key as it lies in a file: as it is, or encrypted with a passphrase (PKCS#8, RFC 5958; scrypt and AES-256).

use garboard_inventory::Secret;
use pkcs8::der::pem::PemLabel as _;
use pkcs8::{EncryptedPrivateKeyInfoRef, LineEnding, PrivateKeyInfoRef, SecretDocument};

use super::PkiError;

/// Whether the text is a key that takes a passphrase to open.
pub fn is_sealed(text: &str) -> bool {
    text.contains(EncryptedPrivateKeyInfoRef::PEM_LABEL)
}

/// Encrypts a key (PEM, PKCS#8).
pub fn seal(key: &Secret, passphrase: &Secret) -> Result<Secret, PkiError> {
    let document = document(key, PrivateKeyInfoRef::PEM_LABEL)?;
    let plain = PrivateKeyInfoRef::try_from(document.as_bytes()).map_err(PkiError::Key)?;
    let sealed = plain.encrypt(passphrase.expose()).map_err(PkiError::Key)?;
    pem(&sealed, EncryptedPrivateKeyInfoRef::PEM_LABEL)
}

/// The key itself (PEM, PKCS#8), from either form.
pub fn open(text: &Secret, passphrase: Option<&Secret>) -> Result<Secret, PkiError> {
    if !is_sealed(text.expose()) {
        return Ok(text.clone());
    }
    let passphrase = passphrase.ok_or(PkiError::Sealed)?;
    let document = document(text, EncryptedPrivateKeyInfoRef::PEM_LABEL)?;
    let sealed = EncryptedPrivateKeyInfoRef::try_from(document.as_bytes()).map_err(PkiError::Key)?;
    // What a wrong passphrase gives is no padding, or no key.
    let key = sealed.decrypt(passphrase.expose()).map_err(|_| PkiError::Passphrase)?;
    pem(&key, PrivateKeyInfoRef::PEM_LABEL)
}

fn document(text: &Secret, wanted: &str) -> Result<SecretDocument, PkiError> {
    let (label, document) =
        SecretDocument::from_pem(text.expose()).map_err(|error| PkiError::Key(error.into()))?;
    if label == wanted { Ok(document) } else { Err(PkiError::Label) }
}

fn pem(document: &SecretDocument, label: &'static str) -> Result<Secret, PkiError> {
    let text = document.to_pem(label, LineEnding::LF).map_err(|error| PkiError::Key(error.into()))?;
    Ok(Secret::new(text.as_str()))
}

#[cfg(test)]
mod tests {
    use garboard_inventory::Secret;

    use super::{is_sealed, open, seal};
    use crate::pki::{Authority, PkiError};

    #[test]
    fn a_sealed_key_opens_with_its_passphrase_only() {
        let key = Authority::make("a", "2026-11-21T12:00:00Z".parse().unwrap()).unwrap().key();
        assert_eq!(open(&key, None).unwrap(), key);
        let passphrase = Secret::new("correct horse");
        let sealed = seal(&key, &passphrase).unwrap();
        assert!(is_sealed(sealed.expose()) && !is_sealed(key.expose()));
        assert_eq!(open(&sealed, Some(&passphrase)).unwrap(), key);
        assert!(matches!(open(&sealed, None), Err(PkiError::Sealed)));
        assert!(matches!(open(&sealed, Some(&Secret::new("battery"))), Err(PkiError::Passphrase)));
    }
}
