//! Bootstrap tokens: minted on the laptop, only when some host is about to join.

use garboard_protocol::Secret;

/// A fresh bootstrap token, `[a-z0-9]{6}.[a-z0-9]{16}` as kubeadm wants it.
pub(super) fn mint() -> std::io::Result<Secret> {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut random = [0_u8; 22];
    getrandom::fill(&mut random).map_err(|error| std::io::Error::other(error.to_string()))?;
    // 32 letters: five bits of each byte choose one without bias.
    let letters: String = random.iter().map(|byte| char::from(ALPHABET[usize::from(byte & 31)])).collect();
    Ok(Secret::new(format!("{}.{}", &letters[..6], &letters[6..])))
}

#[cfg(test)]
mod tests {
    #[test]
    fn tokens_have_kubeadms_form_and_differ() {
        let (first, second) = (super::mint().unwrap(), super::mint().unwrap());
        assert_ne!(first, second);
        let (id, secret) = first.expose().split_once('.').unwrap();
        assert_eq!((id.len(), secret.len()), (6, 16));
        let legal = |text: &str| text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        assert!(legal(id) && legal(secret));
    }
}
