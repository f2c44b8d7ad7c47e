//! Published checksum files: the bare digest, or lines as `sha256sum` writes them.

use garboard_protocol::Digest;

/// The digest of `file` (its base name) in `text`.
pub(super) fn find(text: &str, file: &str) -> Option<Digest> {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty()).peekable();
    let first = lines.peek().copied()?;
    if let Ok(digest) = Digest::from_hex(first) {
        return Some(digest);
    }
    lines.find_map(|line| {
        let (digest, name) = line.split_once(char::is_whitespace)?;
        // `*` marks binary mode; some lists hold a path.
        let name = name.trim_start().trim_start_matches('*');
        let named = name.rsplit('/').next() == Some(file);
        named.then(|| Digest::from_hex(digest).ok()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::find;

    const HEX: &str = "bba1733c701bf70ec74ba1cc3fd5745404c1134a8a4b0a5f8560cc9832023421";
    const OTHER: &str = "57205a5daf5883873d87b4914e1e00bdd7707acd075714788cfb0fc1f60bc414";

    #[test]
    fn bare_digests_and_lists_are_read() {
        assert_eq!(find(&format!("{HEX}\n"), "kubeadm").unwrap().hex(), HEX);
        let list = format!("{OTHER}  runc.arm64\n{HEX} *build/runc.amd64\n");
        assert_eq!(find(&list, "runc.amd64").unwrap().hex(), HEX);
    }

    #[test]
    fn a_list_without_the_file_gives_nothing() {
        assert_eq!(find(&format!("{OTHER}  runc.arm64\n"), "runc.amd64"), None);
        assert_eq!(find("<html>not found</html>", "runc.amd64"), None);
        assert_eq!(find("", "runc.amd64"), None);
    }
}
