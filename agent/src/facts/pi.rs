//! The machine: its model, the bits of its programs, the card it boots from.

use std::io::Read as _;
use std::path::Path;

use garboard_protocol::facts::Machine;

use super::{line, text};
use crate::system::Look;

pub(super) fn machine(look: &dyn Look) -> Machine {
    let model = model(look);
    Machine {
        raspberry_pi: model.starts_with("Raspberry Pi"),
        userland_bits: userland_bits(look),
        sd_card: is_root_on_sd_card(look),
        model,
    }
}

/// Of the device tree, where strings end with NUL; else what the PC's maker wrote into DMI.
fn model(look: &dyn Look) -> String {
    let model = text(look, "/proc/device-tree/model");
    let model = model.split('\0').next().unwrap_or_default().trim();
    if model.is_empty() { line(look, "/sys/class/dmi/id/product_name") } else { model.to_owned() }
}

/// The class in the header of a program that every system has (`elf(5)`): byte 4 is 1 for 32 bits, 2 for 64.
fn userland_bits(look: &dyn Look) -> u8 {
    let mut header = [0_u8; 5];
    let read = look.open(Path::new("/bin/sh")).and_then(|mut shell| shell.read_exact(&mut header));
    match (read.is_ok() && header.starts_with(b"\x7fELF"), header[4]) {
        (true, 1) => 32,
        (true, 2) => 64,
        _ => 0,
    }
}

/// By the device that `/` is mounted from: its number leads to its folder in `/sys`, whose card tells `SD` or `MMC`.
fn is_root_on_sd_card(look: &dyn Look) -> bool {
    let mounts = text(look, "/proc/self/mountinfo");
    let mut roots = mounts.lines().filter(|line| line.split(' ').nth(4) == Some("/"));
    let Some(number) = roots.next_back().and_then(|line| line.split(' ').nth(2)) else { return false };
    let Ok(device) = look.read_link(Path::new(&format!("/sys/dev/block/{number}"))) else { return false };
    let mut parts = device.iter().filter_map(|part| part.to_str());
    let Some(disk) = parts.find(|part| part.starts_with("mmcblk")) else { return false };
    line(look, &format!("/sys/block/{disk}/device/type")) == "SD"
}
