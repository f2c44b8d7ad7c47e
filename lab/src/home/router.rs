//! The router of a home: NAT towards the internet, every port of its public address passed on to one host, and `UPnP`.

use std::net::{Ipv4Addr, SocketAddr};

use super::{EDGE, Record as Home, daemon::Daemon};
use crate::record::{Record, Segment, write_whole};
use crate::{Error, Lab, Result, namespace, network, program};

/// The provider's networks, by three numbers: a customer's address changes within one or to another. The last is of those that a provider
/// gives to customers who share public ones (RFC 6598). Not of those for
/// documentation, which Debian's miniupnpd takes for no public addresses at all; radio amateurs keep 44.128.0.0/16 for tests,
/// and nobody is reached there.
const PROVIDER: [[u8; 3]; 3] = [[44, 128, 1], [44, 128, 2], [100, 64, 0]];
/// The address that a new home has.
pub(super) const FIRST_PUBLIC: Ipv4Addr = Ipv4Addr::new(44, 128, 1, 10);
/// The router's links, as it calls them itself.
const PUBLIC: &str = "wan";
/// Where its own pages are: what `UPnP` leads to.
const PORT: u16 = 5000;

/// Makes the router's namespace, unless it is there.
pub(super) fn make(record: &Record, home: &Home) -> Result<()> {
    let name = namespace::of_router(&record.name);
    if network::exists(&name) {
        return Ok(());
    }
    program::run(&["ip", "netns", "add", &name])?;
    all_or_nothing(&name, furnish(&name, record, home))
}

/// What could not be made as a whole goes, so that the next attempt begins anew.
pub(super) fn all_or_nothing(name: &str, made: Result<()>) -> Result<()> {
    if made.is_err() {
        network::remove(name)?;
    }
    made
}

fn furnish(name: &str, record: &Record, home: &Home) -> Result<()> {
    for (segment, link) in [(Segment::Lan, "lan"), (Segment::Dmz, "dmz")] {
        let (address, bridge) = (record.gateway(segment), network::bridge(segment));
        let card = network::card(address);
        network::batch(
            &namespace::of_lab(&record.name),
            &format!(
                "link add name router-{link} type veth peer name {link} address {card} netns {name}\n\
                 link set router-{link} master {bridge}\nlink set router-{link} up\n"
            ),
        )?;
        network::batch(name, &format!("addr add {address}/24 dev {link}\nlink set {link} up\n"))?;
    }
    let internet = namespace::of_internet(&record.name);
    network::batch(
        name,
        &format!(
            "link set lo up\nlink add name {PUBLIC} type veth peer name home netns {internet}\nlink set {PUBLIC} up\n"
        ),
    )?;
    let mut provider = "link set home up\n".to_owned();
    for [a, b, c] in PROVIDER {
        // Who comes from the internet comes with an address of his own, not with the provider's.
        provider = format!(
            "{provider}addr add {a}.{b}.{c}.1/24 dev home noprefixroute\nroute add {a}.{b}.{c}.0/24 dev home src {}\n",
            super::internet::CLIENT
        );
    }
    network::batch(&internet, &provider)?;
    network::batch(name, &having(home.public))?;
    namespace::inside(name, || {
        // The calling thread's own namespace has a `/proc/sys/net` of its own.
        fs_err::write("/proc/sys/net/ipv4/ip_forward", "1")?;
        program::run_with_input(&["nft", "-f", "-"], &rules(record)?).map(drop)
    })
}

/// What `ip` is told so that the router has this address.
fn having(address: Ipv4Addr) -> String {
    let [a, b, c, _] = address.octets();
    format!("addr add {address}/24 dev {PUBLIC}\nroute replace default via {a}.{b}.{c}.1\n")
}

/// Gives the router another address on the internet.
pub(super) fn set_public(lab: &Lab, address: Ipv4Addr) -> Result<()> {
    let refused = |message: String| Err(Error::Refused { message });
    // As it is now: the lab may have been opened before somebody else's change.
    let folder = lab.places.lab(lab.name());
    let Some(mut record) = Record::read(&folder)? else {
        return Err(Error::NoLab { lab: lab.name().into() });
    };
    let Some(home) = &mut record.home else {
        return refused(format!(
            "lab `{}` has no router; `garboard lab up NAME --edge` makes one that has",
            lab.name()
        ));
    };
    let [a, b, c, last] = address.octets();
    if !PROVIDER.contains(&[a, b, c]) || !(2..=254).contains(&last) {
        let networks = PROVIDER.map(|[a, b, c]| format!("{a}.{b}.{c}.2 to {a}.{b}.{c}.254"));
        return refused(format!(
            "the provider cannot give the address {address}; it has {}",
            networks.join(" and ")
        ));
    }
    if home.public != address {
        // The old one goes first: one of two in a network that is the first takes the other along.
        let change = format!("addr delete {}/24 dev {PUBLIC}\n{}", home.public, having(address));
        network::batch(&namespace::of_router(lab.name()), &change)?;
        home.public = address;
        record.write(&folder)?;
    }
    Ok(())
}

