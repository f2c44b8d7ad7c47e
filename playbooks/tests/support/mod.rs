//! Inventories, facts and artifacts for the tests, and golden files.

// Each test file uses a part of it; and this is a test, though clippy sees none in it.
#![allow(dead_code, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use fs_err as fs;
use garboard_inventory::Inventory;
use garboard_playbooks::{
    Artifacts, CARRIED, Certificate, DdnsMaterial, FILES, IMAGES, IngressMaterial, Inputs, ServingMaterial,
    VpnMaterial,
};
use garboard_protocol::facts::{
    Boot, Clock, Facts, Features, GarboardState, InterfaceAddress, KubernetesState, Machine, OperatingSystem,
    SyncLatency,
};
use garboard_protocol::step::{Blob, ClockReference, ImageSource};
use garboard_protocol::{Digest, Secret};

pub(crate) const CA_HASH: &str = "sha256:1111111111111111111111111111111111111111111111111111111111111111";

pub(crate) const THREE_HOSTS: &str = "
cluster:
  name: homelab
  kubernetes: v1.36.3
hosts:
  cp1: { address: 192.168.1.11, role: control_plane }
  w1: { address: 192.168.1.12, role: worker, labels: { disk: ssd, rack: left } }
  w2: { address: 192.168.1.13, role: worker, keep_hostname: true }
";

pub(crate) fn inventory(source: &str) -> Inventory {
    garboard_inventory::parse("garboard.yaml", source).unwrap_or_else(|faults| panic!("{faults}"))
}

/// A Debian host on its own hardware.
pub(crate) fn debian(name: &str, address: &str) -> Facts {
    Facts {
        architecture: "amd64".to_owned(),
        os: OperatingSystem {
            id: "debian".to_owned(),
            version: "12".to_owned(),
            name: "Debian GNU/Linux 12 (bookworm)".to_owned(),
        },
        kernel: "6.1.0-40-amd64".to_owned(),
        hostname: name.to_owned(),
        machine_id: "0123456789abcdef0123456789abcdef".to_owned(),
        boot_id: "00000000-0000-0000-0000-000000000000".to_owned(),
        processors: 4,
        memory_bytes: 8 << 30,
        page_size: 4096,
        cgroup_version: 2,
        cgroup_controllers: ["cpu", "memory", "pids"].map(str::to_owned).into(),
        can_lower_oom_score: true,
        conntrack_writable: true,
        shared_kernel: false,
        features: Features {
            vxlan: true,
            overlay: true,
            nf_tables: true,
            bridge_netfilter: true,
            modules: true,
        },
        swap: Vec::new(),
        addresses: [("lo", "127.0.0.1", 8), ("eth0", address, 24)]
            .map(|(interface, address, prefix)| InterfaceAddress {
                interface: interface.to_owned(),
                address: address.to_owned(),
                prefix,
            })
            .into(),
        gateway: None,
        resolv_conf: "/etc/resolv.conf".to_owned(),
        disks: Vec::new(),
        ports: Vec::new(),
        clock_milliseconds: 0,
        conflicts: Vec::new(),
        kubernetes: KubernetesState::default(),
        garboard: GarboardState::default(),
        machine: Machine { userland_bits: 64, ..Machine::default() },
        clock: Clock::default(),
        power: None,
        swap_sources: Vec::new(),
        sync_latency: None,
        boot: Boot::default(),
        openvpn: None,
    }
}

/// A container on a machine with cgroup v1: no modules, no `CAP_SYS_RESOURCE`, sysctls that are the machine's.
pub(crate) fn container(name: &str, address: &str) -> Facts {
    Facts {
        cgroup_version: 1,
        can_lower_oom_score: false,
        conntrack_writable: false,
        shared_kernel: true,
        features: Features {
            vxlan: true,
            overlay: true,
            nf_tables: true,
            bridge_netfilter: false,
            modules: false,
        },
        ..debian(name, address)
    }
}

/// A Raspberry Pi with a stub resolver.
pub(crate) fn pi(name: &str, address: &str) -> Facts {
    Facts {
        architecture: "arm64".to_owned(),
        kernel: "6.12.47+rpt-rpi-2712".to_owned(),
        page_size: 16384,
        resolv_conf: "/run/systemd/resolve/resolv.conf".to_owned(),
        swap: vec!["/var/swap".to_owned()],
        machine: Machine {
            model: "Raspberry Pi 5 Model B Rev 1.0".to_owned(),
            raspberry_pi: true,
            userland_bits: 64,
            sd_card: true,
        },
        sync_latency: Some(SyncLatency {
            path: "/var/lib".to_owned(),
            writes: 200,
            median_microseconds: 4_000,
            p99_microseconds: 42_000,
        }),
        ..debian(name, address)
    }
}

/// Facts of all hosts of an inventory, made by `make` from name and address.
pub(crate) fn facts(inventory: &Inventory, make: fn(&str, &str) -> Facts) -> BTreeMap<String, Facts> {
    inventory.hosts.iter().map(|host| (host.name.clone(), make(&host.name, &host.address))).collect()
}

