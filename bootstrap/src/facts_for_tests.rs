//! Facts of a plain, bare Debian host, for the tests of pure functions.

use garboard_protocol::Facts;
use garboard_protocol::facts::{
    Boot, Clock, Disk, Features, GarboardState, InterfaceAddress, KubernetesState, Machine, OperatingSystem,
    TimeService,
};

/// A bare Debian 12 host with 4 processors and 8 GB at 192.168.1.11.
pub(crate) fn facts() -> Facts {
    let disk = |path: &str| Disk {
        path: path.to_owned(),
        free_bytes: 50_000_000_000,
        total_bytes: 60_000_000_000,
        device: 1,
    };
    Facts {
        architecture: "amd64".into(),
        os: OperatingSystem { id: "debian".into(), version: "12".into(), name: "Debian GNU/Linux 12".into() },
        kernel: "6.1.0".into(),
        hostname: "cp1".into(),
        machine_id: String::new(),
        boot_id: "b".into(),
        processors: 4,
        memory_bytes: 8_000_000_000,
        page_size: 4096,
        cgroup_version: 2,
        cgroup_controllers: ["cpu", "cpuset", "memory", "pids", "io"].map(str::to_owned).into(),
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
        addresses: vec![InterfaceAddress {
            interface: "eth0".into(),
            address: "192.168.1.11".into(),
            prefix: 24,
        }],
        gateway: None,
        resolv_conf: "/etc/resolv.conf".into(),
        disks: [
            "/usr/local",
            "/var/lib/garboard",
            "/var/lib/containerd",
            "/var/lib/etcd",
            "/var/lib/kubelet",
        ]
        .map(disk)
        .into(),
        ports: Vec::new(),
        clock_milliseconds: 1_000_000,
        conflicts: Vec::new(),
        kubernetes: KubernetesState::default(),
        garboard: GarboardState::default(),
        machine: Machine { model: "Mini PC".into(), userland_bits: 64, ..Machine::default() },
        clock: Clock {
            hardware: true,
            services: vec![TimeService { unit: "systemd-timesyncd.service".into(), active: true }],
            ..Clock::default()
        },
        power: None,
        swap_sources: Vec::new(),
        sync_latency: None,
        boot: Boot::default(),
        openvpn: None,
    }
}
