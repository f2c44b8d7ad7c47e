//! What a person is told: beside the files of each card, and at the end of the command.

use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::path::Path;

use super::{File, Prepared, PreparedHost};

/// Beside the files of one card.
pub(super) fn file(prepared: &Prepared, host: &PreparedHost) -> File {
    let system = prepared.first_boot.system;
    let names =
        if system.has_cloud_init() { "user-data, meta-data and network-config" } else { "custom.toml" };
    let mut text = format!(
        "The first boot of {name}: {called}\n\n\
         1. Write the 64-bit image of {called} to the card. In Raspberry Pi Imager, answer \"no\" to its own\n   \
         customisation: it would write over these files.\n\
         2. Put the card in again. Its small partition (\"bootfs\" or \"system-boot\") shows up on any computer.\n\
         3. Copy {names} to it{over}.\n\
         4. Put the card into the Pi that is to be {name}, with a network cable, and switch it on.\n",
        name = host.name,
        called = system.called(),
        over = if system.has_cloud_init() { ", over the files of these names" } else { "" },
    );
    if let Some(line) = reservation(prepared, host) {
        let _ = write!(text, "\n{line}\n");
    }
    if host.key.is_some() {
        text.push_str(
            "\nuser-data holds the private half of this host's SSH host key. Whoever has it can pass for the host: delete this\n\
             folder once the card is written, and keep it out of version control and backups. The host itself takes that part\n\
             off the card at the end of its first boot.\n",
        );
    } else {
        text.push_str(
            "\nThis system makes its SSH host key by itself: `garboard check` shows it and asks you whether it is right. On the\n\
             host's own console `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` prints the same.\n",
        );
    }
    if prepared.password.is_some() {
        text.push_str("\nThe password that `sudo` asks for is in the file only as a hash.\n");
    }
    File::new("README", text)
}

/// Where nothing on the host says its address, the router has to.
fn reservation(prepared: &Prepared, host: &PreparedHost) -> Option<String> {
    let address = needs_reservation(prepared, host)?;
    Some(format!(
        "The inventory reaches it at {address}, and the host asks the router for its address. In the router's settings, reserve\n\
         {address} for it (DHCP, by the hardware address that the router shows once the host is up)."
    ))
}

fn needs_reservation(prepared: &Prepared, host: &PreparedHost) -> Option<Ipv4Addr> {
    let address = host.address.parse().ok()?;
    prepared.first_boot.gateway.is_none().then_some(address)
}

/// At the end of the command.
pub fn told(prepared: &Prepared, folder: &Path) -> String {
    let folder = folder.display();
    let mut text = format!(
        "for each host, copy what is in `{folder}/HOST` to the boot partition of its card ({}); the README there says how",
        prepared.first_boot.system.called()
    );
    let reserve: Vec<String> = prepared
        .hosts
        .iter()
        .filter_map(|host| Some(format!("{} for {}", needs_reservation(prepared, host)?, host.name)))
        .collect();
    if !reserve.is_empty() {
        let _ = write!(text, "\nin your router, reserve {}", reserve.join(", "));
    }
    if prepared.hosts.iter().any(|host| host.key.is_some()) {
        let _ =
            write!(text, "\nthen delete `{folder}`: it holds the private host keys that the inventory pins");
    }
    text
}
