//! Addresses of blobs: signed, and good for a while. Whoever has one needs no token, as with S3.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// Signs and checks addresses with a key of this run.
pub(super) struct Signer {
    key: [u8; 64],
    life: Duration,
}

/// Why an address is not honoured.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub(super) enum Refusal {
    /// It is not signed by us, or for something else.
    Forged,
    /// Its time is over.
    Expired,
}

impl Signer {
    pub(super) fn new(life: Duration) -> Result<Self, getrandom::Error> {
        let mut key = [0; 64];
        getrandom::fill(&mut key)?;
        Ok(Self { key, life })
    }

    /// The query that opens a path.
    pub(super) fn query(&self, path: &str) -> String {
        let expires = (now() + self.life).as_secs();
        format!("expires={expires}&signature={}", hex(&self.mac(path, expires).finalize().into_bytes()))
    }

    /// Whether a query opens a path now.
    pub(super) fn check(&self, path: &str, query: &str) -> Result<(), Refusal> {
        let (mut expires, mut signature) = (None, None);
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*key {
                "expires" => expires = value.parse::<u64>().ok(),
                "signature" => signature = unhex(&value),
                _ => return Err(Refusal::Forged),
            }
        }
        let (expires, signature) = expires.zip(signature).ok_or(Refusal::Forged)?;
        self.mac(path, expires).verify_slice(&signature).map_err(|_| Refusal::Forged)?;
        if now().as_secs() < expires { Ok(()) } else { Err(Refusal::Expired) }
    }

    fn mac(&self, path: &str, expires: u64) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new(&self.key.into());
        mac.update(&expires.to_be_bytes());
        mac.update(path.as_bytes());
        mac
    }
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_opens_its_own_path_only() {
        let signer = Signer::new(Duration::from_mins(1)).unwrap();
        let query = signer.query("/cdn/a");
        assert_eq!(signer.check("/cdn/a", &query), Ok(()));
        assert_eq!(signer.check("/cdn/b", &query), Err(Refusal::Forged));
        assert_eq!(signer.check("/cdn/a", ""), Err(Refusal::Forged));
        let later = query.replace("expires=", "expires=9");
        assert_eq!(signer.check("/cdn/a", &later), Err(Refusal::Forged));
        assert_eq!(
            Signer::new(Duration::from_mins(1)).unwrap().check("/cdn/a", &query),
            Err(Refusal::Forged)
        );
    }

    #[test]
    fn an_address_grows_old() {
        let signer = Signer::new(Duration::ZERO).unwrap();
        assert_eq!(signer.check("/cdn/a", &signer.query("/cdn/a")), Err(Refusal::Expired));
    }
}
