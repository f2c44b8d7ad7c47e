//! From the checked source to the resolved inventory: defaults, inheritance, paths.

mod challenge;
mod ddns;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ipnet::Ipv4Net;

use crate::cluster::{Cluster, Cni, Endpoint, FlannelBackend, Swap};
use crate::defaults;
use crate::edge::{Acme, Ddns, Edge, Firewall, Ingress, OpenVpn, Tls};
use crate::fault::{Fault, Faults, quote};
use crate::host::Host;
use crate::inventory::Inventory;
use crate::playbook::{OwnPlaybook, Place};
use crate::secret::SecretReference;
use crate::source;
use crate::span::{Given, Span};
use crate::ssh::{Ssh, SshTransport};
use crate::syntax::{API_PORT, WrittenEndpoint};

/// Where relative paths and `~` lead; without it paths stay as written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Base<'a> {
    /// The inventory's folder.
    pub(crate) folder: &'a Path,
    /// The user's home folder.
    pub(crate) home: Option<&'a Path>,
}

/// The file that is resolved, for places in it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin<'a> {
    /// As it was given.
    pub(crate) name: &'a str,
    /// All of it.
    pub(crate) text: &'a str,
}

/// Fills in what the file leaves open. `None` if something that must be there is faulty, which was then reported.
pub(crate) fn resolve(
    source: &source::Inventory,
    base: Option<Base<'_>>,
    origin: Origin<'_>,
    faults: &mut Faults,
) -> Option<Inventory> {
    let cluster = source.cluster.as_ref().and_then(resolve_cluster);
    let hosts: Vec<_> = source
        .hosts
        .iter()
        .map(|(name, host)| resolve_host(&name.value, host, &source.ssh, base, faults))
        .collect();
    let playbooks = resolve_playbooks(source, base, origin, faults);
    let edge = source.edge.as_ref().map(|edge| resolve_edge(edge, base, faults));
    Some(Inventory {
        cluster: cluster?,
        hosts: hosts.into_iter().collect::<Option<Vec<_>>>()?,
        playbooks: playbooks?,
        without: source.without.value_or(Vec::new)?.iter().map(|name| name.value.clone()).collect(),
        edge: match edge {
            None => None,
            Some(edge) => Some(edge?),
        },
        addons: source.addons.value_or(Vec::new)?,
    })
}

fn resolve_playbooks(
    source: &source::Inventory,
    base: Option<Base<'_>>,
    origin: Origin<'_>,
    faults: &mut Faults,
) -> Option<Vec<OwnPlaybook>> {
    let (file, text) = (Arc::<str>::from(origin.name), Arc::<str>::from(origin.text));
    let written = source.playbooks.value_or(Vec::new)?;
    let own: Vec<_> = written
        .iter()
        .map(|folder| {
            Some(OwnPlaybook {
                folder: place(&folder.value, folder.span, base, faults)?,
                place: Place { file: Arc::clone(&file), text: Arc::clone(&text), range: folder.span.range() },
            })
        })
        .collect();
    own.into_iter().collect()
}

fn resolve_edge(source: &source::Edge, base: Option<Base<'_>>, faults: &mut Faults) -> Option<Edge> {
    let openvpn = match &source.openvpn {
        None => None,
        Some(openvpn) => Some(resolve_openvpn(openvpn, base, faults)?),
    };
    let firewall = Firewall {
        lan: optional(&source.firewall.lan)?,
        public_tcp: source.firewall.public_tcp.value_or(Vec::new)?,
        public_udp: source.firewall.public_udp.value_or(Vec::new)?,
        reach: source.firewall.reach.value_or(Vec::new)?,
    };
    let ddns = match &source.ddns {
        None if source.ddns_is_faulty => return None,
        None => None,
        Some(ddns) => Some(ddns::resolve(ddns, base, faults)?),
    };
    let ingress = match &source.ingress {
        None => None,
        Some(ingress) => {
            let kept = source.ddns.as_ref().zip(ddns.as_ref());
            Some(resolve_ingress(ingress, kept, base, faults)?)
        }
    };
    Some(Edge { firewall, ingress, openvpn, ddns })
}

