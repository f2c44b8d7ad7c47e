//! Names in DNS that a provider keeps.

use super::name::is_domain;
use crate::fault::{Flaw, quote};

/// A whole name: in lower case, without the last dot, with at least one dot in it.
pub(crate) fn domain_name(text: &str) -> Result<String, Flaw> {
    let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    if !is_domain(&name) || name.parse::<std::net::IpAddr>().is_ok() {
        return Err(Flaw::new(format!("{} is no name in DNS", quote(text)))
            .help("letters, digits and `-`, with dots between the parts, like `home.example.org`"));
    }
    if !name.contains('.') {
        return Err(Flaw::new(format!("{} has no dot", quote(text)))
            .help(format!("write the whole name, like `{name}.example.org`")));
    }
    Ok(name)
}

/// Whether a name is a zone, or in it.
pub(crate) fn is_in_zone(name: &str, zone: &str) -> bool {
    name == zone || name.strip_suffix(zone).is_some_and(|before| before.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::{domain_name, is_in_zone};

    #[test]
    fn a_name_is_whole_and_in_lower_case() {
        assert_eq!(domain_name("Home.Example.org."), Ok("home.example.org".to_owned()));
        for bad in
            ["", "home", ".", "a..org", "-a.org", "a b.org", "http://a.org", "*.example.org", "192.0.2.1"]
        {
            assert!(domain_name(bad).is_err(), "{bad} was taken");
        }
        assert!(is_in_zone("home.example.org", "example.org") && is_in_zone("example.org", "example.org"));
        assert!(!is_in_zone("home.badexample.org", "example.org"));
    }
}
