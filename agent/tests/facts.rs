//! Facts on hosts in memory: a bare Debian, a container, a member, and hosts with others' software.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::time::Duration;

use garboard_agent::facts;
use garboard_agent::store::Layout;
use garboard_agent::system::fake::Fake;
use garboard_agent::system::{CommandError, Space};
use garboard_protocol::Facts;
use garboard_protocol::request::FactsQuery;

const STATUS: &str = "Name:\tgarboard-agent\nCapInh:\t0000000000000000\nCapEff:\t000001ffffffffff\n\
    CapBnd:\t000001ffffffffff\n";

/// A Raspberry Pi with Debian 12: cgroup v2, modules.
fn bare() -> Fake {
    let fake = Fake::with(&[
        ("/etc/os-release", "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_ID=\"12\"\nID=debian\n"),
        ("/etc/machine-id", "3d1219c7c4c5404aaa1f6d2a48adfda4\n"),
        ("/etc/resolv.conf", "nameserver 192.168.1.1\n"),
        ("/proc/sys/kernel/osrelease", "6.1.0-rpi7\n"),
        ("/proc/sys/kernel/hostname", "cp1\n"),
        ("/proc/sys/kernel/random/boot_id", "61e4156d-02fc-48ea-8fb4-7fb4965f4db0\n"),
        ("/proc/meminfo", "MemTotal:        8192000 kB\nMemFree: 1 kB\n"),
        ("/proc/self/status", STATUS),
        ("/proc/self/mountinfo", "1 0 0:1 / / rw - ext4 a rw\n2 1 0:2 / /proc rw - proc proc rw\n"),
        ("/proc/1/environ", "HOME=/\0TERM=linux\0"),
        ("/proc/modules", ""),
        ("/proc/filesystems", "nodev\tsysfs\n\text4\n"),
        ("/proc/swaps", "Filename\tType\tSize\tUsed\tPriority\n/var/my\\040swap file 102396 0 -2\n"),
        (
            "/lib/modules/6.1.0-rpi7/modules.dep",
            "kernel/drivers/net/vxlan/vxlan.ko.xz:\nkernel/fs/overlayfs/overlay.ko.xz:\n\
             kernel/net/netfilter/nf_tables.ko.xz:\nkernel/net/bridge/br_netfilter.ko.xz:\n",
        ),
        ("/lib/modules/6.1.0-rpi7/modules.builtin", ""),
        ("/sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory pids\n"),
    ]);
    fake.put("/proc/self/auxv", &[6_u64, 16384, 0, 0].map(u64::to_ne_bytes).concat(), 0o400);
    fake
}

/// A systemd-nspawn container on a hybrid cgroup tree, without modules.
fn container() -> Fake {
    let fake = bare();
    fake.take("/lib");
    fake.take("/proc/modules");
    fake.take("/sys/fs/cgroup");
    fake.put("/run/systemd/container", b"systemd-nspawn\n", 0o644);
    fake.put("/proc/self/status", b"CapEff:\t000001fffeffffff\nCapBnd:\t000001fffeffffff\n", 0o444);
    fake.put("/proc/sys/net/netfilter/nf_conntrack_max", b"262144\n", 0o444);
    fake.put("/proc/filesystems", b"nodev\toverlay\n", 0o444);
    for name in ["cpu,cpuacct", "memory", "pids", "systemd", "unified"] {
        fake.put_directory(&format!("/sys/fs/cgroup/{name}"));
    }
    fake.put_link("/sys/fs/cgroup/cpu", "cpu,cpuacct");
    fake.put_directory("/sys/module/vxlan");
    fake
}

fn collect(fake: &Fake) -> Facts {
    facts::collect(fake, &Layout::host(), &FactsQuery::default())
}

#[test]
fn a_bare_debian_host_is_described() {
    let facts = collect(&bare());
    assert_eq!((facts.os.id.as_str(), facts.os.version.as_str()), ("debian", "12"));
    assert_eq!(facts.os.name, "Debian GNU/Linux 12 (bookworm)");
    assert_eq!((facts.hostname.as_str(), facts.kernel.as_str()), ("cp1", "6.1.0-rpi7"));
    assert_eq!((facts.memory_bytes, facts.page_size), (8_388_608_000, 16_384));
    assert_eq!((facts.cgroup_version, facts.cgroup_controllers.len()), (2, 5));
    assert!(facts.can_lower_oom_score && facts.conntrack_writable && !facts.shared_kernel);
    let features = &facts.features;
    assert!(
        features.vxlan
            && features.overlay
            && features.nf_tables
            && features.bridge_netfilter
            && features.modules
    );
    assert_eq!(facts.swap, ["/var/my swap"]);
    assert_eq!(facts.resolv_conf, "/etc/resolv.conf");
    assert!(facts.conflicts.is_empty() && facts.ports.is_empty());
    assert_eq!(facts.kubernetes, garboard_protocol::facts::KubernetesState::default());
    assert_eq!(facts.garboard, garboard_protocol::facts::GarboardState::default());
}