/// A lock with everything, for these architectures.
/// What is rendered from, led by `cp1`, on hosts whose clocks nobody has looked at.
pub(crate) fn inputs<'a>(
    inventory: &'a Inventory,
    facts: &'a BTreeMap<String, Facts>,
    artifacts: &'a Artifacts,
) -> Inputs<'a> {
    static CLOCKS: BTreeMap<String, ClockReference> = BTreeMap::new();
    static OPENVPN: LazyLock<VpnMaterial> = LazyLock::new(|| VpnMaterial {
        authority: "AUTHORITY\n".to_owned(),
        certificate: "CERTIFICATE\n".to_owned(),
        key: Secret::new("KEY\n"),
        tls_crypt_key: Secret::new("TLS-CRYPT\n"),
        users: BTreeMap::from([
            ("alice".to_owned(), Some(Ipv4Addr::new(10, 8, 0, 2))),
            ("bob".to_owned(), None),
        ]),
        revoked: vec!["12".to_owned(), "34".to_owned()],
    });
    static INGRESS: LazyLock<IngressMaterial> = LazyLock::new(|| IngressMaterial {
        trusted: Some("TRUSTED\n".to_owned()),
        certificate: Some(Certificate { certificate: "CERTIFICATE\n".to_owned(), key: Secret::new("KEY\n") }),
        provider_secret: Some(Secret::new("PROVIDER-SECRET")),
    });
    static SERVING: LazyLock<ServingMaterial> = LazyLock::new(|| {
        let of = |name: &str| Certificate {
            certificate: format!("CERTIFICATE of {name}\n"),
            key: Secret::new(format!("KEY of {name}\n")),
        };
        ServingMaterial {
            authority: "AUTHORITY\n".to_owned(),
            kubelets: ["cp1", "w1", "w2", "db1", "dmz1"].map(|name| (name.to_owned(), of(name))).into(),
            metrics_server: of("metrics-server"),
        }
    });
    Inputs {
        inventory,
        facts,
        artifacts,
        leader: "cp1",
        clocks: &CLOCKS,
        openvpn: Some(&OPENVPN),
        ingress: Some(&INGRESS),
        serving: Some(&SERVING),
        ddns: None,
    }
}

/// A secret for each reference of the inventory, which says where it was found.
pub(crate) fn ddns(inventory: &Inventory) -> Option<DdnsMaterial> {
    let (_, ddns) = inventory.ddns()?;
    let secret = |number: usize| Secret::new(format!("SECRET-{}", number + 1));
    let references = DdnsMaterial::references(ddns).into_iter().enumerate();
    Some(DdnsMaterial::new(references.map(|(number, one)| (one.clone(), secret(number))).collect()))
}

pub(crate) fn artifacts(architectures: &[&str]) -> Artifacts {
    let blob = |text: String| Blob { digest: Digest::of(text.as_bytes()), size: text.len() as u64 };
    let mut artifacts = Artifacts::default();
    for architecture in architectures {
        for name in FILES.into_iter().chain(CARRIED) {
            let platforms = artifacts.files.entry(name.to_owned()).or_default();
            platforms.insert((*architecture).to_owned(), blob(format!("{name} for {architecture}")));
        }
        for name in IMAGES {
            let image = ImageSource {
                reference: reference(name),
                index: blob(format!("{name} index")),
                manifest: blob(format!("{name} manifest for {architecture}")),
                config: blob(format!("{name} configuration for {architecture}")),
                layers: vec![blob(format!("{name} layer for {architecture}"))],
            };
            let platforms = artifacts.images.entry(name.to_owned()).or_default();
            platforms.insert((*architecture).to_owned(), image);
        }
    }
    artifacts
}

fn reference(name: &str) -> String {
    match name {
        "pause" => "registry.k8s.io/pause:3.10.2".to_owned(),
        "etcd" => "registry.k8s.io/etcd:3.6.8-0".to_owned(),
        "coredns" => "registry.k8s.io/coredns/coredns:v1.14.2".to_owned(),
        "flannel" => "ghcr.io/flannel-io/flannel:v0.28.4".to_owned(),
        "flannel-cni-plugin" => "ghcr.io/flannel-io/flannel-cni-plugin:v1.9.1-flannel1".to_owned(),
        "traefik" => "docker.io/library/traefik:v3.6.12".to_owned(),
        "metrics-server" => "registry.k8s.io/metrics-server/metrics-server:v0.9.0".to_owned(),
        "local-path-provisioner" => "docker.io/rancher/local-path-provisioner:v0.0.30".to_owned(),
        "busybox" => "docker.io/library/busybox:1.37.0".to_owned(),
        name => format!("registry.k8s.io/{name}:v1.36.3"),
    }
}

pub(crate) fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

/// Compares with a golden file, or writes it when `UPDATE_GOLDEN` is set.
pub(crate) fn golden(path: &Path, actual: &str) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, actual).unwrap();
        return;
    }
    let expected = fs::read_to_string(path).unwrap_or_default();
    assert!(
        expected == actual,
        "{} differs; with UPDATE_GOLDEN=1 it would become:\n{actual}",
        path.display()
    );
}

/// The files of a site from one text, each below a line `==> PATH <==`.
pub(crate) fn bundle(path: &Path) -> BTreeMap<String, String> {
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    let mut current = String::new();
    for line in fs::read_to_string(path).unwrap().split_inclusive('\n') {
        if let Some(name) = line.trim_end().strip_prefix("==> ").and_then(|rest| rest.strip_suffix(" <==")) {
            name.clone_into(&mut current);
            files.insert(current.clone(), String::new());
        } else {
            files.get_mut(&current).unwrap().push_str(line);
        }
    }
    files
}
