//! The state hash.

use super::fixture::TestLab;

#[test]
fn an_idle_host_has_one_hash_over_logins_and_reboots() {
    let test = TestLab::up("t-idle", 0);
    let first = test.lab.state("cp1").unwrap();
    assert_eq!(test.lab.state("cp1").unwrap().hash(), first.hash());
    assert_eq!(test.ssh("cp1", "true").status.code(), Some(0));
    assert_eq!(test.lab.state("cp1").unwrap().differences(&first), [""; 0], "a login");
    test.lab.reboot("cp1").unwrap();
    assert_eq!(test.lab.state("cp1").unwrap().differences(&first), [""; 0], "a reboot");
    test.lab.power_cut("cp1").unwrap();
    test.lab.power_on(&["cp1".into()]).unwrap();
    assert_eq!(test.lab.state("cp1").unwrap().differences(&first), [""; 0], "a power cut");
}

/// What a tool may leave behind: how it comes, how it goes, and what the list then shows.
const CHANGES: [(&str, &[&str], &[&str], &str); 17] = [
    ("a file", &["touch", "/etc/x"], &["rm", "/etc/x"], "tree /etc/x file"),
    ("a mode", &["chmod", "600", "/etc/fstab"], &["chmod", "644", "/etc/fstab"], "tree /etc/fstab file 0600"),
    (
        "an owner",
        &["chown", "1:1", "/etc/fstab"],
        &["chown", "0:0", "/etc/fstab"],
        "tree /etc/fstab file 0644 1:1",
    ),
    (
        "content",
        &["sed", "-i", "1i#x", "/etc/hosts"],
        &["sed", "-i", "1d", "/etc/hosts"],
        "tree /etc/hosts file",
    ),
    ("a folder", &["mkdir", "/var/lib/x"], &["rmdir", "/var/lib/x"], "tree /var/lib/x folder"),
    (
        "a bind",
        &["mkdir", "/var/lib/containerd/x"],
        &["rmdir", "/var/lib/containerd/x"],
        "tree /var/lib/containerd/x",
    ),
    ("a link", &["ln", "-s", "/a", "/run/x"], &["rm", "/run/x"], "tree /run/x link"),
    (
        "a deleted file",
        &["mv", "/etc/issue", "/root/"],
        &["mv", "/root/issue", "/etc/"],
        "tree /root/issue file",
    ),
    (
        "a table",
        &["nft", "add", "table", "inet", "x"],
        &["nft", "delete", "table", "inet", "x"],
        "nft 00000 table inet x",
    ),
    (
        "a rule",
        &["iptables-nft", "-A", "INPUT", "-p", "tcp", "-j", "DROP"],
        &["sh", "-c", "iptables-nft -F; nft delete table ip filter"],
        "iptables-nft-save",
    ),
    (
        "a network link",
        &["ip", "link", "add", "name", "x", "type", "bridge"],
        &["ip", "link", "delete", "dev", "x"],
        "link x bridge",
    ),
    (
        "a route",
        &["ip", "route", "add", "192.0.2.0/24", "dev", "eth0"],
        &["ip", "route", "delete", "192.0.2.0/24"],
        "route 192.0.2.0/24",
    ),
    (
        "a setting",
        &["sysctl", "-w", "net.ipv4.ip_forward=1"],
        &["sysctl", "-w", "net.ipv4.ip_forward=0"],
        "sysctl net/ipv4/ip_forward 1",
    ),
    (
        "a unit",
        &["systemd-run", "--unit=garboard-x", "sleep", "1000"],
        &["systemctl", "stop", "garboard-x"],
        "unit garboard-x.service loaded active running",
    ),
    ("a mount", &["mount", "-t", "tmpfs", "x", "/mnt"], &["umount", "/mnt"], "mount /mnt tmpfs"),
    (
        "a namespace",
        &["ip", "netns", "add", "x"],
        &["sh", "-c", "ip netns delete x; umount /run/netns; rmdir /run/netns"],
        "mount /run/netns/x nsfs",
    ),
    (
        "a namespace held as the container runtime holds those of pods",
        &["sh", "-c", "touch /run/x; mount --bind /proc/self/ns/net /run/x"],
        &["sh", "-c", "umount /run/x; rm /run/x"],
        "mount /run/x nsfs",
    ),
];

#[test]
fn each_thing_left_behind_is_seen_and_its_going_too() {
    let test = TestLab::up("t-changes", 0);
    let first = test.lab.state("cp1").unwrap();
    for (what, come, go, shown) in CHANGES {
        test.says("cp1", come);
        let differences = test.lab.state("cp1").unwrap().differences(&first);
        assert!(
            differences.iter().any(|line| line.starts_with(&format!("+ {shown}"))),
            "{what}: {differences:#?}"
        );
        test.says("cp1", go);
        assert_eq!(test.lab.state("cp1").unwrap().differences(&first), [""; 0], "{what}");
    }
}
