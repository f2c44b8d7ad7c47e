//! Fingerprints of SSH host keys, as `ssh-keygen -l` prints them: `SHA256:` and 43 characters of base64.

use crate::fault::{Flaw, quote};

/// 32 bytes in base64 without padding.
const LENGTH: usize = 43;
/// The 43rd character carries the last four bits of the digest, and two bits that are zero.
const LAST: &str = "AEIMQUYcgkosw048";

const HOW: &str = "on the host, `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` prints it";

/// A host key's fingerprint.
pub(crate) fn fingerprint(text: &str) -> Result<String, Flaw> {
    if text.starts_with("MD5:") {
        return Err(Flaw::new("MD5 fingerprints are not accepted").help(HOW));
    }
    if text.starts_with("ssh-") || text.starts_with("ecdsa-") {
        return Err(Flaw::new("this is the key itself, its fingerprint is wanted").help(HOW));
    }
    let Some(digest) = text.strip_prefix("SHA256:") else {
        return Err(
            Flaw::new(format!("{} is no fingerprint, it must begin with `SHA256:`", quote(text))).help(HOW)
        );
    };
    let bare = digest.trim_end_matches('=');
    let base64 = |character: char| character.is_ascii_alphanumeric() || "+/".contains(character);
    if bare.len() != LENGTH || !bare.chars().all(base64) {
        return Err(Flaw::new(format!(
            "a fingerprint has {LENGTH} characters of base64 behind `SHA256:`, found {}",
            bare.chars().count()
        ))
        .help(HOW));
    }
    if bare.len() != digest.len() {
        return Err(Flaw::new("a fingerprint goes without `=`").help(format!("write `SHA256:{bare}`")));
    }
    if !bare.ends_with(|last| LAST.contains(last)) {
        return Err(Flaw::new("no fingerprint ends like this, a character was lost or changed").help(HOW));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::fingerprint;

    /// The SHA-256 of nothing, in base64.
    const GOOD: &str = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU";

    #[test]
    fn a_fingerprint_is_what_ssh_keygen_prints() {
        assert!(fingerprint(GOOD).is_ok());
        assert_eq!(fingerprint(&format!("{GOOD}=")).unwrap_err().help.unwrap(), format!("write `{GOOD}`"));
        for bad in
            [&GOOD[..49], "MD5:aa:bb", "ssh-ed25519 AAAA", "SHA256:", &GOOD.replace("FU", "FV"), &GOOD[7..]]
        {
            assert!(fingerprint(bad).is_err(), "{bad} was taken");
        }
    }
}
