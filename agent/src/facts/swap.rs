//! Everything that makes swap: what is on now, and what would come with the next boot. Swap in a compressed cache before a
//! disk (zswap) is none of its own.
//!
//! systemd turns swap on by `.swap` units. Most are made at boot by generators (systemd.generator(7)) out of `/etc/fstab`, the
//! partition table, or a configuration: zram-generator's (`zram-generator.conf(5)`), or rpi-swap's of Raspberry Pi OS since
//! trixie (`swap.conf(5)`), which hands its part to zram-generator. Older packages have services of their own.

use std::collections::BTreeMap;
use std::path::Path;

use garboard_protocol::facts::SwapSource;

use super::{exists, text};
use crate::steps::path::unescape;
use crate::system::{Kind, Look};

/// Where swap is set up for every boot.
pub(crate) const FSTAB: &str = "/etc/fstab";
/// rpi-swap's timer, which writes idle pages of its zram to disk: without the zram it fails each day.
pub(crate) const WRITEBACK: &str = "rpi-zram-writeback.timer";

/// Services that make swap by themselves, and the package of each: Raspberry Pi OS up to bookworm, Debian, Ubuntu.
const SERVICES: [(&str, &str); 3] = [
    ("dphys-swapfile.service", "dphys-swapfile"),
    ("zramswap.service", "zram-tools"),
    ("zram-config.service", "zram-config"),
];
const UNIT_FOLDERS: [&str; 3] = ["/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"];
const GENERATED: [&str; 3] =
    ["/run/systemd/generator.early", "/run/systemd/generator", "/run/systemd/generator.late"];

/// Where each of the generators looks for its configuration.
const ZRAM_GENERATOR: [&str; 4] =
    ["/run/systemd", "/etc/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd"];
const RPI_SWAP: [&str; 4] = ["/run/rpi", "/etc/rpi", "/usr/local/lib/rpi", "/usr/lib/rpi"];

/// One thing that makes swap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// In use, as `/proc/swaps` names it.
    Active { path: String, maker: String },
    /// A live line of `/etc/fstab`.
    Fstab(String),
    /// A unit that a generator makes at each boot, if it is not masked.
    Generated { unit: String, maker: String },
    /// A unit or service that is enabled.
    Enabled { unit: String, maker: String },
}

impl From<Source> for SwapSource {
    fn from(source: Source) -> Self {
        let (maker, name, active) = match source {
            Source::Active { path, maker } => (maker, path, true),
            Source::Fstab(line) => (FSTAB.to_owned(), line, false),
            Source::Generated { unit, maker } | Source::Enabled { unit, maker } => (maker, unit, false),
        };
        Self { maker, name, active }
    }
}

/// Paths of `/proc/swaps`.
pub(crate) fn active(look: &dyn Look) -> Vec<String> {
    let text = text(look, "/proc/swaps");
    text.lines().skip(1).filter_map(|line| line.split_whitespace().next()).map(unescape).collect()
}

/// All of it, active swap first.
pub(crate) fn sources(look: &dyn Look) -> Vec<Source> {
    let generated = generated(look);
    let enabled = enabled(look);
    let mut sources: Vec<Source> = active(look)
        .into_iter()
        .map(|path| Source::Active { maker: maker(&path, &generated, &enabled, look), path })
        .collect();
    sources.extend(fstab_lines(&text(look, FSTAB)).map(|line| Source::Fstab(line.to_owned())));
    sources.extend(enabled.into_iter().map(|(unit, maker)| Source::Enabled { unit, maker }));
    let unmasked = generated.into_iter().filter(|(unit, _)| !is_masked(unit, look));
    sources.extend(unmasked.map(|(unit, maker)| Source::Generated { unit, maker }));
    sources
}

/// Who turned a piece of active swap on.
fn maker(
    path: &str,
    generated: &BTreeMap<String, String>,
    enabled: &BTreeMap<String, String>,
    look: &dyn Look,
) -> String {
    let unit = unit_name(path);
    let by_unit = generated.get(&unit).or_else(|| enabled.get(&unit)).cloned();
    let by_fstab = || {
        let text = text(look, FSTAB);
        let named = fstab_lines(&text).any(|line| line.split_whitespace().next() == Some(path));
        named.then(|| FSTAB.to_owned())
    };
    // The file each of these services makes: `/var/swap` by default, or the devices of zram.
    let by_service = || {
        let package = if path.starts_with("/dev/zram") { "zram" } else { "dphys-swapfile" };
        enabled.values().find(|maker| maker.starts_with(package)).cloned()
    };
    by_unit.or_else(by_fstab).or_else(by_service).unwrap_or_else(|| "swapon".to_owned())
}

