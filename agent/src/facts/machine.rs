//! The machine and its operating system.

use std::path::Path;

use garboard_protocol::facts::OperatingSystem;

use super::{exists, text};
use crate::system::{Kind, Look};

/// As Kubernetes and OCI call it. The agent is built for one, so its own is the host's.
pub(super) fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// `os-release(5)`: assignments in shell form.
pub(super) fn operating_system(look: &dyn Look) -> OperatingSystem {
    let mut release = text(look, "/etc/os-release");
    if release.is_empty() {
        release = text(look, "/usr/lib/os-release");
    }
    let value = |key: &str| {
        let value = release.lines().find_map(|line| line.trim().strip_prefix(key)?.strip_prefix('='));
        value.unwrap_or_default().trim().trim_matches(['"', '\'']).to_owned()
    };
    OperatingSystem { id: value("ID"), version: value("VERSION_ID"), name: value("PRETTY_NAME") }
}

/// Processors this process may use, by affinity and cgroup.
pub(super) fn processors() -> u32 {
    std::thread::available_parallelism().map_or(1, |count| u32::try_from(count.get()).unwrap_or(u32::MAX))
}

/// `MemTotal`.
pub(super) fn memory(look: &dyn Look) -> u64 {
    let text = text(look, "/proc/meminfo");
    let kibibytes = text.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix("kB"));
    kibibytes.and_then(|number| number.trim().parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// `AT_PAGESZ` of the auxiliary vector (`getauxval(3)`): pairs of native words.
pub(super) fn page_size(look: &dyn Look) -> u64 {
    const AT_PAGESZ: u64 = 6;
    let vector = look.read(Path::new("/proc/self/auxv")).unwrap_or_default();
    let (words, _) = vector.as_chunks::<8>();
    let words: Vec<u64> = words.iter().map(|word| u64::from_ne_bytes(*word)).collect();
    let (pairs, _) = words.as_chunks::<2>();
    pairs.iter().find(|[key, _]| *key == AT_PAGESZ).map_or(0, |[_, value]| *value)
}

/// Which cgroup hierarchy the host runs on.
pub(super) struct Cgroup {
    pub version: u8,
    pub controllers: Vec<String>,
}

/// By the file that only version 2 has at its root; a hybrid tree counts as version 1.
pub(super) fn cgroup(look: &dyn Look) -> Cgroup {
    const ROOT: &str = "/sys/fs/cgroup";
    let controllers = format!("{ROOT}/cgroup.controllers");
    if exists(look, &controllers) {
        let controllers = text(look, &controllers).split_whitespace().map(str::to_owned).collect();
        return Cgroup { version: 2, controllers };
    }
    let mut controllers: Vec<String> = look
        .list(Path::new(ROOT))
        .unwrap_or_default()
        .into_iter()
        .filter(|name| !matches!(name.as_str(), "systemd" | "unified"))
        .filter(|name| {
            let metadata = look.metadata(&Path::new(ROOT).join(name)).ok().flatten();
            metadata.is_some_and(|metadata| metadata.kind == Kind::Directory)
        })
        .flat_map(|name| name.split(',').map(str::to_owned).collect::<Vec<_>>())
        .collect();
    controllers.sort();
    controllers.dedup();
    Cgroup { version: 1, controllers }
}
