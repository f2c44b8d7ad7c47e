//! Made-up facts and artifacts to render with before any host is known. Nothing made from them leaves the checks.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use garboard_inventory::{Host, Inventory};
use garboard_protocol::facts::{
    Boot, Clock, Facts, Features, GarboardState, InterfaceAddress, KubernetesState, Machine, OperatingSystem,
};
use garboard_protocol::step::{Blob, ImageSource};
use garboard_protocol::{Digest, Secret};

use crate::artifact::{Artifacts, CARRIED, FILES, IMAGES};
use crate::ddns::DdnsMaterial;
use crate::ingress::IngressMaterial;
use crate::openvpn::VpnMaterial;
use crate::serving::{Certificate, ServingMaterial};

pub(super) const TOKEN: &str = "abcdef.0123456789abcdef";
pub(super) const CA_HASH: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";
pub(super) const UID: &str = "00000000-0000-0000-0000-000000000000";

/// A host that can do everything, and one that can do nothing: between them every condition on a fact is both true
/// and false once.
pub(super) fn facts() -> [Facts; 2] {
    [facts_of(true), facts_of(false)]
}

/// The same facts at a host's own address.
pub(super) fn at(facts: &Facts, host: &Host) -> Facts {
    let address = host.known_node_ip().map_or_else(|| "192.0.2.1".to_owned(), |address| address.to_string());
    let addresses = vec![InterfaceAddress { interface: "eth0".to_owned(), address, prefix: 24 }];
    Facts { hostname: host.name.clone(), addresses, ..facts.clone() }
}

fn facts_of(able: bool) -> Facts {
    Facts {
        architecture: if able { "amd64" } else { "arm64" }.to_owned(),
        os: OperatingSystem { id: "debian".to_owned(), version: "12".to_owned(), name: "Debian".to_owned() },
        kernel: "6.1.0".to_owned(),
        hostname: String::new(),
        machine_id: "0".repeat(32),
        boot_id: UID.to_owned(),
        processors: 4,
        memory_bytes: 4 << 30,
        page_size: 4096,
        cgroup_version: if able { 2 } else { 1 },
        cgroup_controllers: if able { vec!["memory".to_owned()] } else { Vec::new() },
        can_lower_oom_score: able,
        conntrack_writable: able,
        shared_kernel: !able,
        features: Features {
            vxlan: able,
            overlay: able,
            nf_tables: able,
            bridge_netfilter: able,
            modules: able,
        },
        swap: Vec::new(),
        addresses: Vec::new(),
        gateway: able.then_some(Ipv4Addr::new(192, 0, 2, 254)),
        resolv_conf: "/etc/resolv.conf".to_owned(),
        disks: Vec::new(),
        ports: Vec::new(),
        clock_milliseconds: 0,
        conflicts: Vec::new(),
        kubernetes: KubernetesState::default(),
        garboard: GarboardState::default(),
        machine: Machine {
            model: if able { "PC" } else { "Raspberry Pi 4 Model B Rev 1.4" }.to_owned(),
            raspberry_pi: !able,
            userland_bits: 64,
            sd_card: !able,
        },
        clock: Clock::default(),
        power: None,
        swap_sources: Vec::new(),
        sync_latency: None,
        boot: Boot::default(),
        openvpn: None,
    }
}

/// What a VPN's server needs, with one user who is in and one who is out.
pub(super) fn openvpn() -> VpnMaterial {
    VpnMaterial {
        authority: "certificate\n".to_owned(),
        certificate: "certificate\n".to_owned(),
        key: Secret::new("key\n"),
        tls_crypt_key: Secret::new("key\n"),
        users: BTreeMap::from([
            ("alice".to_owned(), Some(Ipv4Addr::new(192, 0, 2, 2))),
            ("bob".to_owned(), None),
        ]),
        revoked: vec!["1".to_owned()],
    }
}

/// A secret for each reference.
pub(super) fn ddns(inventory: &Inventory) -> Option<DdnsMaterial> {
    let (_, ddns) = inventory.ddns()?;
    let secrets = DdnsMaterial::references(ddns).into_iter().map(|one| (one.clone(), Secret::new("secret")));
    Some(DdnsMaterial::new(secrets.collect()))
}

/// What the ingress needs.
pub(super) fn ingress() -> IngressMaterial {
    IngressMaterial {
        trusted: Some("certificate\n".to_owned()),
        certificate: None,
        provider_secret: Some(Secret::new("secret")),
    }
}

/// Certificates of servers inside the cluster.
pub(super) fn serving() -> ServingMaterial {
    let certificate = Certificate { certificate: "certificate\n".to_owned(), key: Secret::new("key\n") };
    ServingMaterial {
        authority: "certificate\n".to_owned(),
        kubelets: BTreeMap::new(),
        metrics_server: certificate,
    }
}

/// Everything a lock can hold, for both architectures.
pub(super) fn artifacts() -> Artifacts {
    let both = |name: &str| {
        ["amd64", "arm64"].map(|architecture| {
            let content = format!("{name} {architecture}");
            (architecture.to_owned(), Blob { digest: Digest::of(content.as_bytes()), size: 1 })
        })
    };
    let files = FILES.into_iter().chain(CARRIED).map(|name| (name.to_owned(), BTreeMap::from(both(name))));
    let images = IMAGES.map(|name| {
        let platforms = both(name).map(|(architecture, blob)| {
            let reference = format!("registry.example/{name}:v1");
            let image =
                ImageSource { reference, index: blob, manifest: blob, config: blob, layers: vec![blob] };
            (architecture, image)
        });
        (name.to_owned(), BTreeMap::from(platforms))
    });
    Artifacts { files: files.collect(), images: images.into() }
}
