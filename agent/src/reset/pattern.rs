//! Names in `owns`: a trailing `*` stands for any end.

/// Whether `name` is meant by `pattern`.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn only_a_trailing_star_is_special() {
        assert!(matches("cni-*", "cni-0a1b"));
        assert!(matches("cni0", "cni0"));
        assert!(!matches("cni0", "cni01"));
        assert!(!matches("c*0", "cni0"));
    }
}
