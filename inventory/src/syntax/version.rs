//! `v1.36.3`

use semver::Version;

use crate::fault::{Flaw, quote};

/// The minor version of Kubernetes this version of Garboard builds.
const MAJOR_MINOR: (u64, u64) = (1, 36);

/// The Kubernetes version, with its `v`, in the supported range.
pub(crate) fn kubernetes_version(text: &str) -> Result<Version, Flaw> {
    let bare = text.strip_prefix('v').unwrap_or(text);
    let Ok(version) = Version::parse(bare) else {
        return Err(
            Flaw::new(format!("{} is no Kubernetes version", quote(text))).help("write it like `v1.36.3`")
        );
    };
    if bare.len() == text.len() {
        return Err(Flaw::new(format!("{} lacks its `v`", quote(text))).help(format!("write `v{version}`")));
    }
    if (version.major, version.minor) != MAJOR_MINOR || !version.pre.is_empty() || !version.build.is_empty() {
        return Err(Flaw::new(format!("Kubernetes {} is not in this version", quote(text)))
            .help("this version of Garboard builds the releases v1.36.x, such as `v1.36.3`"));
    }
    Ok(version)
}

#[cfg(test)]
mod tests {
    use super::kubernetes_version;

    #[test]
    fn only_full_releases_in_range_are_taken() {
        assert_eq!(kubernetes_version("v1.36.3").unwrap().to_string(), "1.36.3");
        for bad in
            ["1.36.3", "v1.36", "v1.35.9", "v1.37.0", "v2.36.3", "v1.36.3-rc.1", "v1.36.3+k3s1", "latest"]
        {
            assert!(kubernetes_version(bad).is_err(), "{bad} was taken");
        }
    }
}
