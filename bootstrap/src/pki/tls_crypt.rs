//! tls-crypt-v2: a key for each client that wraps the whole TLS handshake, so that a server does not even answer those who have
//! none. The form is that of OpenVPN's `doc/tls-crypt-v2.txt` and `src/openvpn/tls_crypt.c`.

use aes::Aes256;
use aes::cipher::{KeyIvInit as _, StreamCipher as _};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use garboard_inventory::Secret;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::PkiError;
use super::random::random;

const SERVER: &str = "OpenVPN tls-crypt-v2 server key";
const CLIENT: &str = "OpenVPN tls-crypt-v2 client key";
/// Two keys of 64 bytes: one to encrypt, one to authenticate.
const SERVER_BYTES: usize = 128;
/// Four of them: a pair for each direction.
const CLIENT_BYTES: usize = 256;
const TAG_BYTES: usize = 32;
/// Metadata that the user has chosen (`TLS_CRYPT_METADATA_TYPE_USER`).
const USER_METADATA: u8 = 0;
/// Letters of one line of PEM, as OpenVPN writes it.
const LINE: usize = 64;

/// The server's key: it opens every client's.
pub struct ServerKey(Zeroizing<[u8; SERVER_BYTES]>);

/// A client's key with what the server needs to open it.
#[derive(Debug)]
pub struct ClientKey {
    /// As it stands in a profile.
    pub pem: Secret,
    /// 128 random bits that the key carries, in 22 letters: the server can tell the client by it before any certificate.
    pub metadata: String,
}

impl ServerKey {
    /// A new one.
    pub fn make() -> Result<Self, PkiError> {
        random().map(Self)
    }

    /// From its file.
    pub fn parse(text: &str) -> Result<Self, PkiError> {
        let body: String = text
            .trim()
            .strip_prefix(&format!("-----BEGIN {SERVER}-----"))
            .and_then(|rest| rest.strip_suffix(&format!("-----END {SERVER}-----")))
            .ok_or(PkiError::TlsCrypt)?
            .split_ascii_whitespace()
            .collect();
        let bytes = Zeroizing::new(STANDARD.decode(body).map_err(|_| PkiError::TlsCrypt)?);
        let bytes: [u8; SERVER_BYTES] = bytes.as_slice().try_into().map_err(|_| PkiError::TlsCrypt)?;
        Ok(Self(Zeroizing::new(bytes)))
    }

    /// As its file holds it.
    pub fn pem(&self) -> Secret {
        pem(SERVER, self.0.as_slice())
    }

    /// A new key for a client.
    pub fn client(&self) -> Result<ClientKey, PkiError> {
        let metadata = URL_SAFE_NO_PAD.encode(*random::<16>()?);
        let key = random::<CLIENT_BYTES>()?;
        let wrapped = self.wrap(&key, &metadata);
        let whole = Zeroizing::new([key.as_slice(), wrapped.as_slice()].concat());
        Ok(ClientKey { pem: pem(CLIENT, &whole), metadata })
    }

    /// `T || AES-256-CTR(Ke, T[..16], Kc || metadata) || length`, with `T = HMAC-SHA256(Ka, length || Kc || metadata)`.
    fn wrap(&self, key: &[u8; CLIENT_BYTES], metadata: &str) -> Zeroizing<Vec<u8>> {
        let mut plain = Zeroizing::new(key.to_vec());
        plain.push(USER_METADATA);
        plain.extend_from_slice(metadata.as_bytes());
        let length = u16::try_from(TAG_BYTES + plain.len() + 2).expect("the metadata is short").to_be_bytes();
        let (encryption, authentication): (&[u8], &[u8]) = (&self.0[..32], &self.0[64..96]);
        let mut mac = Hmac::<Sha256>::new_from_slice(authentication).expect("HMAC takes keys of any length");
        mac.update(&length);
        mac.update(&plain);
        let tag = mac.finalize().into_bytes();
        let mut cipher = ctr::Ctr128BE::<Aes256>::new_from_slices(encryption, &tag[..16])
            .expect("the lengths are AES-256's");
        cipher.apply_keystream(&mut plain);
        Zeroizing::new([tag.as_slice(), plain.as_slice(), &length].concat())
    }
}

fn pem(label: &str, bytes: &[u8]) -> Secret {
    let body = Zeroizing::new(STANDARD.encode(bytes));
    let mut text = format!("-----BEGIN {label}-----\n");
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, others) = rest.split_at(rest.len().min(LINE));
        text.push_str(line);
        text.push('\n');
        rest = others;
    }
    for word in ["-----END ", label, "-----\n"] {
        text.push_str(word);
    }
    Secret::new(text)
}

#[cfg(test)]
mod tests {
    use aes::Aes256;
    use aes::cipher::{KeyIvInit as _, StreamCipher as _};
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::ServerKey;

    fn bytes_of(pem: &str) -> Vec<u8> {
        let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
        STANDARD.decode(body).unwrap()
    }

    #[test]
    fn the_server_can_open_what_it_gave_to_a_client() {
        let server = ServerKey::make().unwrap();
        let again = ServerKey::parse(server.pem().expose()).unwrap();
        assert_eq!(*again.0, *server.0);
        let client = server.client().unwrap();
        let whole = bytes_of(client.pem.expose());
        let (key, wrapped) = whole.split_at(256);
        let length = usize::from(u16::from_be_bytes(wrapped[wrapped.len() - 2..].try_into().unwrap()));
        assert_eq!(length, wrapped.len());
        let (tag, rest) = wrapped.split_at(32);
        let mut plain = rest[..rest.len() - 2].to_vec();
        let mut cipher = ctr::Ctr128BE::<Aes256>::new_from_slices(&server.0[..32], &tag[..16]).unwrap();
        cipher.apply_keystream(&mut plain);
        assert_eq!(&plain[..256], key);
        assert_eq!(plain[256], 0);
        assert_eq!(&plain[257..], client.metadata.as_bytes());
        assert_eq!(client.metadata.len(), 22);
    }

    #[test]
    fn other_texts_are_no_key_of_a_server() {
        let server = ServerKey::make().unwrap();
        let client = server.client().unwrap();
        for text in ["", "-----BEGIN", client.pem.expose(), &server.pem().expose().replacen('A', "", 3)[..60]]
        {
            assert!(ServerKey::parse(text).is_err());
        }
    }
}
