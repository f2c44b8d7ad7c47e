//! Who holds a port: the kernel's socket tables give an inode, and the process that has it open is found by that.

use std::collections::BTreeMap;
use std::path::Path;

use garboard_protocol::facts::PortHolder;

use super::{line, text};
use crate::system::Look;

/// State of a listening TCP socket, and of a bound UDP socket, in `/proc/net` (`tcp_states.h`).
const TCP_LISTEN: &str = "0A";
const UDP_BOUND: &str = "07";

/// Holders of these ports, on any address; one row a port.
pub(crate) fn holders(look: &dyn Look, tcp: &[u16], udp: &[u16]) -> Vec<PortHolder> {
    let mut held: BTreeMap<(&str, u16), u64> = BTreeMap::new();
    for (protocol, wanted, state) in [("tcp", tcp, TCP_LISTEN), ("udp", udp, UDP_BOUND)] {
        for table in [format!("/proc/net/{protocol}"), format!("/proc/net/{protocol}6")] {
            for (port, inode) in sockets(&text(look, &table), state) {
                if wanted.contains(&port) {
                    held.entry((protocol, port)).or_insert(inode);
                }
            }
        }
    }
    if held.is_empty() {
        return Vec::new();
    }
    let processes = processes(look, held.values().copied().collect());
    held.into_iter()
        .map(|((protocol, port), inode)| {
            let (pid, process) = processes.get(&inode).cloned().unwrap_or_default();
            PortHolder { protocol: protocol.to_owned(), port, process, pid }
        })
        .collect()
}

/// Local ports and inodes of the sockets in `state`, from a table of `/proc/net` (`proc_net_tcp.rst` of the kernel).
fn sockets<'a>(table: &'a str, state: &'a str) -> impl Iterator<Item = (u16, u64)> + 'a {
    table.lines().skip(1).filter_map(move |line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (local, found, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
        let port = u16::from_str_radix(local.rsplit(':').next()?, 16).ok()?;
        (*found == state).then_some(())?;
        Some((port, inode.parse().ok()?))
    })
}

/// Processes that have these sockets open.
fn processes(look: &dyn Look, mut wanted: Vec<u64>) -> BTreeMap<u64, (u32, String)> {
    let mut found = BTreeMap::new();
    // Inode 0 is a socket that belongs to no process any more.
    wanted.retain(|inode| *inode != 0);
    for name in look.list(Path::new("/proc")).unwrap_or_default() {
        if wanted.is_empty() {
            break;
        }
        let Ok(pid) = name.parse::<u32>() else { continue };
        let folder = Path::new("/proc").join(&name).join("fd");
        // A process may end while we look, or be none of our business.
        for descriptor in look.list(&folder).unwrap_or_default() {
            let Ok(target) = look.read_link(&folder.join(descriptor)) else { continue };
            let target = target.to_string_lossy();
            let inode = target.strip_prefix("socket:[").and_then(|rest| rest.strip_suffix(']'));
            let Some(inode) = inode.and_then(|inode| inode.parse::<u64>().ok()) else { continue };
            if wanted.contains(&inode) {
                wanted.retain(|other| *other != inode);
                found.insert(inode, (pid, line(look, &format!("/proc/{pid}/comm"))));
            }
        }
    }
    found
}
