//! `cluster:`

use ipnet::Ipv4Net;
use schemars::JsonSchema;
use semver::Version;

use super::field::{Field, given};
use super::section::Keys;
use crate::cluster::Swap;
use crate::defaults;
use crate::fault::{Fault, Faults, Flaw, quote};
use crate::span::{Given, Spanned};
use crate::suggestion::nearest;
use crate::syntax::{self, WrittenEndpoint};

/// The cluster as a whole.
#[derive(Debug, Default, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Cluster {
    /// Its name: of the kubeconfig context, of the folder with its state, and in the default endpoint.
    #[schemars(with = "String", extend("maxLength" = 63, "pattern" = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub(crate) name: Given<String>,
    /// The Kubernetes version, such as `v1.36.3`.
    #[schemars(with = "String", extend("pattern" = "^v1\\.36\\.[0-9]+$"))]
    pub(crate) kubernetes: Given<Version>,
    /// Where the API server is reached, `HOST` or `HOST:PORT`. Without it: a name of Garboard's own in every host's
    /// /etc/hosts that points at a control plane.
    #[schemars(default, with = "String")]
    pub(crate) endpoint: Given<WrittenEndpoint>,
    /// The addresses of pods. Each host takes a /24 of it. It cannot be changed later.
    #[schemars(default, with = "String", extend("default" = "10.244.0.0/16"))]
    pub(crate) pod_cidr: Given<Ipv4Net>,
    /// The addresses of services. It cannot be changed later.
    #[schemars(default, with = "String", extend("default" = "10.96.0.0/12"))]
    pub(crate) service_cidr: Given<Ipv4Net>,
    /// The network between pods.
    #[schemars(default)]
    pub(crate) cni: Given<Cni>,
    /// Accept hosts on cgroup v1, which Kubernetes is about to leave behind.
    #[schemars(default, extend("default" = false))]
    pub(crate) allow_cgroup_v1: Given<bool>,
    /// What becomes of the hosts' swap: `off` turns it off for as long as they are members, `kubelet` lets pods use it.
    #[schemars(default, with = "String", extend("enum" = ["off", "kubelet"], "default" = "off"))]
    pub(crate) swap: Given<Swap>,
    /// Make a cluster also on a disk that is too slow for etcd.
    #[schemars(default, extend("default" = false))]
    pub(crate) allow_slow_disk: Given<bool>,
}

/// The network between pods.
#[derive(Debug, Clone, Default, PartialEq, Eq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Cni {
    /// Flannel: one overlay network, no network policies.
    #[schemars(with = "Flannel")]
    flannel: (),
}

/// Flannel's settings.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "the shape of a section for the schema; its one value needs no memory")]
pub(crate) struct Flannel {
    /// How packets travel between hosts.
    #[schemars(default, with = "String", extend("enum" = ["vxlan"], "default" = "vxlan"))]
    backend: (),
}

pub(super) static KEYS: Keys = Keys {
    example: "cluster: { name: homelab, kubernetes: v1.36.3 }",
    known: &[
        "name",
        "kubernetes",
        "endpoint",
        "pod_cidr",
        "service_cidr",
        "cni",
        "allow_cgroup_v1",
        "swap",
        "allow_slow_disk",
    ],
    later: &[],
    elsewhere: &[
        ("version", "did you mean `kubernetes`?"),
        ("pod_network_cidr", "did you mean `pod_cidr`?"),
        ("pod_subnet", "did you mean `pod_cidr`?"),
        ("service_subnet", "did you mean `service_cidr`?"),
        ("control_plane_endpoint", "did you mean `endpoint`?"),
        ("hosts", "it belongs at the top of the file, not under `cluster:`"),
        ("ssh", "it belongs at the top of the file, not under `cluster:`"),
    ],
};

const OTHER_NETWORK: &str = "remove it, or write `cni: { flannel: { backend: vxlan } }`";

pub(super) static CNI_KEYS: Keys = Keys {
    example: "cni: { flannel: { backend: vxlan } }",
    known: &["flannel"],
    later: &[
        ("calico", OTHER_NETWORK),
        ("canal", OTHER_NETWORK),
        ("cilium", OTHER_NETWORK),
        ("kube-router", OTHER_NETWORK),
        ("weave", OTHER_NETWORK),
    ],
    elsewhere: &[("backend", "it belongs under `flannel:`")],
};

pub(super) static FLANNEL_KEYS: Keys =
    Keys { example: "flannel: { backend: vxlan }", known: &["backend"], later: &[], elsewhere: &[] };

/// Flannel's other backends (its documentation, "Backends").
const OTHER_BACKENDS: [&str; 7] = ["host-gw", "wireguard", "udp", "ipip", "ipsec", "alloc", "tencent-vpc"];

impl Cluster {
    /// Reads the section.
    pub(super) fn read(field: &Field<'_>, faults: &mut Faults) -> Option<Self> {
        let section = field.section(&KEYS, faults)?;
        let name = section.require("name", "name: homelab", faults);
        let kubernetes = section.require("kubernetes", "kubernetes: v1.36.3", faults);
        Some(Self {
            name: given(name, |field| field.parsed(syntax::cluster_name, faults)),
            kubernetes: given(kubernetes, |field| field.parsed(syntax::kubernetes_version, faults)),
            endpoint: given(section.get("endpoint"), |field| field.parsed(syntax::endpoint, faults)),
            pod_cidr: given(section.get("pod_cidr"), |field| {
                field.parsed(|text| syntax::cidr(text, defaults::pod_cidr()), faults)
            }),
            service_cidr: given(section.get("service_cidr"), |field| {
                field.parsed(|text| syntax::cidr(text, defaults::service_cidr()), faults)
            }),
            cni: given(section.get("cni"), |field| read_cni(field, faults)),
            allow_cgroup_v1: given(section.get("allow_cgroup_v1"), |field| field.boolean(faults)),
            swap: given(section.get("swap"), |field| field.parsed(read_swap, faults)),
            allow_slow_disk: given(section.get("allow_slow_disk"), |field| field.boolean(faults)),
        })
    }
}

fn read_swap(text: &str) -> Result<Swap, Flaw> {
    match text {
        "off" => Ok(Swap::Off),
        "kubelet" => Ok(Swap::Kubelet),
        _ => Err(Flaw::new(format!("{} is nothing that can become of swap", quote(text)))
            .help("write `off` to have it turned off, or `kubelet` to let pods use it")),
    }
}

fn read_cni(field: &Field<'_>, faults: &mut Faults) -> Option<Spanned<Cni>> {
    let flannel = field.section(&CNI_KEYS, faults)?.get("flannel")?;
    let Some(backend) = flannel.section(&FLANNEL_KEYS, faults)?.get("backend") else {
        return Some(Spanned::new(Cni::default(), field.span()));
    };
    let text = backend.text(faults)?;
    match text.value.as_str() {
        "vxlan" => Some(Spanned::new(Cni::default(), field.span())),
        other if OTHER_BACKENDS.contains(&other) => {
            let message = format!("flannel's backend {} is not in this version", quote(other));
            faults.push(Fault::new(text.span, message).help("write `vxlan`"));
            None
        }
        other => {
            let help = match nearest(other, ["vxlan"]) {
                Some(word) => format!("did you mean `{word}`?"),
                None => "write `vxlan`".to_owned(),
            };
            faults.push(
                Fault::new(
                    text.span,
                    format!("{} must be `vxlan`, found {}", quote(&backend.path), quote(other)),
                )
                .help(help),
            );
            None
        }
    }
}
