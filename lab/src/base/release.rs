//! Releases of operating systems that hosts can be made of.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// A release, by the name that its archive has.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, ValueEnum,
)]
#[serde(rename_all = "snake_case")]
pub enum Release {
    /// Debian 12
    #[default]
    Bookworm,
    /// Debian 13
    Trixie,
    /// Ubuntu 24.04
    Noble,
}

/// Whose archive a release is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Vendor {
    Debian,
    Ubuntu,
}

impl Release {
    /// The name in the archive, and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bookworm => "bookworm",
            Self::Trixie => "trixie",
            Self::Noble => "noble",
        }
    }

    /// As its vendor writes it, for a person.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Bookworm => "Debian 12",
            Self::Trixie => "Debian 13",
            Self::Noble => "Ubuntu 24.04",
        }
    }

    pub(super) fn vendor(self) -> Vendor {
        match self {
            Self::Bookworm | Self::Trixie => Vendor::Debian,
            Self::Noble => Vendor::Ubuntu,
        }
    }

    /// What its default server install holds beside `packages.txt` and has a say in a cluster.
    pub(super) fn own_packages(self) -> &'static [&'static str] {
        match self {
            Self::Bookworm | Self::Trixie => &[],
            // A resolver of the host's own on 127.0.0.53, a firewall that is off, and two programs that act on packages
            // when nobody asks. Without netplan.io: it brings udev.
            Self::Noble => &["needrestart", "systemd-resolved", "ufw", "unattended-upgrades"],
        }
    }

    /// Whether a user's first login leaves a mark of having been shown a notice (`pam_motd`).
    pub(crate) fn shows_notice_once(self) -> bool {
        self == Self::Noble
    }

    /// Whether `/etc/resolv.conf` is a link to the file of a resolver on the host itself.
    pub(crate) fn has_stub_resolver(self) -> bool {
        self == Self::Noble
    }
}

impl std::fmt::Display for Release {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.as_str())
    }
}
