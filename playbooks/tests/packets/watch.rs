//! The unit that puts tables back, and what is loaded at boot.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::namespace::Namespace;
use crate::{ROUTER, TIERS, tables};

/// Longest a table may be gone.
const REPAIRED: Duration = Duration::from_secs(5);

/// Ends it with the test.
struct Watch(Child);

impl Drop for Watch {
    fn drop(&mut self) {
        // Its whole group: the subscription too.
        let group = nix::unistd::Pid::from_raw(i32::try_from(self.0.id()).unwrap());
        nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGKILL).unwrap();
        self.0.wait().unwrap();
    }
}

fn is_loaded(host: &Namespace) -> bool {
    host.run("nft list tables").contains("inet garboard_edge")
}

fn until_loaded(host: &Namespace) -> bool {
    let deadline = Instant::now() + REPAIRED;
    while Instant::now() < deadline {
        if is_loaded(host) {
            return true;
        }
        std::thread::yield_now();
    }
    false
}

/// The files of the edge host in a folder of their own.
fn files() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (table, script) in tables(TIERS, "dmz1", ROUTER) {
        fs_err::write(folder.path().join(format!("{}.nft", table.replace(' ', "-"))), script).unwrap();
    }
    folder
}

#[test]
fn a_flush_by_others_is_repaired_again_and_again_and_a_foreign_table_stays() {
    let (host, folder) = (Namespace::new(), files());
    let text = include_str!("../../firewall/templates/garboard-firewall-watch.tera");
    let script = folder.path().join("watch");
    fs_err::write(&script, text.replace("/etc/garboard/nft.d", folder.path().to_str().unwrap())).unwrap();
    let watch = host.on(move || {
        use std::os::unix::process::CommandExt as _;
        Command::new("sh").arg(script).process_group(0).stdout(Stdio::null()).spawn().unwrap()
    });
    let _watch = Watch(watch);
    assert!(until_loaded(&host), "it does not load what is missing when it starts");
    // From the first event on the subscription is seen to be there; until then a removal may be missed.
    let deadline = Instant::now() + REPAIRED;
    while Instant::now() < deadline {
        host.run("nft flush ruleset");
        host.run("nft add table ip somebody");
        host.run("nft delete table ip somebody");
        if until_loaded(&host) {
            break;
        }
    }
    for _ in 0..3 {
        host.run("nft flush ruleset");
        host.run("nft add table ip somebody");
        assert!(until_loaded(&host), "the table stays away");
        assert!(host.run("nft list tables").contains("ip somebody"), "a table of others is gone");
    }
}

#[test]
fn a_boot_loads_every_table_and_nothing_where_there_is_none() {
    let (host, folder) = (Namespace::new(), files());
    let text = include_str!("../../firewall/templates/firewall.nft.tera");
    let at = |path: &std::path::Path| text.replace("/etc/garboard/nft.d", path.to_str().unwrap());
    host.feed("nft --file -", &at(&folder.path().join("nothing")));
    assert_eq!(host.run("nft list tables"), "");
    host.feed("nft --file -", &at(folder.path()));
    assert_eq!(host.run("nft list tables"), "table inet garboard_bans\ntable inet garboard_edge\n");
}
