//! Namespaces, the bridge and the hosts' links.

use std::net::Ipv4Addr;

use crate::record::{HostRecord, Record, Segment};
use crate::{Error, Result, namespace, program};

/// The bridge of a segment, in the lab's namespace.
pub(crate) fn bridge(segment: Segment) -> &'static str {
    match segment {
        Segment::Lan => "br0",
        Segment::Dmz => "dmz0",
    }
}

/// Makes the lab's own namespace with its bridge, unless it is there already.
pub(crate) fn make_bridge(record: &Record) -> Result<()> {
    let name = namespace::of_lab(&record.name);
    if exists(&name) {
        return Ok(());
    }
    program::run(&["ip", "netns", "add", &name])?;
    let address = record.laptop();
    // Without an address of its own the bridge takes the lowest of its ports', and changes it whenever a host comes or
    // goes: the other hosts then answer to an address that nobody has any more, until they ask again.
    let (card, bridge) = (card(address), bridge(Segment::Lan));
    batch(
        &name,
        &format!(
            "link set lo up\nlink add name {bridge} address {card} type bridge\naddr add {address}/24 dev {bridge}\nlink set {bridge} up\n"
        ),
    )
}

/// Adds the DMZ's bridge to the lab's own namespace, a mere switch: nothing in that namespace has an address there. What stands
/// at home is led to the router.
pub(crate) fn make_dmz(record: &Record) -> Result<()> {
    let (name, bridge) = (namespace::of_lab(&record.name), bridge(Segment::Dmz));
    if program::output(&["ip", "-n", &name, "link", "show", "dev", bridge], "")?.status.success() {
        return Ok(());
    }
    let gateway = record.gateway(Segment::Lan);
    batch(
        &name,
        &format!(
            "link add name {bridge} type bridge\nlink set dev {bridge} addrgenmode none\nlink set {bridge} up\n\
             route add default via {gateway}\n"
        ),
    )
}

/// Makes a host's namespace anew, as a reboot of a real machine does: no link, rule or setting of an earlier boot is left.
pub(crate) fn make_host(record: &Record, one: &HostRecord) -> Result<()> {
    let (lab, host, address) = (&record.name, &one.name, one.address);
    let name = namespace::of_host(lab, host);
    let bridge_namespace = namespace::of_lab(lab);
    // First the link, then the namespace: the kernel would take the link away with the namespace, but later, and the name of
    // our end must be free at once. There is none at a host's first boot.
    let output = program::output(&["ip", "-n", &bridge_namespace, "link", "delete", "dev", host], "")?;
    if !output.status.success() {
        tracing::debug!(host, "no link of an earlier boot");
    }
    remove(&name)?;
    program::run(&["ip", "netns", "add", &name])?;
    let (gateway, bridge) = (record.gateway(one.segment), bridge(one.segment));
    // A network card keeps its address over a reboot.
    let card = card(address);
    batch(
        &bridge_namespace,
        &format!(
            "link add name {host} type veth peer name eth0 address {card} netns {name}\n\
             link set {host} master {bridge}\nlink set {host} up\n"
        ),
    )?;
    batch(
        &name,
        &format!(
            "link set lo up\naddr add {address}/24 dev eth0\nlink set eth0 up\nroute add default via {gateway}\n"
        ),
    )
}

/// Makes the lab's end of a virtual machine's link anew; the machine holds the other one.
pub(crate) fn make_tap(record: &Record, one: &HostRecord) -> Result<()> {
    let (name, host, bridge) = (namespace::of_lab(&record.name), &one.name, bridge(one.segment));
    let output = program::output(&["ip", "-n", &name, "link", "delete", "dev", host], "")?;
    if !output.status.success() {
        tracing::debug!(host, "no link of an earlier boot");
    }
    batch(
        &name,
        &format!("tuntap add dev {host} mode tap\nlink set {host} master {bridge}\nlink set {host} up\n"),
    )
}

/// The address of a network card, which follows from the address in the network.
pub(crate) fn card(address: Ipv4Addr) -> String {
    let [_, segment, network, last] = address.octets();
    format!("02:67:62:{:02x}:{network:02x}:{last:02x}", segment.wrapping_sub(66))
}

/// Removes a namespace with all in it; one that is gone is fine.
pub(crate) fn remove(name: &str) -> Result<()> {
    if exists(name) {
        program::run(&["ip", "netns", "delete", name])?;
    }
    Ok(())
}

/// Whether a namespace of that name exists.
pub(crate) fn exists(name: &str) -> bool {
    namespace::path(name).exists()
}

/// The namespaces whose names fulfil a condition.
pub(crate) fn names(condition: impl Fn(&str) -> bool) -> Result<Vec<String>> {
    let entries = match fs_err::read_dir("/run/netns") {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::from(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        if let Some(name) = entry?.file_name().to_str()
            && condition(name)
        {
            found.push(name.to_owned());
        }
    }
    found.sort();
    Ok(found)
}

/// Has `ip` carry out its commands in a namespace, one a line, up to the first that fails.
pub(crate) fn batch(namespace: &str, commands: &str) -> Result<()> {
    program::run_with_input(&["ip", "-n", namespace, "-batch", "-"], commands).map(drop)
}
