//! Serial numbers of certificates.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::PkiError;
use super::random::random;

/// A certificate's serial number: positive, at most 127 bits, so that its sign bit never makes it longer. In decimal, as
/// OpenVPN names the files of a `crl-verify … dir` (`openvpn(8)`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Serial(u128);

impl Serial {
    /// One that nobody can guess, so that two laptops never give the same one.
    pub fn random() -> Result<Self, PkiError> {
        let number = u128::from_be_bytes(*random::<16>()?) >> 1;
        // Zero is no serial number (RFC 5280, 4.1.2.2).
        Ok(Self(number.max(1)))
    }

    /// Big-endian, without leading zeros.
    pub(super) fn bytes(self) -> Vec<u8> {
        self.0.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect()
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl FromStr for Serial {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl Serialize for Serial {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // As text: numbers of this size are more than most readers of JSON keep.
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Serial {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
