//! The three files of cloud-init's data source `NoCloud`, which these systems read from the card's boot partition.
//!
//! What they mean: cloud-init's documentation, modules `cc_users_groups`, `cc_ssh`, `cc_update_etc_hosts`, `cc_runcmd`, and its
//! network configuration, version 2.

use std::fmt::Write as _;

use super::super::yaml::{quoted, scalar};
use super::{File, Prepared, PreparedHost, System};

/// Where both systems mount the boot partition.
const USER_DATA: &str = "/boot/firmware/user-data";
/// Begins the part of the file that the host takes away once it is done.
const ONCE: &str = "# Needed once:";

pub(super) fn files(prepared: &Prepared, host: &PreparedHost) -> Vec<File> {
    vec![
        File::new("user-data", user_data(prepared, host)),
        File::new("meta-data", meta_data(host)),
        File::new("network-config", network_config(prepared, host)),
    ]
}

fn user_data(prepared: &Prepared, host: &PreparedHost) -> String {
    // `localhost` keeps every other line of /etc/hosts at each boot; `true` would take Garboard's own away.
    let mut out = format!(
        "#cloud-config\n# The first boot of {name}. `garboard init` wrote it for {system}.\nhostname: {name}\n\
         # Keeps a line for its own name in /etc/hosts, and all the others.\nmanage_etc_hosts: localhost\nssh_pwauth: false\n",
        name = scalar(&host.name),
        system = prepared.first_boot.system.called(),
    );
    if prepared.first_boot.system == System::Noble && host.address.rsplit('.').next() == Some("local") {
        out.push_str("# For its address, which ends in `.local`.\npackages: [avahi-daemon]\n");
    }
    out.push_str(&sudo(prepared));
    let _ = write!(
        out,
        "runcmd:\n  - [systemctl, enable, --now, ssh]\n  # The card's boot partition can be read by every program on the \
         host.\n  - [sed, --in-place, {}, {USER_DATA}]\n",
        quoted(&format!("/^{ONCE}/,$d")),
    );
    let _ = write!(out, "\n{ONCE} the host deletes from here on at the end of its first boot.\n");
    out.push_str(&user(prepared));
    if let Some(key) = &host.key {
        out.push_str("ssh_keys:\n  ed25519_private: |\n");
        for line in key.private().lines() {
            let _ = writeln!(out, "    {line}");
        }
        let _ = writeln!(out, "  ed25519_public: {}", quoted(key.public()));
    }
    out
}

/// Where it is to ask for no password: as a file, since `user` alone is not heeded by all versions.
fn sudo(prepared: &Prepared) -> String {
    if prepared.password.is_some() {
        return String::new();
    }
    format!(
        "write_files:\n  - path: /etc/sudoers.d/010_{user}-nopasswd\n    permissions: \"0440\"\n    content: |\n      \
         {user} ALL=(ALL) NOPASSWD:ALL\n",
        user = prepared.user
    )
}

/// `user` renames the system's own first login and keeps its groups; `users` would make one without any.
fn user(prepared: &Prepared) -> String {
    let mut out = format!("user:\n  name: {}\n  shell: /bin/bash\n", scalar(&prepared.user));
    match &prepared.password {
        // Named either way: what the system's own login may do would count otherwise.
        Some(password) => {
            let hash = quoted(password.hash());
            let _ = write!(out, "  sudo: \"ALL=(ALL) ALL\"\n  lock_passwd: false\n  passwd: {hash}\n");
        }
        None => out.push_str("  sudo: \"ALL=(ALL) NOPASSWD:ALL\"\n  lock_passwd: true\n"),
    }
    out.push_str("  ssh_authorized_keys:\n");
    for key in &prepared.public_keys {
        let _ = writeln!(out, "    - {}", quoted(key));
    }
    out
}

fn meta_data(host: &PreparedHost) -> String {
    let name = scalar(&host.name);
    // Another id would make a host that is up go through its first boot again.
    format!(
        "dsmode: local\ninstance-id: {}\nlocal-hostname: {name}\n",
        quoted(&format!("garboard-{}", host.name))
    )
}

fn network_config(prepared: &Prepared, host: &PreparedHost) -> String {
    let mut out = "network:\n  version: 2\n  ethernets:\n    eth0:\n      optional: true\n".to_owned();
    let gateway = prepared.first_boot.gateway;
    match gateway.and_then(|gateway| Some((gateway.address(), gateway.for_host(&host.address)?))) {
        Some((gateway, address)) => {
            let _ = write!(
                out,
                "      dhcp4: false\n      addresses: [{address}]\n      routes: [{{ to: 0.0.0.0/0, via: {gateway} }}]\n      \
                 nameservers: {{ addresses: [{gateway}] }}\n"
            );
        }
        None => out.push_str("      dhcp4: true\n"),
    }
    out
}