fn resolve_ingress(
    source: &source::Ingress,
    kept: Option<(&source::ddns::Ddns, &Ddns)>,
    base: Option<Base<'_>>,
    faults: &mut Faults,
) -> Option<Ingress> {
    source.class.value_or(|| ())?;
    let tls = match &source.tls {
        Given::Absent => None,
        Given::Faulty => return None,
        Given::Valid(tls) => Some(match &tls.value {
            source::Tls::Secret(name) => Tls::Secret(name.clone()),
            source::Tls::OwnCa => Tls::OwnCa,
            source::Tls::Acme(acme) => Tls::Acme(Acme {
                email: acme.email.to_value()?,
                server: optional(&acme.server)?,
                ca: match &acme.ca {
                    Given::Valid(path) => Some(place(&path.value, path.span, base, faults)?),
                    other => optional(other)?.map(PathBuf::from),
                },
                challenge: challenge::resolve(source, &acme.challenge, kept, faults)?,
            }),
        }),
    };
    Some(Ingress {
        hosts: source.hosts.value_or(Vec::new)?.iter().map(|host| host.value.clone()).collect(),
        namespaces: source.namespaces.value_or(defaults::ingress_namespaces)?,
        redirect: source.redirect.value_or(|| tls.is_some())?,
        tls,
    })
}

fn resolve_openvpn(source: &source::OpenVpn, base: Option<Base<'_>>, faults: &mut Faults) -> Option<OpenVpn> {
    let passphrase = secret(&source.passphrase, base, faults);
    Some(OpenVpn {
        remote: source.remote.to_value()?,
        port: source.port.value_or(|| defaults::VPN_PORT)?,
        network: source.network.value_or(defaults::vpn_network)?,
        routes: source.routes.to_value()?.iter().map(|route| route.value).collect(),
        dns: source.dns.value_or(Vec::new)?.iter().map(|server| server.value).collect(),
        users: source.users.to_value()?.iter().map(|user| user.value.name.value.clone()).collect(),
        user_routes: user_routes(source)?,
        passphrase: passphrase?,
    })
}

/// Of the users who reach less than all.
fn user_routes(source: &source::OpenVpn) -> Option<BTreeMap<String, Vec<Ipv4Net>>> {
    let mut all = BTreeMap::new();
    for user in source.users.to_value()? {
        let routes = match &user.value.routes {
            Given::Absent => continue,
            Given::Faulty => return None,
            Given::Valid(routes) => routes.value.iter().map(|route| route.value).collect(),
        };
        all.insert(user.value.name.value, routes);
    }
    Some(all)
}

fn resolve_cluster(source: &source::Cluster) -> Option<Cluster> {
    let name = source.name.to_value()?;
    let own = || WrittenEndpoint { host: defaults::endpoint_host(&name), port: API_PORT };
    let written = source.endpoint.value_or(own)?;
    source.cni.value_or(Default::default)?;
    Some(Cluster {
        endpoint: Endpoint { own: written == own(), host: written.host, port: written.port },
        name,
        kubernetes: source.kubernetes.to_value()?,
        pod_cidr: source.pod_cidr.value_or(defaults::pod_cidr)?.into(),
        service_cidr: source.service_cidr.value_or(defaults::service_cidr)?.into(),
        cni: Cni::Flannel { backend: FlannelBackend::Vxlan },
        allow_cgroup_v1: source.allow_cgroup_v1.value_or(|| false)?,
        swap: source.swap.value_or(Swap::default)?,
        allow_slow_disk: source.allow_slow_disk.value_or(|| false)?,
    })
}

fn resolve_host(
    name: &str,
    source: &source::Host,
    common: &source::Ssh,
    base: Option<Base<'_>>,
    faults: &mut Faults,
) -> Option<Host> {
    let ssh = resolve_ssh(&source.ssh, common, base, faults);
    Some(Host {
        name: name.to_owned(),
        address: source.address.to_value()?,
        role: source.role.to_value()?,
        node_ip: optional(&source.node_ip)?,
        labels: source.labels.value_or(Default::default)?,
        host_key: optional(&source.host_key)?,
        keep_hostname: source.keep_hostname.value_or(|| false)?,
        zone: optional(&source.zone)?,
        edge: source.edge.value_or(|| false)?,
        ssh: ssh?,
    })
}

