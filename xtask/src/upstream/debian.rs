//! What comes from Debian: the base layer with `nft` and `iptables`, and the flannel CNI plugin.
//!
//! Everything goes through apt and its own sources and signatures, so that it works behind whatever mirror or proxy
//! this machine's apt is set up for.

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};

use super::architecture::Architecture;
use super::archive::{self, Archive, Packed};
use super::cache::Folder;
use super::program;
use super::recipe::{
    BASE_PACKAGES, BASE_SUITE, C_LIBRARIES, FLANNEL_CNI_MEMBER, FLANNEL_CNI_PACKAGE, FLANNEL_CNI_SUITE,
};

/// Used where apt knows no Debian source, for example before its first update.
const DEFAULT_REPOSITORY: &str = "http://deb.debian.org/debian";
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
const LAYER: &str = "layer.tar.gz";
const RECORD: &str = "layer.json";

/// Left out of the base layer: no program in it reads them.
const LEFT_OUT: &[&str] = &[
    "dev",
    "etc/apt",
    "proc",
    "sys",
    "tmp",
    "usr/share/bash-completion",
    "usr/share/bug",
    "usr/share/info",
    "usr/share/lintian",
    "usr/share/locale",
    "usr/share/man",
    "var/cache",
    "var/lib/apt",
    "var/lib/dpkg",
    "var/log",
];
/// Left out as well, below a folder of libraries: conversions between character sets.
const CONVERSIONS: &str = "gconv";
/// Of a package's documentation, its licence stays.
const DOCUMENTATION: &str = "usr/share/doc";
/// What `update-alternatives` would link if the packages were installed rather than unpacked.
const IPTABLES: &[&str] =
    &["iptables", "iptables-save", "iptables-restore", "ip6tables", "ip6tables-save", "ip6tables-restore"];

/// The base layer: its file and what is in it.
pub(super) struct BaseLayer {
    pub(super) path: PathBuf,
    pub(super) packed: Packed,
}

/// The base layer, made by mmdebstrap once and kept. Packages are unpacked and nothing of them runs, so that a
/// foreign architecture needs no emulation.
pub(super) fn base_layer(folder: &Folder, architecture: Architecture) -> anyhow::Result<BaseLayer> {
    let part = folder.part(&base_key(architecture));
    if !part.is_dir() {
        let work = tempfile::Builder::new().prefix(".base-").tempdir_in(folder.part(""))?;
        let packed = make_base_layer(architecture, &work.path().join(LAYER))?;
        fs_err::write(work.path().join(RECORD), serde_json::to_vec(&packed)?)?;
        fs_err::rename(work.keep(), &part)?;
    }
    let record = fs_err::read(part.join(RECORD))?;
    let packed = serde_json::from_slice(&record).context("the record of the base layer is damaged")?;
    Ok(BaseLayer { path: part.join(LAYER), packed })
}

/// Names everything the layer is made from but the packages' versions.
fn base_key(architecture: Architecture) -> String {
    let mut hash = Sha256::new();
    let packages = BASE_PACKAGES.join(",");
    let sources = [include_str!("debian.rs"), include_str!("archive.rs")];
    for part in sources.into_iter().chain([BASE_SUITE, &packages, architecture.name]) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    format!("base-{}", &archive::hex(&hash.finalize())[..32])
}

fn make_base_layer(architecture: Architecture, output: &Path) -> anyhow::Result<Packed> {
    let mut stderr = tempfile::tempfile()?;
    let mut command = Command::new("mmdebstrap");
    command.args(["--variant=extract", "--format=tar"]);
    command.arg(format!("--architectures={}", architecture.name));
    command.arg(format!("--include={}", BASE_PACKAGES.join(",")));
    command.args([BASE_SUITE, "-", &repository()?]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr.try_clone()?);
    let mut child = command.spawn().context("`mmdebstrap` cannot be started")?;
    let stdout = child.stdout.take().context("`mmdebstrap` has no output")?;
    let packed = repack(stdout, architecture, output);
    let status = child.wait()?;
    if !status.success() {
        let mut words = Vec::new();
        std::io::Seek::rewind(&mut stderr)?;
        stderr.read_to_end(&mut words)?;
        anyhow::bail!("`mmdebstrap` ended with {status}:\n{}", program::tail(&words));
    }
    packed
}

