//! Where this machine gets Debian's packages from: the hosts' image takes them from the same place.

use crate::{Result, program};

/// Lines for a `sources.list` of the release: this machine's own, or Debian's where this machine is another system.
pub(super) fn sources(release: &str) -> Result<String> {
    let format = "$(REPO_URI) $(RELEASE) $(COMPONENT)";
    let listed = program::run(&["apt-get", "indextargets", "--format", format, "Created-By: Packages"])?;
    let own = own_sources(&listed, release);
    Ok(if own.is_empty() { debian_sources(release) } else { own })
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
    fn proxies_are_passed_on_and_empty_settings_are_not() {
        let dump = "Acquire \"\";\nAcquire::http \"\";\nAcquire::http::Proxy \"http://proxy:3128\";\n\
                    Acquire::Check-Valid-Until \"false\";\nAcquire::GzipIndexes \"true\";\n";
        assert_eq!(
            acquire_options(dump),
            ["Acquire::http::Proxy \"http://proxy:3128\"", "Acquire::Check-Valid-Until \"false\""]
        );
    }
}