/// The host's own field where it has one, else the field at the top.
fn inherit<'a, T>(own: &'a Given<T>, common: &'a Given<T>) -> &'a Given<T> {
    match own {
        Given::Absent => common,
        Given::Faulty | Given::Valid(_) => own,
    }
}

/// Nothing where the value is faulty, `Some(None)` where it is absent.
#[expect(clippy::option_option, reason = "faulty, absent and given are three things")]
fn optional<T: Clone>(given: &Given<T>) -> Option<Option<T>> {
    match given {
        Given::Absent => Some(None),
        Given::Faulty => None,
        Given::Valid(spanned) => Some(Some(spanned.value.clone())),
    }
}

fn resolve_ssh(
    own: &source::Ssh,
    common: &source::Ssh,
    base: Option<Base<'_>>,
    faults: &mut Faults,
) -> Option<Ssh> {
    let written = inherit(&own.identity, &common.identity).value_or(Vec::new)?;
    let identity: Vec<_> = written.iter().map(|path| place(&path.value, path.span, base, faults)).collect();
    let passphrase = secret(inherit(&own.passphrase, &common.passphrase), base, faults);
    let sudo_password = secret(inherit(&own.sudo_password, &common.sudo_password), base, faults);
    let password = secret(inherit(&own.password, &common.password), base, faults);
    // A host's own way wins, of whichever kind it is.
    let own_way = own.proxy_jump != Given::Absent || own.proxy_command != Given::Absent;
    let way = if own_way { own } else { common };
    let transport = inherit(&own.transport, &common.transport);
    if let Given::Valid(openssh) = transport
        && openssh.value == SshTransport::Openssh
    {
        let references =
            [inherit(&own.passphrase, &common.passphrase), inherit(&own.password, &common.password)];
        for reference in references.into_iter().filter_map(Given::valid) {
            let message = "`transport: openssh` gives `ssh` no passphrase and no password";
            let help =
                "remove it: `ssh` takes keys from your SSH agent (`ssh-add`), or asks you at the terminal";
            faults.push(Fault::new(reference.span, message).help(help));
        }
    }
    Some(Ssh {
        user: optional(inherit(&own.user, &common.user))?,
        port: optional(inherit(&own.port, &common.port))?,
        identity: identity.into_iter().collect::<Option<Vec<_>>>()?,
        passphrase: passphrase?,
        password: password?,
        proxy_jump: way.proxy_jump.value_or(Vec::new)?,
        proxy_command: optional(&way.proxy_command)?,
        sudo_password: sudo_password?,
        transport: transport.value_or(SshTransport::default)?,
    })
}

/// Nothing where the reference is faulty; a file's path is placed.
#[expect(clippy::option_option, reason = "faulty, absent and given are three things")]
fn secret(
    given: &Given<SecretReference>,
    base: Option<Base<'_>>,
    faults: &mut Faults,
) -> Option<Option<SecretReference>> {
    let Given::Valid(spanned) = given else { return optional(given) };
    Some(Some(match &spanned.value {
        SecretReference::File(path) => {
            SecretReference::File(place(&path.to_string_lossy(), spanned.span, base, faults)?)
        }
        other => other.clone(),
    }))
}

/// Where a written path leads.
fn place(written: &str, span: Span, base: Option<Base<'_>>, faults: &mut Faults) -> Option<PathBuf> {
    let Some(base) = base else { return Some(PathBuf::from(written)) };
    let below_home = if written == "~" { Some("") } else { written.strip_prefix("~/") };
    match (below_home, base.home) {
        (Some(rest), Some(home)) => Some(home.join(rest)),
        (Some(_), None) => {
            let message = format!("the home folder in {} is not known", quote(written));
            faults.push(Fault::new(span, message).help("set HOME, or write the path from `/`"));
            None
        }
        // `join` keeps an absolute path as it is.
        (None, _) => Some(base.folder.join(written)),
    }
}