/// Live swap lines of `/etc/fstab`.
pub(crate) fn fstab_lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| is_swap(line))
}

/// Whether a line of `/etc/fstab` turns swap on.
pub(crate) fn is_swap(line: &str) -> bool {
    let line = line.trim_start();
    !line.starts_with('#') && line.split_whitespace().nth(2) == Some("swap")
}

/// Services and `.swap` units that are started at boot, by the links that enabling makes.
fn enabled(look: &dyn Look) -> BTreeMap<String, String> {
    let mut enabled = BTreeMap::new();
    for folder in look.list(Path::new("/etc/systemd/system")).unwrap_or_default() {
        if !has_ending(&folder, "wants") && !has_ending(&folder, "requires") {
            continue;
        }
        for unit in look.list(Path::new(&format!("/etc/systemd/system/{folder}"))).unwrap_or_default() {
            let package = SERVICES.iter().find(|(service, _)| *service == unit).map(|(_, package)| *package);
            let maker = package.or(has_ending(&unit, "swap").then_some("systemd"));
            let has_file = UNIT_FOLDERS.iter().any(|folder| exists(look, &format!("{folder}/{unit}")));
            if let (Some(maker), true) = (maker, has_file && !is_masked(&unit, look)) {
                enabled.insert(unit, maker.to_owned());
            }
        }
    }
    enabled
}

/// Units that generators have made, or will make at the next boot.
fn generated(look: &dyn Look) -> BTreeMap<String, String> {
    let mut units = BTreeMap::new();
    for (unit, maker) in zram_generator(look).into_iter().chain(rpi_swap(look)) {
        units.insert(unit, maker.to_owned());
    }
    for folder in GENERATED {
        for unit in look.list(Path::new(folder)).unwrap_or_default() {
            if !has_ending(&unit, "swap") && unit != WRITEBACK {
                continue;
            }
            let content = text(look, &format!("{folder}/{unit}"));
            // Goes with its line.
            if content.lines().any(|line| line.trim() == "SourcePath=/etc/fstab") {
                continue;
            }
            let known = ["rpi-swap", "zram-generator"].into_iter().find(|name| content.contains(name));
            units.entry(unit).or_insert_with(|| known.unwrap_or("systemd").to_owned());
        }
    }
    units
}

fn has_generator(name: &str, look: &dyn Look) -> bool {
    ["/etc", "/usr/local/lib", "/usr/lib", "/lib"]
        .iter()
        .any(|folder| exists(look, &format!("{folder}/systemd/system-generators/{name}")))
}

/// A section `[zramN]` each; without `fs-type`, or with `swap` for it, it becomes swap.
fn zram_generator(look: &dyn Look) -> Vec<(String, &'static str)> {
    if !has_generator("zram-generator", look) {
        return Vec::new();
    }
    let settings = configuration(&ZRAM_GENERATOR, "zram-generator.conf", look);
    let mut devices: BTreeMap<String, bool> = BTreeMap::new();
    for (section, key, value) in &settings {
        if section.starts_with("zram") {
            let is_swap = devices.entry(section.clone()).or_insert(true);
            match key.as_str() {
                "fs-type" => *is_swap = value == "swap",
                "mount-point" => *is_swap = false,
                _ => {}
            }
        }
    }
    let swap = devices.into_iter().filter(|(_, is_swap)| *is_swap);
    swap.map(|(device, _)| (unit_name(&format!("/dev/{device}")), "zram-generator")).collect()
}

