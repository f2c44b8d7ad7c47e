//! Names in DNS.

use std::fmt;

use hickory_proto::rr::Name;
use serde::de::{Deserialize, Deserializer, Error};

/// A name in lower case, without the last dot. Providers compare in lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DomainName(String);

impl DomainName {
    /// Reads one.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(text: &str) -> Result<Self, String> {
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        let is_label = |label: &str| {
            let inside =
                |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
            label.bytes().all(inside) && !label.starts_with('-') && !label.ends_with('-')
        };
        let fits = Name::from_ascii(&name).is_ok();
        if !fits || name.is_empty() || !name.split('.').all(|label| !label.is_empty() && is_label(label)) {
            return Err(format!(
                "`{}` is no name in DNS: letters, digits and `-`, in parts of at most 63 with dots between them",
                text.escape_debug()
            ));
        }
        if !name.contains('.') {
            return Err(format!("`{name}` has no dot: say the whole name, like `home.example.org`"));
        }
        Ok(Self(name))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name itself and those above it, as long as they have a dot: the zones it may be in, the nearest first.
    pub fn possible_zones(&self) -> impl Iterator<Item = &str> {
        std::iter::successors(Some(self.0.as_str()), |name| {
            let (_, above) = name.split_once('.')?;
            above.contains('.').then_some(above)
        })
    }

    /// Whether it is that zone or in it.
    pub fn is_in(&self, zone: &Self) -> bool {
        self == zone || self.0.strip_suffix(&zone.0).is_some_and(|before| before.ends_with('.'))
    }
}

impl fmt::Display for DomainName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for DomainName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::DomainName;

    #[test]
    fn a_name_may_be_in_every_zone_above_it_that_has_a_dot() {
        let zones = |name: &str| -> Vec<String> {
            DomainName::new(name).unwrap().possible_zones().map(str::to_owned).collect()
        };
        assert_eq!(zones("a.home.example.org"), ["a.home.example.org", "home.example.org", "example.org"]);
        assert_eq!(zones("example.org"), ["example.org"]);
    }
}