#[test]
fn looking_changes_nothing_and_runs_no_command_on_a_usual_host() {
    let fake = bare();
    let before = fake.tree();
    collect(&fake);
    assert_eq!(fake.tree(), before);
    assert_eq!(fake.commands(), Vec::<String>::new());
}

#[test]
fn a_container_shares_its_kernel_and_lacks_what_the_kernel_withholds() {
    let fake = container();
    fake.answer("unshare --net nft list tables", "");
    let facts = collect(&fake);
    assert_eq!(facts.cgroup_version, 1);
    assert_eq!(facts.cgroup_controllers, ["cpu", "cpuacct", "memory", "pids"]);
    assert!(facts.shared_kernel && !facts.can_lower_oom_score && !facts.conntrack_writable);
    assert!(facts.features.vxlan && facts.features.overlay && facts.features.nf_tables);
    assert!(!facts.features.bridge_netfilter && !facts.features.modules);
}

#[test]
fn a_feature_without_any_trace_is_tried_in_a_namespace_of_its_own() {
    let fake = container();
    fake.take("/sys/module");
    fake.script(|_, command| {
        assert_eq!((command.program.as_str(), command.arguments[0].as_str()), ("unshare", "--net"));
        let failed =
            CommandError::Exit { command: command.display(), code: 2, stderr: "not supported".into() };
        Some(Err(failed))
    });
    let facts = collect(&fake);
    assert!(!facts.features.vxlan && !facts.features.nf_tables);
    assert_eq!(fake.commands().len(), 2);
}

#[test]
fn modules_that_cannot_be_loaded_do_not_count() {
    let fake = bare();
    fake.put("/proc/sys/kernel/modules_disabled", b"1\n", 0o644);
    assert!(!collect(&fake).features.vxlan);
    fake.put("/lib/modules/6.1.0-rpi7/modules.builtin", b"kernel/drivers/net/vxlan/vxlan.ko\n", 0o644);
    let facts = collect(&fake);
    assert!(facts.features.vxlan && !facts.features.overlay && !facts.features.modules);
}

#[test]
fn a_stub_resolver_is_seen_through() {
    let fake = bare();
    fake.put("/etc/resolv.conf", b"# stub\nnameserver 127.0.0.53\noptions edns0\n", 0o644);
    assert_eq!(collect(&fake).resolv_conf, "/etc/resolv.conf", "there is no other one");
    fake.put("/run/systemd/resolve/resolv.conf", b"nameserver 192.168.1.1\n", 0o644);
    assert_eq!(collect(&fake).resolv_conf, "/run/systemd/resolve/resolv.conf");
    fake.put("/etc/resolv.conf", b"nameserver 127.0.0.53\nnameserver 9.9.9.9\n", 0o644);
    assert_eq!(collect(&fake).resolv_conf, "/etc/resolv.conf");
}

const TCP: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
    \x20  0: 00000000:192B 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100\n\
    \x20  1: 0100007F:2379 0100007F:8000 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 100\n";
const TCP6: &str = "  sl  local_address remote_address st tx_queue rx_queue tr tm->when retrnsmt uid timeout inode\n\
    \x20  0: 00000000000000000000000000000000:280A 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 4713 1\n";
const UDP: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
    \x20  0: 00000000:2118 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4714 2 0\n";

#[test]
fn the_process_that_holds_a_port_is_named() {
    let fake = bare();
    fake.put("/proc/net/tcp", TCP.as_bytes(), 0o444);
    fake.put("/proc/net/tcp6", TCP6.as_bytes(), 0o444);
    fake.put("/proc/net/udp", UDP.as_bytes(), 0o444);
    fake.put("/proc/812/comm", b"haproxy\n", 0o444);
    fake.put_link("/proc/812/fd/3", "socket:[4711]");
    fake.put("/proc/900/comm", b"other\n", 0o444);
    fake.put_link("/proc/900/fd/0", "/dev/null");
    fake.put_link("/proc/900/fd/7", "socket:[4713]");
    let query =
        FactsQuery { tcp_ports: vec![6443, 9081, 10250], udp_ports: vec![8472], ..FactsQuery::default() };
    let found = facts::collect(&fake, &Layout::host(), &query).ports;
    let rows: Vec<(&str, u16, &str, u32)> =
        found.iter().map(|row| (row.protocol.as_str(), row.port, row.process.as_str(), row.pid)).collect();
    // 0x2379 is 9081 and only connected, so nobody holds it.
    assert_eq!(rows, [("tcp", 6443, "haproxy", 812), ("tcp", 10250, "other", 900), ("udp", 8472, "", 0)]);
}

