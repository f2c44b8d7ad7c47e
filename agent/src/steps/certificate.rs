//! The public key hash of a cluster's CA, as `kubeadm join` takes it: SHA-256 over the `SubjectPublicKeyInfo` in DER
//! (kubeadm `app/util/pubkeypin`). It is a cluster's identity.

use garboard_protocol::Digest;

/// `sha256:…` of the public key of the first certificate in a PEM text; `None` when it holds none.
pub(crate) fn authority_hash(pem: &str) -> Option<String> {
    let mut lines =
        pem.lines().map(str::trim).skip_while(|line| *line != "-----BEGIN CERTIFICATE-----").skip(1);
    let body: String = lines.by_ref().take_while(|line| *line != "-----END CERTIFICATE-----").collect();
    let der = base64(&body)?;
    Some(Digest::of(public_key_info(&der)?).to_string())
}

/// The same of the CA inside a kubeconfig (`certificate-authority-data`).
pub(crate) fn authority_hash_of_kubeconfig(text: &str) -> Option<String> {
    let data = text.lines().find_map(|line| line.trim().strip_prefix("certificate-authority-data:"))?;
    let pem = base64(data.trim().trim_matches(['"', '\'']))?;
    authority_hash(std::str::from_utf8(&pem).ok()?)
}

/// RFC 5280: Certificate { tbsCertificate { [0] version?, serialNumber, signature, issuer, validity, subject,
/// subjectPublicKeyInfo, … }, … }.
fn public_key_info(der: &[u8]) -> Option<&[u8]> {
    let certificate = Element::first(der)?;
    let mut rest = Element::first(certificate.content)?.content;
    if Element::first(rest)?.tag == 0xa0 {
        rest = Element::first(rest)?.rest;
    }
    for _ in 0..5 {
        rest = Element::first(rest)?.rest;
    }
    Some(Element::first(rest)?.whole)
}

/// One DER element and what follows it.
struct Element<'a> {
    tag: u8,
    whole: &'a [u8],
    content: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Element<'a> {
    fn first(bytes: &'a [u8]) -> Option<Self> {
        let (&tag, &first) = (bytes.first()?, bytes.get(1)?);
        let (head, length) = if first < 0x80 {
            (2, usize::from(first))
        } else {
            let count = usize::from(first & 0x7f);
            if count == 0 || count > 4 {
                return None;
            }
            let digits = bytes.get(2..2 + count)?;
            (2 + count, digits.iter().fold(0, |length, digit| (length << 8) | usize::from(*digit)))
        };
        let end = head.checked_add(length)?;
        Some(Self { tag, whole: bytes.get(..end)?, content: bytes.get(head..end)?, rest: bytes.get(end..)? })
    }
}

/// Standard base64 with padding; `None` when it is none.
pub(crate) fn base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0_u32, 0_u8);
    for digit in text.trim_end_matches('=').bytes() {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from((bits >> count) & 0xff).ok()?);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::{authority_hash, authority_hash_of_kubeconfig};

    const PEM: &str = include_str!("testdata/ca.crt");
    /// `openssl x509 -in ca.crt -noout -pubkey | openssl pkey -pubin -outform DER | sha256sum`
    const HASH: &str = include_str!("testdata/ca.hash");

    #[test]
    fn the_hash_is_the_one_openssl_gives() {
        assert_eq!(authority_hash(PEM).as_deref(), Some(HASH.trim()));
    }

    #[test]
    fn a_kubeconfig_gives_the_same_hash() {
        let kubeconfig = include_str!("testdata/kubelet.conf");
        assert_eq!(authority_hash_of_kubeconfig(kubeconfig).as_deref(), Some(HASH.trim()));
    }

    #[test]
    fn text_that_is_no_certificate_gives_none() {
        assert_eq!(authority_hash("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), None);
        assert_eq!(authority_hash(""), None);
        assert_eq!(authority_hash_of_kubeconfig("certificate-authority-data: !!!\n"), None);
    }
}
