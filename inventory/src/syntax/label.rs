//! Labels of nodes, by the rules of Kubernetes ("Labels and Selectors", "Syntax and character set").

use super::name::is_domain;
use crate::fault::{Flaw, quote};

/// The longest name and the longest value.
const LONGEST: usize = 63;

/// A label's key: `name`, or `prefix/name` with a DNS name before the slash.
pub(crate) fn label_key(text: &str) -> Result<String, Flaw> {
    let (prefix, name) = match text.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, text),
    };
    if let Some(prefix) = prefix {
        if !is_domain(prefix) || prefix != prefix.to_lowercase() {
            return Err(Flaw::new("what stands before `/` must be a DNS name")
                .help("write it like `example.org/disk`, or without a prefix"));
        }
        if ["kubernetes.io", "k8s.io"]
            .iter()
            .any(|own| prefix == *own || prefix.ends_with(&format!(".{own}")))
        {
            return Err(Flaw::new(format!("{} is reserved for Kubernetes itself", quote(prefix)))
                .help(format!("write {}, or choose a prefix of your own", quote(name))));
        }
    }
    if name.is_empty() {
        return Err(Flaw::new("it has no name").help("write it like `disk` or `example.org/disk`"));
    }
    characters(name)?;
    Ok(text.to_owned())
}

/// A label's value; it may be empty.
pub(crate) fn label_value(text: &str) -> Result<String, Flaw> {
    if !text.is_empty() {
        characters(text).map_err(|flaw| Flaw {
            message: format!("{} cannot be a label's value: {}", quote(text), flaw.message),
            ..flaw
        })?;
    }
    Ok(text.to_owned())
}

fn characters(text: &str) -> Result<(), Flaw> {
    if text.len() > LONGEST {
        return Err(Flaw::new(format!("it has {} characters, at most {LONGEST} are allowed", text.len()))
            .help("shorten it"));
    }
    let bad = |character: &char| !character.is_ascii_alphanumeric() && !"-_.".contains(*character);
    if let Some(bad) = text.chars().find(bad) {
        return Err(Flaw::new(format!("{} is not allowed in it", quote(&bad.to_string())))
            .help("use letters, digits, `-`, `_` and `.`"));
    }
    let edge = |character: char| character.is_ascii_alphanumeric();
    if !text.starts_with(edge) || !text.ends_with(edge) {
        return Err(Flaw::new("it must begin and end with a letter or digit")
            .help("remove what stands before or behind them"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{label_key, label_value};

    #[test]
    fn keys_and_values_follow_the_rules_of_kubernetes() {
        for good in ["disk", "Disk_1.a", "example.org/disk"] {
            assert!(label_key(good).is_ok(), "{good} was refused");
        }
        let too_long = "a".repeat(64);
        for bad in
            ["", "/disk", "a b", "-disk", "node-role.kubernetes.io/worker", "k8s.io/x", "a/b/c", &too_long]
        {
            assert!(label_key(bad).is_err(), "{bad:?} was taken");
        }
        assert!(label_value("").is_ok() && label_value("ssd").is_ok() && label_value("a b").is_err());
        assert!(label_value("mykubernetes.io").is_ok() && label_key("mykubernetes.io/x").is_ok());
    }
}