#[test]
fn space_is_that_of_the_nearest_folder_and_of_a_link_target() {
    let fake = bare();
    fake.put_directory("/var/lib");
    fake.put_directory("/mnt/ssd");
    fake.put_on_device("/mnt/ssd", 8);
    fake.put_link("/var/lib/containerd", "../../mnt/ssd");
    fake.set_space(Space { free: 5, total: 9 });
    let paths = ["/var/lib/etcd/member", "/var/lib/containerd"].map(str::to_owned).to_vec();
    let query = FactsQuery { disk_paths: paths.clone(), ..FactsQuery::default() };
    let disks = facts::collect(&fake, &Layout::host(), &query).disks;
    assert_eq!(disks.iter().map(|disk| disk.path.clone()).collect::<Vec<_>>(), paths);
    assert_eq!(disks.iter().map(|disk| disk.device).collect::<Vec<_>>(), [1, 8]);
    assert!(disks.iter().all(|disk| (disk.free_bytes, disk.total_bytes) == (5, 9)));
}

#[test]
fn others_software_is_named_with_what_gave_it_away() {
    for (path, name) in [
        ("/usr/bin/dockerd", "docker"),
        ("/run/docker.sock", "docker"),
        ("/usr/local/bin/k3s", "k3s"),
        ("/var/lib/rancher/rke2/agent", "rke2"),
        ("/var/snap/microk8s/common", "microk8s"),
        ("/etc/systemd/system/k0sworker.service", "k0s"),
        ("/lib/systemd/system/containerd.service", "containerd"),
        ("/usr/bin/kubelet", "kubelet"),
    ] {
        let fake = bare();
        fake.put(path, b"", 0o755);
        let conflicts = collect(&fake).conflicts;
        assert_eq!(conflicts.len(), 1, "{path}: {conflicts:?}");
        assert_eq!(conflicts[0].name, name);
        assert!(path.starts_with(&conflicts[0].evidence), "{path}: {conflicts:?}");
    }
    let ours = bare();
    for path in ["/usr/local/bin/containerd", "/etc/systemd/system/containerd.service", "/usr/bin/podman"] {
        ours.put(path, b"", 0o755);
    }
    assert!(collect(&ours).conflicts.is_empty());
}

#[test]
fn what_an_earlier_cluster_left_is_listed_but_not_what_belongs_to_others() {
    let fake = bare();
    fake.put("/etc/kubernetes/manifests/etcd.yaml", b"", 0o600);
    fake.put("/etc/cni/net.d/10-flannel.conflist", b"{}", 0o644);
    fake.put("/etc/cni/net.d/87-podman-bridge.conflist", b"{}", 0o644);
    fake.put_directory("/var/lib/kubelet/lost+found");
    fake.put("/var/lib/kubelet/lost+found/#12", b"", 0o600);
    let found = collect(&fake).kubernetes.leftovers;
    assert_eq!(found, ["/etc/kubernetes/manifests/etcd.yaml", "/etc/cni/net.d/10-flannel.conflist"]);
    for number in 0..50 {
        fake.put(&format!("/var/lib/kubelet/pods/{number}/token"), b"", 0o600);
    }
    assert_eq!(collect(&fake).kubernetes.leftovers.len(), 20);
}

#[test]
fn a_member_is_known_by_its_durable_state() {
    let fake = bare();
    fake.put("/etc/kubernetes/kubelet.conf", b"", 0o600);
    fake.put("/var/lib/etcd/member/snap/db", b"", 0o600);
    fake.put("/etc/kubernetes/pki/ca.crt", b"-----BEGIN CERTIFICATE-----\nbroken\n", 0o644);
    let note = r#"{"name":"home","ca_hash":"sha256:aa","uid":"u"}"#;
    fake.put("/var/lib/garboard/cluster.json", note.as_bytes(), 0o600);
    let line = "{\"member\":{\"by\":\"init\"}}\n";
    fake.put("/var/lib/garboard/baseline/entries", line.as_bytes(), 0o600);
    let intent = r#"{"step":"control-plane/1","run":"r","time":""}"#;
    fake.put("/var/lib/garboard/intent", intent.as_bytes(), 0o600);
    let facts = collect(&fake);
    let kubernetes = &facts.kubernetes;
    assert!(kubernetes.kubelet_conf && kubernetes.etcd_data && !kubernetes.admin_conf);
    assert_eq!(kubernetes.ca_hash, None);
    assert!(facts.garboard.baseline);
    assert_eq!(facts.garboard.cluster.unwrap().name, "home");
    assert_eq!(facts.garboard.intent.as_deref(), Some("control-plane/1"));
}

#[test]
fn the_disk_of_etcd_is_measured_at_the_nearest_folder_and_its_slowest_writes_count() {
    let fake = bare();
    fake.put_directory("/mnt/ssd");
    fake.put_directory("/var/lib");
    fake.put_link("/var/lib/etcd", "../../mnt/ssd");
    fake.set_sync_latency(Duration::from_millis(20));
    let found = facts::sync_latency(&fake, "/var/lib/etcd/member").unwrap();
    assert_eq!((found.path.as_str(), found.writes), ("/mnt/ssd", 100));
    assert_eq!((found.median_microseconds, found.p99_microseconds), (1, 20_000));
    assert_eq!(collect(&fake).sync_latency, None, "only where it is asked for");
}
