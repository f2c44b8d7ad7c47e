//! For which hosts an image is built: what an index says of its manifests, and what their configurations say.
//!
//! Names are compared as containerd normalises them (`containerd/platforms`, `Normalize`): `aarch64` is `arm64`, and a
//! variant that every processor of the architecture has is none.

use oci_client::manifest::ImageIndexEntry;
use serde::Deserialize;

/// A platform as a person reads it: `linux/arm64`, `linux/arm/v7`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Platform {
    os: String,
    architecture: String,
    /// Left out where every processor of the architecture has it.
    variant: Option<String>,
}

impl Platform {
    /// What hosts of this architecture (`amd64`, `arm64`) run.
    pub(super) fn of_hosts(architecture: &str) -> Self {
        Self::new("linux", architecture, None)
    }

    /// What the index says of one of its manifests; nothing of an attestation (`unknown/unknown`), which no host runs.
    pub(super) fn of_entry(entry: &ImageIndexEntry) -> Option<Self> {
        let platform = entry.platform.as_ref()?;
        let (os, architecture) = (platform.os.to_string(), platform.architecture.to_string());
        if os == "unknown" || architecture == "unknown" {
            return None;
        }
        Some(Self::new(&os, &architecture, platform.variant.as_deref()))
    }

    /// What a configuration says of its image.
    ///
    /// # Errors
    /// It is none, or names no platform, which the specification demands.
    pub(super) fn of_configuration(content: &[u8]) -> Result<Self, serde_json::Error> {
        #[derive(Deserialize)]
        struct Configuration {
            os: String,
            architecture: String,
            variant: Option<String>,
        }
        let Configuration { os, architecture, variant } = serde_json::from_slice(content)?;
        Ok(Self::new(&os, &architecture, variant.as_deref()))
    }

    fn new(os: &str, architecture: &str, variant: Option<&str>) -> Self {
        let architecture = match architecture {
            "aarch64" => "arm64",
            "x86_64" | "x86-64" => "amd64",
            other => other,
        };
        let basic = match architecture {
            "arm64" => ["", "8", "v8"].as_slice(),
            "amd64" => ["", "v1"].as_slice(),
            _ => [""].as_slice(),
        };
        Self {
            os: os.to_owned(),
            architecture: architecture.to_owned(),
            variant: variant.filter(|variant| !basic.contains(variant)).map(str::to_owned),
        }
    }
}

impl std::fmt::Display for Platform {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}/{}", self.os, self.architecture)?;
        self.variant.as_ref().map_or(Ok(()), |variant| write!(formatter, "/{variant}"))
    }
}

#[cfg(test)]
mod tests {
    use super::Platform;

    #[test]
    fn a_variant_that_every_processor_has_is_none_and_others_are_other_platforms() {
        let arm64 = Platform::of_hosts("arm64");
        for variant in [None, Some(""), Some("8"), Some("v8")] {
            assert_eq!(Platform::new("linux", "arm64", variant), arm64, "{variant:?}");
        }
        assert_eq!(Platform::new("linux", "aarch64", None), arm64);
        assert_ne!(Platform::new("linux", "arm64", Some("v9")), arm64);
        assert_ne!(Platform::new("linux", "arm", Some("v8")), arm64);
        assert_ne!(Platform::new("windows", "arm64", None), arm64);
        let amd64 = Platform::of_hosts("amd64");
        assert_eq!(Platform::new("linux", "x86_64", Some("v1")), amd64);
        assert_ne!(Platform::new("linux", "amd64", Some("v3")), amd64);
    }

    #[test]
    fn platforms_read_as_people_write_them() {
        assert_eq!(Platform::new("linux", "arm64", Some("v8")).to_string(), "linux/arm64");
        assert_eq!(Platform::new("linux", "arm", Some("v7")).to_string(), "linux/arm/v7");
    }

    #[test]
    fn a_configuration_must_name_its_platform() {
        let platform = Platform::of_configuration(br#"{"os":"linux","architecture":"arm64","variant":"v8"}"#);
        assert_eq!(platform.unwrap(), Platform::of_hosts("arm64"));
        assert!(Platform::of_configuration(br#"{"os":"linux"}"#).is_err());
    }
}