/// `Mechanism` in `[Main]`, `Path` in `[File]`.
fn rpi_swap(look: &dyn Look) -> Vec<(String, &'static str)> {
    if !has_generator("rpi-swap-generator", look) {
        return Vec::new();
    }
    let settings = configuration(&RPI_SWAP, "swap.conf", look);
    let last = |section: &str, key: &str| {
        let mut found = settings.iter().rev();
        found.find(|(of, name, _)| of == section && name == key).map(|(_, _, value)| value.as_str())
    };
    let file = unit_name(last("File", "Path").filter(|path| !path.is_empty()).unwrap_or("/var/swap"));
    let zram = unit_name("/dev/zram0");
    let units = match last("Main", "Mechanism").unwrap_or("auto") {
        "none" => Vec::new(),
        "zram" => vec![zram],
        "swapfile" => vec![file],
        // `auto`, `zram+file`, and all that it does not know.
        _ => vec![zram, WRITEBACK.to_owned()],
    };
    units.into_iter().map(|unit| (unit, "rpi-swap")).collect()
}

/// Settings of a file that several folders may hold, the first of which counts, and of the files in its folder `NAME.d`, in
/// the order of their names: section, key, value. A section without settings counts as one with an empty key.
fn configuration(folders: &[&str], name: &str, look: &dyn Look) -> Vec<(String, String, String)> {
    let whole = folders.iter().map(|folder| format!("{folder}/{name}")).find(|path| exists(look, path));
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    for folder in folders {
        let folder = format!("{folder}/{name}.d");
        for file in look.list(Path::new(&folder)).unwrap_or_default() {
            if has_ending(&file, "conf") {
                let path = format!("{folder}/{file}");
                files.entry(file).or_insert(path);
            }
        }
    }
    let mut settings = Vec::new();
    for path in whole.into_iter().chain(files.into_values()) {
        let mut section = String::new();
        for line in text(look, &path).lines().map(str::trim) {
            if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                name.clone_into(&mut section);
                settings.push((section.clone(), String::new(), String::new()));
            } else if let Some((key, value)) = line.split_once('=')
                && !line.starts_with(['#', ';'])
            {
                settings.push((section.clone(), key.trim().to_owned(), value.trim().to_owned()));
            }
        }
    }
    settings
}

/// Whether a file or unit is of this kind, by what stands behind its last dot.
pub(crate) fn has_ending(name: &str, ending: &str) -> bool {
    Path::new(name).extension().is_some_and(|found| found == ending)
}

/// Whether systemd was told never to start a unit: a link to nowhere, or an empty file, in its place.
pub(crate) fn is_masked(unit: &str, look: &dyn Look) -> bool {
    let path = format!("/etc/systemd/system/{unit}");
    match look.metadata(Path::new(&path)).ok().flatten() {
        Some(found) if found.kind == Kind::Symlink => {
            look.read_link(Path::new(&path)).is_ok_and(|target| target == Path::new("/dev/null"))
        }
        Some(found) => found.kind == Kind::File && found.size == 0,
        None => false,
    }
}

/// The `.swap` unit of a path, as systemd-escape(1) `--path` names it.
pub(crate) fn unit_name(path: &str) -> String {
    use std::fmt::Write as _;
    let mut name = String::new();
    for (index, byte) in path.trim_matches('/').bytes().enumerate() {
        match byte {
            b'/' => name.push('-'),
            b'.' if index == 0 => name.push_str("\\x2e"),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b':' | b'_' | b'.' => name.push(char::from(byte)),
            _ => {
                let _ = write!(name, "\\x{byte:02x}");
            }
        }
    }
    name.push_str(".swap");
    name
}

#[cfg(test)]
mod tests {
    use super::{is_swap, unescape, unit_name};

    #[test]
    fn swap_units_are_named_as_systemd_names_them() {
        // From `systemd-escape --path --suffix=swap`.
        for (path, unit) in [
            ("/dev/zram0", "dev-zram0.swap"),
            ("/swap.img", "swap.img.swap"),
            ("/var/swap file", "var-swap\\x20file.swap"),
            ("/dev/disk/by-uuid/1-2", "dev-disk-by\\x2duuid-1\\x2d2.swap"),
        ] {
            assert_eq!(unit_name(path), unit);
        }
    }

    #[test]
    fn only_live_swap_lines_of_fstab_count() {
        assert!(is_swap("UUID=1 none swap sw 0 0"));
        assert!(is_swap("  /swapfile\tswap\tswap defaults 0 0"));
        assert!(!is_swap("# /swapfile swap swap defaults 0 0"));
        assert!(!is_swap("/dev/sda1 /swap ext4 defaults 0 1"));
        assert_eq!(unescape("/var/swap\\040file"), "/var/swap file");
    }
}
