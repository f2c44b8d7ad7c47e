//! OpenVPN around an edge host: the package, somebody else's instance of it, profiles, and real clients.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::invocation::json_of;
use super::{From, Guest, TestLab};

/// The package, and what it needs beyond a host's default install.
const PACKAGES: [&str; 7] = [
    "openvpn",
    "libcap-ng0",
    "liblz4-1",
    "liblzo2-2",
    "libnl-3-200",
    "libnl-genl-3-200",
    "libpkcs11-helper1",
];
/// Somebody else's tunnel: no keys, it only has to be there, and stay. It writes no status, which would change by itself.
const OFFICE: &str =
    "dev tun9\ndev-type tun\nproto udp\nport 1195\nifconfig 10.77.0.1 10.77.0.2\nstatus /dev/null\n";
/// Its unit.
const OFFICES: &str = "openvpn-server@office";

impl TestLab {
    /// Installs OpenVPN from an archive inside the host: nothing here reaches another network.
    pub(crate) fn install_openvpn(&self, host: &str) {
        let folder = self.folder().join("packages");
        fs_err::create_dir_all(&folder).unwrap();
        let mut fetch = Command::new("apt-get");
        fetch.current_dir(&folder).args(["download", "--quiet"]).args(PACKAGES);
        assert!(fetch.status().unwrap().success(), "apt-get download");
        let host = self.host(host);
        fs_err::create_dir_all(host.path("/srv/openvpn")).unwrap();
        for file in fs_err::read_dir(&folder).unwrap() {
            let file = file.unwrap();
            fs_err::copy(file.path(), host.path("/srv/openvpn").join(file.file_name())).unwrap();
        }
        host.exec(&[
            "sh",
            "-c",
            "DEBIAN_FRONTEND=noninteractive dpkg --install /srv/openvpn/*.deb && rm -r /srv/openvpn",
        ]);
    }

    /// Installs OpenVPN, and runs an instance of somebody else's.
    pub(crate) fn run_a_foreign_openvpn(&self, host: &str) {
        self.install_openvpn(host);
        let host = self.host(host);
        host.write("/etc/openvpn/server/office.conf", OFFICE);
        host.exec(&["systemctl", "enable", "--quiet", "--now", OFFICES]);
    }

    /// That instance runs.
    #[track_caller]
    pub(crate) fn assert_foreign_openvpn_runs(&self, host: &str) {
        self.host(host).exec(&["systemctl", "is-active", "--quiet", OFFICES]);
    }

    /// Has the profile of a user made.
    pub(crate) fn vpn_profile(&self, name: &str) -> PathBuf {
        let path = self.folder().join(format!("{name}.ovpn"));
        self.garboard(&["vpn", "add", name, "--output-file", path.to_str().unwrap()]).expect(0);
        assert_eq!(fs_err::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        path
    }

    /// What `vpn list` says of somebody.
    pub(crate) fn vpn_user(&self, name: &str) -> Value {
        let list = json_of(&self.garboard(&["vpn", "list"]).expect(0));
        let mut users = list["users"].as_array().unwrap().iter();
        users.find(|user| user["name"] == name).unwrap_or_else(|| panic!("no {name} in {list}")).clone()
    }

    /// A client with this profile that tries to come in.
    pub(crate) fn vpn_client(&self, from: From<'_>, profile: &Path) -> Guest {
        self.start_from(from, &["openvpn", "--config", profile.to_str().unwrap()])
    }

    /// One that has come in.
    pub(crate) fn come_in(&self, from: From<'_>, profile: &Path) -> Guest {
        let mut client = self.vpn_client(from, profile);
        client.until("Initialization Sequence Completed");
        client
    }
}
