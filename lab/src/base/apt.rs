//! Where this machine gets packages from: the hosts' image takes them from the same place.

use std::path::{Path, PathBuf};

use super::Release;
use super::release::Vendor;
use crate::{Result, program};

/// The keys of Ubuntu's archive, where this machine has them.
const UBUNTU_KEYRING: &str = "/usr/share/keyrings/ubuntu-archive-keyring.gpg";
/// The Debian release that has those keys as a package, whichever release this machine is.
const KEYRING_RELEASE: &str = "trixie";

/// Lines for a `sources.list` of the release: this machine's own, or its vendor's where this machine is another system.
///
/// What has to be fetched for them goes into `work`, which must not exist.
pub(super) fn sources(release: Release, work: &Path) -> Result<String> {
    let format = "$(REPO_URI) $(RELEASE) $(COMPONENT)";
    let listed = program::run(&["apt-get", "indextargets", "--format", format, "Created-By: Packages"])?;
    let own = own_sources(&listed, release.as_str());
    if !own.is_empty() {
        return Ok(own);
    }
    match release.vendor() {
        Vendor::Debian => Ok(debian_sources(release.as_str())),
        Vendor::Ubuntu => {
            Ok(ubuntu_sources(release.as_str(), &ubuntu_keyring(work)?, std::env::consts::ARCH))
        }
    }
}

/// How this machine's apt reaches its sources (proxies, certificates, leniency about old mirrors), as options.
pub(super) fn options() -> Result<Vec<String>> {
    Ok(acquire_options(&program::run(&["apt-config", "dump"])?))
}

fn own_sources(listed: &str, release: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for target in listed.lines() {
        let mut words = target.split_ascii_whitespace();
        let (Some(uri), Some(suite), Some(component)) = (words.next(), words.next(), words.next()) else {
            continue;
        };
        let wanted = ["", "-updates", "-security"].iter().any(|suffix| suite == format!("{release}{suffix}"));
        let line = format!("deb {uri} {suite} {component}");
        if wanted && component == "main" && !lines.contains(&line) {
            lines.push(line);
        }
    }
    // Without the release itself the others are of no use.
    if lines.iter().any(|line| line.contains(&format!(" {release} "))) {
        lines.join("\n") + "\n"
    } else {
        String::new()
    }
}

fn debian_sources(release: &str) -> String {
    let signed = "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]";
    format!(
        "deb {signed} http://deb.debian.org/debian {release} main\n\
         deb {signed} http://deb.debian.org/debian {release}-updates main\n\
         deb {signed} http://deb.debian.org/debian-security {release}-security main\n"
    )
}

fn ubuntu_sources(release: &str, keyring: &Path, architecture: &str) -> String {
    // Architectures beside amd64 have an archive of their own (https://ports.ubuntu.com).
    let (archive, security) = match architecture {
        "x86_64" => ("http://archive.ubuntu.com/ubuntu", "http://security.ubuntu.com/ubuntu"),
        _ => ("http://ports.ubuntu.com/ubuntu-ports", "http://ports.ubuntu.com/ubuntu-ports"),
    };
    let signed = format!("[signed-by={}]", keyring.display());
    format!(
        "deb {signed} {archive} {release} main\n\
         deb {signed} {archive} {release}-updates main\n\
         deb {signed} {security} {release}-security main\n"
    )
}

/// The keys of Ubuntu's archive: this machine's, or those in Debian's package of them, which Debian's own keys vouch for.
fn ubuntu_keyring(work: &Path) -> Result<PathBuf> {
    let installed = PathBuf::from(UBUNTU_KEYRING);
    if installed.exists() {
        return Ok(installed);
    }
    for folder in ["lists/partial", "archives/partial"] {
        fs_err::create_dir_all(work.join(folder))?;
    }
    let list = work.join("sources.list");
    fs_err::write(&list, debian_sources(KEYRING_RELEASE))?;
    // A folder of its own for all that apt keeps: this machine's package lists stay as they are.
    let mut settings = vec![
        format!("Dir::Etc::sourcelist={}", list.display()),
        "Dir::Etc::sourceparts=-".to_owned(),
        format!("Dir::State::lists={}", work.join("lists").display()),
        format!("Dir::Cache={}", work.display()),
        // The user that apt takes for downloads cannot enter the folder of a user.
        "APT::Sandbox::User=root".to_owned(),
    ];
    settings.extend(options()?.iter().map(|option| option.replacen(" \"", "=", 1).replace('"', "")));
    let folder = work.to_string_lossy();
    for command in [["update", "--quiet"], ["download", "ubuntu-keyring"]] {
        let mut argv = vec!["env", "-C", &*folder, "apt-get"];
        argv.extend(settings.iter().flat_map(|setting| ["-o", setting.as_str()]));
        argv.extend(command);
        program::run(&argv)?;
    }
    for entry in fs_err::read_dir(work)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "deb") {
            program::run(&[
                "dpkg-deb",
                "--extract",
                &path.to_string_lossy(),
                &work.join("root").to_string_lossy(),
            ])?;
        }
    }
    Ok(work.join("root").join(UBUNTU_KEYRING.trim_start_matches('/')))
}

fn acquire_options(dump: &str) -> Vec<String> {
    let kept = ["http", "https", "Check-Valid-Until", "Check-Date", "Retries", "ForceIPv4"];
    dump.lines()
        .filter(|line| {
            line.strip_prefix("Acquire::")
                .is_some_and(|rest| kept.iter().any(|name| rest.split(['"', ' ', ':']).next() == Some(name)))
        })
        .filter(|line| !line.ends_with(" \"\";"))
        .map(|line| line.trim_end_matches(';').to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_of_the_same_release_lends_its_own_sources() {
        let listed = "http://mirror/debian/ bookworm main\nhttp://mirror/debian/ bookworm contrib\n\
                      http://mirror/debian-security/ bookworm-security main\nhttp://other/ nodistro main\n";
        assert_eq!(
            own_sources(listed, "bookworm"),
            "deb http://mirror/debian/ bookworm main\ndeb http://mirror/debian-security/ bookworm-security main\n"
        );
        assert_eq!(own_sources(listed, "trixie"), "");
    }

    #[test]
    fn ubuntu_has_an_archive_of_its_own_beside_amd64() {
        let keyring = Path::new("/k.gpg");
        let amd64 = ubuntu_sources("noble", keyring, "x86_64");
        assert!(amd64.starts_with("deb [signed-by=/k.gpg] http://archive.ubuntu.com/ubuntu noble main\n"));
        assert!(amd64.ends_with(" http://security.ubuntu.com/ubuntu noble-security main\n"));
        let arm64 = ubuntu_sources("noble", keyring, "aarch64");
        assert!(arm64.lines().all(|line| line.contains("http://ports.ubuntu.com/ubuntu-ports")), "{arm64}");
    }

    #[test]
    fn proxies_are_passed_on_and_empty_settings_are_not() {
        let dump = "Acquire \"\";\nAcquire::http \"\";\nAcquire::http::Proxy \"http://proxy:3128\";\n\
                    Acquire::Check-Valid-Until \"false\";\nAcquire::GzipIndexes \"true\";\n";
        assert_eq!(
            acquire_options(dump),
            ["Acquire::http::Proxy \"http://proxy:3128\"", "Acquire::Check-Valid-Until \"false\""]
        );
    }
}