/// Starts what answers those at home who ask for the public address, and for forwards: `UPnP` and NAT-PMP.
pub(super) fn answer(lab: &Lab) -> Result<()> {
    let folder = super::folder(&lab.places, lab.name());
    let configuration = folder.join("miniupnpd.conf");
    write_whole(&configuration, miniupnpd(&lab.record).as_bytes())?;
    let process = folder.join("miniupnpd.pid");
    let (configuration, process) = (configuration.to_string_lossy(), process.to_string_lossy());
    Daemon {
        lab,
        namespace: namespace::of_router(lab.name()),
        argv: ["miniupnpd", "-d", "-f", &configuration, "-P", &process].map(str::to_owned).into(),
        answers_at: SocketAddr::from((lab.record.gateway(Segment::Dmz), PORT)),
    }
    .ensure()
}

/// Its configuration: `miniupnpd.conf(5)` has no page of its own; the keys are those of the package's example.
fn miniupnpd(record: &Record) -> String {
    let (lan, dmz) = (record.address(Segment::Lan, 0), record.address(Segment::Dmz, 0));
    format!(
        "ext_ifname={PUBLIC}\nlistening_ip=lan\nlistening_ip=dmz\nport={PORT}\nenable_upnp=yes\nenable_natpmp=yes\n\
         secure_mode=yes\nuuid=6a617262-6f61-7264-2d6c-6162{:02x}000000\n\
         upnp_table_name=router\nupnp_nat_table_name=router\nupnp_forward_chain=asked_forward\n\
         upnp_nat_chain=asked_prerouting\nupnp_nat_postrouting_chain=asked_postrouting\n\
         allow 1-65535 {lan}/24 1-65535\nallow 1-65535 {dmz}/24 1-65535\ndeny 0-65535 0.0.0.0/0 0-65535\n",
        record.network
    )
}

/// What the router does to packets. The three `asked_…` chains are for what machines at home ask for by `UPnP`.
fn rules(record: &Record) -> Result<String> {
    let edge = record.hosts.iter().find(|host| host.name == EDGE).map(|host| host.address);
    let Some(edge) = edge else {
        return Err(Error::Refused {
            message: format!("the home of lab `{}` has no host `{EDGE}`", record.name),
        });
    };
    let (lan, dmz) = (record.gateway(Segment::Lan), record.gateway(Segment::Dmz));
    let names = super::internet::NAME_SERVER;
    Ok(format!(
        "table inet router {{
  chain asked_forward {{ }}
  chain asked_prerouting {{ }}
  chain asked_postrouting {{ }}
  # Nobody on the internet has an address of a home.
  chain spoofed {{
    type filter hook prerouting priority raw; policy accept;
    iifname \"{PUBLIC}\" ip saddr {{ 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 }} drop
  }}
  # The router's own ports are for those at home.
  chain input {{
    type filter hook input priority filter; policy accept;
    ct state established,related accept
    iifname \"{PUBLIC}\" meta l4proto != icmp drop
  }}
  # Between LAN and DMZ it is a router and nothing else, as most are.
  chain forward {{
    type filter hook forward priority filter; policy drop;
    # A provider carries nothing to such an address.
    oifname \"{PUBLIC}\" ip daddr {{ 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 }} drop
    ct state established,related accept
    ct status dnat accept
    iifname != \"{PUBLIC}\" accept
    jump asked_forward
  }}
  # \"DMZ host\": what nobody asked for goes to one machine, with the sender's own address. Only
  # what is for the address of now: the provider may not have noticed a change yet.
  chain prerouting {{
    type nat hook prerouting priority dstnat; policy accept;
    iifname \"{PUBLIC}\" jump asked_prerouting
    iifname \"{PUBLIC}\" fib daddr type local meta l4proto {{ tcp, udp }} dnat ip to {edge}
    ip daddr {{ {lan}, {dmz} }} meta l4proto {{ tcp, udp }} th dport 53 dnat ip to {names}
  }}
  chain postrouting {{
    type nat hook postrouting priority srcnat; policy accept;
    oifname \"{PUBLIC}\" jump asked_postrouting
    oifname \"{PUBLIC}\" masquerade
  }}
}}
"
    ))
}
