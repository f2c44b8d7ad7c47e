//! The search for passwords and passphrases, in everything that the logins touched.

use super::setup::{PASSPHRASE, PASSWORD, Setup, WRONG};
use crate::harness::{Samples, files_below};

pub(super) fn show_up_nowhere(setup: &Setup<'_>, samples: &Samples) {
    let Samples { count, lines, environments } = samples;
    println!("   {count} samples, {} command lines, {} environments", lines.len(), environments.len());
    assert!(*count > 100, "only {count} samples");
    // The logins were seen at work: ours, and sudo with its prompt.
    assert!(lines.iter().any(|line| line.contains("-vv --state")), "no call was sampled");
    assert!(lines.iter().any(|line| line.starts_with("sudo -k -S -p garboard-")), "no sudo was sampled");
    for line in lines {
        free("a command line", line);
    }
    for environment in environments {
        free("an environment", environment);
    }
    for said in setup.said.lock().unwrap().iter() {
        free("what a call said", said);
    }
    let mut files = 0;
    for folder in [setup.state(), setup.lab.folder().join("state"), setup.lab.folder().join("home")] {
        files_below(&folder, &mut |path, content| {
            files += 1;
            free(&path.display().to_string(), content);
        });
    }
    assert!(files > 20, "only {files} files were searched");
    for host in ["cp1", "w1"] {
        let host_of_lab = setup.lab.host(host);
        let journal = host_of_lab.exec(&["journalctl", "--no-pager", "--output=export", "--all"]);
        assert!(journal.contains("sudo"), "the journal of {host} knows nothing of sudo");
        free(&format!("the journal of {host}"), &journal);
        for place in ["/var/log", "/var/lib/garboard", "/run/garboard", "/tmp", "/home"] {
            files_below(&host_of_lab.path(place), &mut |path, content| {
                free(&path.display().to_string(), content);
            });
        }
    }
}

#[track_caller]
fn free(place: &str, text: &str) {
    for secret in [PASSWORD, WRONG, PASSPHRASE] {
        assert!(!text.contains(secret), "`{secret}` is in {place}");
    }
}