/// Writes the members worth keeping, without times and owners, and the missing links.
fn repack(input: impl std::io::Read, architecture: Architecture, output: &Path) -> anyhow::Result<Packed> {
    let mut tar = tar::Archive::new(input);
    let mut archive = Archive::create(output)?;
    for entry in tar.entries()? {
        let mut entry = entry?;
        let name = String::from_utf8(entry.path_bytes().into_owned())?;
        let name = name.trim_start_matches("./").trim_end_matches('/');
        if !kept(name, architecture) {
            continue;
        }
        let mode = entry.header().mode()?;
        let target =
            entry.link_name_bytes().map(|target| String::from_utf8(target.into_owned())).transpose()?;
        match (entry.header().entry_type(), target) {
            (tar::EntryType::Directory, _) => archive.directory(name, mode)?,
            (tar::EntryType::Regular, _) => archive.file(name, mode, entry.size(), &mut entry)?,
            (kind @ tar::EntryType::Symlink, Some(target)) => archive.link(kind, name, target)?,
            (kind @ tar::EntryType::Link, Some(target)) => {
                archive.link(kind, name, target.trim_start_matches("./"))?;
            }
            (kind, _) => {
                anyhow::bail!("the base layer has `{name}`, of a kind it should not have ({kind:?})")
            }
        }
    }
    for name in IPTABLES {
        archive.link(tar::EntryType::Symlink, &format!("usr/sbin/{name}"), "xtables-nft-multi")?;
    }
    archive.directory("run", 0o755)?;
    archive.directory("tmp", 0o1777)?;
    Ok(archive.finish()?)
}

fn kept(name: &str, architecture: Architecture) -> bool {
    let below =
        |folder: &str| name.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let needless_documentation = below(DOCUMENTATION) && !name.ends_with("/copyright");
    let conversions = format!("usr/lib/{}/{CONVERSIONS}", architecture.libraries);
    !name.is_empty()
        && !needless_documentation
        && !below(&conversions)
        && !LEFT_OUT.iter().any(|folder| below(folder))
}

/// The flannel CNI plugin out of Debian's package, written to `output`.
pub(super) fn flannel_cni(folder: &Folder, architecture: Architecture, output: &Path) -> anyhow::Result<()> {
    let wanted = architecture.flannel_cni;
    let package = folder.part(&format!("{wanted}.deb"));
    if !package.is_file() {
        let work = tempfile::Builder::new().prefix(".deb-").tempdir_in(folder.part(""))?;
        let downloaded = download(architecture, FLANNEL_CNI_SUITE, FLANNEL_CNI_PACKAGE, work.path())?;
        fs_err::rename(downloaded, &package)?;
    }
    let found = archive::content_of(&package)?.sha256;
    anyhow::ensure!(
        found == wanted,
        "`{}` has SHA-256 {found}, not {wanted}; remove it and try again",
        package.display()
    );
    let mut found = false;
    each_member(&package, |path, entry| {
        if path == Path::new(FLANNEL_CNI_MEMBER) {
            std::io::copy(entry, &mut fs_err::File::create(output)?)?;
            found = true;
        }
        Ok(())
    })?;
    anyhow::ensure!(found, "`{}` has no `{FLANNEL_CNI_MEMBER}`", package.display());
    Ok(())
}

/// A root with the C libraries of a foreign architecture, in the suite this machine's own come from; kept.
pub(super) fn libraries(folder: &Folder, architecture: Architecture) -> anyhow::Result<PathBuf> {
    let root =
        folder.part(&format!("libraries-{BASE_SUITE}-{}-{}", architecture.name, C_LIBRARIES.join("-")));
    if !root.is_dir() {
        let work = tempfile::Builder::new().prefix(".libraries-").tempdir_in(folder.part(""))?;
        let unpacked = work.path().join("root");
        for package in C_LIBRARIES {
            let place = work.path().join(package);
            let package = download(architecture, BASE_SUITE, package, &place)?;
            program::output(Command::new("dpkg-deb").arg("--extract").arg(package).arg(&unpacked))?;
        }
        fs_err::rename(unpacked, &root)?;
    }
    Ok(root)
}

