//! The Debian packages that building needs.

use std::collections::BTreeSet;
use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::process::{Command, Stdio};

use super::program;

/// Go is not here: Debian's is too old.
const NEEDED: &[&str] = &["ca-certificates", "gcc", "libc6-dev", "libseccomp-dev", "mmdebstrap"];

/// Sees to it that all are installed: asks first, unless `yes` or nobody is there to ask.
pub(super) fn ensure(yes: bool) -> anyhow::Result<()> {
    let installed = program::output(Command::new("dpkg-query").args(["-W", "-f", "${Status} ${Package}\n"]))?;
    let missing = missing(&installed);
    if missing.is_empty() {
        return Ok(());
    }
    let words = missing.join(" ");
    super::note(&format!("missing Debian packages: {words}"));
    if !is_root()? {
        anyhow::bail!("Debian packages are missing; install them with `sudo apt-get install {words}`");
    }
    if !yes && std::io::stdin().is_terminal() && !agreed(&words)? {
        anyhow::bail!("nothing was installed; install them with `apt-get install {words}`");
    }
    let mut install = Command::new("apt-get");
    install.args(["install", "--yes", "--no-install-recommends"]).args(&missing);
    install.env("DEBIAN_FRONTEND", "noninteractive").stdout(Stdio::null());
    program::output(&mut install)?;
    Ok(())
}

/// Those of the needed packages that a `dpkg-query` listing does not show as installed.
fn missing(listing: &str) -> Vec<&'static str> {
    let installed: BTreeSet<&str> =
        listing.lines().filter_map(|line| line.strip_prefix("install ok installed ")).collect();
    NEEDED.iter().copied().filter(|name| !installed.contains(name)).collect()
}

fn agreed(words: &str) -> anyhow::Result<bool> {
    write!(std::io::stderr(), "install them now ({words})? [Y/n] ")?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "" | "y" | "Y" | "yes"))
}

fn is_root() -> anyhow::Result<bool> {
    Ok(program::output(Command::new("id").arg("-u"))? == "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_removed_package_with_its_configuration_left_counts_as_missing() {
        let listing = "install ok installed ca-certificates\ninstall ok installed gcc\n\
            install ok installed libc6-dev\ndeinstall ok config-files mmdebstrap\n";
        assert_eq!(missing(listing), ["libseccomp-dev", "mmdebstrap"]);
    }
}