/// Passes every member of a Debian package on, by its path below the root.
fn each_member(
    package: &Path,
    mut take: impl FnMut(&Path, &mut dyn std::io::Read) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut child = Command::new("dpkg-deb")
        .arg("--fsys-tarfile")
        .arg(package)
        .stdout(Stdio::piped())
        .spawn()
        .context("`dpkg-deb` cannot be started")?;
    let stdout = child.stdout.take().context("`dpkg-deb` has no output")?;
    let mut tar = tar::Archive::new(stdout);
    for entry in tar.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        take(path.strip_prefix("./").unwrap_or(&path), &mut entry)?;
    }
    anyhow::ensure!(child.wait()?.success(), "`dpkg-deb` cannot read `{}`", package.display());
    Ok(())
}

/// Lets apt fetch and verify the package, with sources and state of its own below `work`.
fn download(architecture: Architecture, suite: &str, package: &str, work: &Path) -> anyhow::Result<PathBuf> {
    for folder in ["lists/partial", "cache/archives/partial", "out"] {
        fs_err::create_dir_all(work.join(folder))?;
    }
    fs_err::write(work.join("status"), "")?;
    let mut source = String::new();
    writeln!(source, "deb [arch={} signed-by={KEYRING}] {} {suite} main", architecture.name, repository()?)?;
    fs_err::write(work.join("sources.list"), source)?;
    program::output(apt(architecture, work).arg("update"))?;
    program::output(apt(architecture, work).args(["download", package]).current_dir(work.join("out")))?;
    let file = fs_err::read_dir(work.join("out"))?.next().context("apt downloaded nothing")??;
    Ok(file.path())
}

fn apt(architecture: Architecture, work: &Path) -> Command {
    let mut command = Command::new("apt-get");
    let options = [
        ("Dir::Etc::SourceList", "sources.list"),
        ("Dir::State::Lists", "lists"),
        ("Dir::State::Status", "status"),
        ("Dir::Cache", "cache"),
    ];
    for (key, name) in options {
        command.arg("-o").arg(format!("{key}={}", work.join(name).display()));
    }
    // The folder belongs to the user who builds; apt's own user could not write there.
    for option in ["Dir::Etc::SourceParts=/dev/null", "APT::Sandbox::User="] {
        command.args(["-o", option]);
    }
    let architecture = architecture.name;
    command.args(["-o", &format!("APT::Architecture={architecture}")]);
    command.args(["-o", &format!("APT::Architectures={architecture}"), "--quiet"]);
    command
}

/// Where this machine's apt gets Debian from.
fn repository() -> Result<String, program::ProgramError> {
    let mut command = Command::new("apt-get");
    command.args(["indextargets", "--format", "$(ORIGIN)|$(LABEL)|$(REPO_URI)", "Created-By: Packages"]);
    Ok(debian_of(&program::output(&mut command)?).unwrap_or(DEFAULT_REPOSITORY).to_owned())
}

fn debian_of(targets: &str) -> Option<&str> {
    targets.lines().find_map(|line| line.strip_prefix("Debian|Debian|")).map(|uri| uri.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::architecture::{AMD64, ARM64};

    #[test]
    fn conversions_of_the_architecture_itself_go() {
        assert!(!kept("usr/lib/x86_64-linux-gnu/gconv/UTF-16.so", AMD64));
        assert!(!kept("usr/lib/aarch64-linux-gnu/gconv/UTF-16.so", ARM64));
        assert!(kept("usr/lib/aarch64-linux-gnu/libc.so.6", ARM64));
    }

    #[test]
    fn documentation_goes_and_licences_stay() {
        let kept = |name| kept(name, AMD64);
        assert!(kept("usr/sbin/nft") && kept("usr/share/doc/nftables/copyright") && kept("etc"));
        assert!(!kept("usr/share/doc/nftables/changelog.gz") && !kept("usr/share/doc") && !kept(""));
        assert!(!kept("var/lib/dpkg/status") && kept("device"));
    }

    #[test]
    fn debian_itself_is_chosen_and_not_its_security_archive_or_a_third_party() {
        let targets = "Google|cloud|https://example.org/\nDebian|Debian-Security|http://a/debian-security/\n\
            Debian|Debian|http://a/debian/\n";
        assert_eq!(debian_of(targets), Some("http://a/debian"));
        assert_eq!(debian_of(""), None);
    }
}
