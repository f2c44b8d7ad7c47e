//! Hosts: what they are, and their power.

use garboard_lab::{Error, Lab, Role};

use super::fixture::{TestLab, cli, ended, shape};

#[test]
fn each_host_is_a_machine_of_its_own_that_answers_ssh() {
    let test = TestLab::up("t-hosts", 1);
    for host in ["cp1", "w1"] {
        assert_eq!(test.says(host, &["systemctl", "is-system-running", "--wait"]), "running");
        assert_eq!(test.says(host, &["cat", "/etc/hostname"]), host);
        assert_eq!(test.says(host, &["ls", "/sys/class/net"]), "eth0\nlo");
        let output = test.ssh(host, "hostname; exit 3");
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), host, "{output:?}");
        assert_eq!(output.status.code(), Some(3));
    }
    for file in ["/etc/machine-id", "/etc/ssh/ssh_host_ed25519_key.pub", "/proc/sys/kernel/random/boot_id"] {
        assert_ne!(test.says("cp1", &["cat", file]), test.says("w1", &["cat", file]), "{file}");
    }
}

#[test]
fn no_day_begins_on_a_host() {
    let test = TestLab::up("t-timers", 0);
    assert_eq!(test.timers("cp1"), ["systemd-tmpfiles-clean.timer"]);
}

#[test]
fn the_inventory_pins_each_hosts_key_and_role() {
    let test = TestLab::up("t-inventory", 1);
    let inventory = garboard_inventory::load(&test.lab.inventory()).unwrap();
    assert_eq!(inventory.cluster.name, "t-inventory");
    let hosts: Vec<_> =
        inventory.hosts.iter().map(|host| (host.name.as_str(), host.address.clone())).collect();
    let expected: Vec<_> =
        test.lab.hosts().iter().map(|host| (host.name.as_str(), host.address.to_string())).collect();
    assert_eq!(hosts, expected);
    assert_eq!(test.lab.host("cp1").unwrap().role, Role::ControlPlane);
    for host in &inventory.hosts {
        let printed = test.says(&host.name, &["ssh-keygen", "-lf", "/etc/ssh/ssh_host_ed25519_key.pub"]);
        assert_eq!(printed.split(' ').nth(1), host.host_key.as_deref());
    }
}

#[test]
fn a_worker_added_later_leaves_the_others_alone() {
    let test = TestLab::up("t-grow", 1);
    let boot = test.says("w1", &["cat", "/proc/sys/kernel/random/boot_id"]);
    let bridge = || {
        let shown = cli(&["run", "t-grow", "--", "ip", "-brief", "link", "show", "dev", "br0"]);
        String::from_utf8(shown.stdout).unwrap().split_whitespace().nth(2).unwrap().to_owned()
    };
    // Its own, by the network's number: one that followed its ports would change when a host comes or goes.
    let card = bridge();
    assert!(card.starts_with("02:67:62:00:") && card.ends_with(":01"), "{card}");
    let lab = Lab::up(&test.places, "t-grow", shape(2), None, &|_| {}).unwrap();
    assert_eq!(bridge(), card);
    assert_eq!(lab.hosts().iter().map(|host| host.name.as_str()).collect::<Vec<_>>(), ["cp1", "w1", "w2"]);
    assert_eq!(test.says("w1", &["cat", "/proc/sys/kernel/random/boot_id"]), boot);
    assert_eq!(garboard_inventory::load(&lab.inventory()).unwrap().hosts.len(), 3);
    assert!(lab.exec("w2", &["true"]).unwrap().status.success());
}

#[test]
fn a_reboot_keeps_the_disk_and_clears_all_else() {
    let test = TestLab::up("t-reboot", 0);
    let boot = test.says("cp1", &["cat", "/proc/sys/kernel/random/boot_id"]);
    let card = test.says("cp1", &["cat", "/sys/class/net/eth0/address"]);
    for file in ["/root/kept", "/var/lib/etcd/kept", "/tmp/gone", "/run/gone", "/dev/shm/gone"] {
        test.says("cp1", &["touch", file]);
    }
    test.says("cp1", &["nft", "add", "table", "inet", "gone"]);
    test.says("cp1", &["ip", "link", "add", "name", "gone", "type", "bridge"]);
    test.says("cp1", &["sysctl", "-w", "net.ipv4.ip_forward=1"]);
    test.says("cp1", &["mount", "-t", "tmpfs", "tmpfs", "/mnt"]);
    test.says("cp1", &["systemd-run", "--unit=gone", "sleep", "1000"]);

    test.lab.reboot("cp1").unwrap();

    assert_ne!(test.says("cp1", &["cat", "/proc/sys/kernel/random/boot_id"]), boot);
    assert_eq!(test.says("cp1", &["cat", "/sys/class/net/eth0/address"]), card);
    test.says("cp1", &["ls", "/root/kept", "/var/lib/etcd/kept"]);
    for file in ["/tmp/gone", "/run/gone", "/dev/shm/gone"] {
        assert!(!test.lab.exec("cp1", &["test", "-e", file]).unwrap().status.success(), "{file}");
    }
    assert_eq!(test.says("cp1", &["nft", "list", "tables"]), "");
    assert_eq!(test.says("cp1", &["ls", "/sys/class/net"]), "eth0\nlo");
    assert_eq!(test.says("cp1", &["sysctl", "-n", "net.ipv4.ip_forward"]), "0");
    assert!(!test.lab.exec("cp1", &["mountpoint", "-q", "/mnt"]).unwrap().status.success());
    assert!(!test.lab.exec("cp1", &["pgrep", "-x", "sleep"]).unwrap().status.success());
}

#[test]
fn a_host_without_power_stays_off_until_it_is_switched_on() {
    let test = TestLab::up("t-power", 1);
    test.says("w1", &["touch", "/root/kept"]);
    test.lab.power_cut("w1").unwrap();
    assert!(matches!(test.lab.exec("w1", &["true"]), Err(Error::Off { .. })));
    // Growing a lab is no reason to switch on what somebody switched off.
    Lab::up(&test.places, "t-power", shape(1), None, &|_| {}).unwrap();
    assert_eq!(test.lab.summary().unwrap().hosts[1].power, "off");
    assert_eq!(test.lab.summary().unwrap().hosts[0].power, "on");
    test.lab.power_on(&["w1".into()]).unwrap();
    test.says("w1", &["ls", "/root/kept"]);
}

#[test]
fn a_host_whose_power_is_cut_while_it_reboots_stays_off() {
    let test = TestLab::up("t-cut", 0);
    let boot = test.boot("cp1");
    test.says("cp1", &["systemctl", "reboot"]);
    // Between two boots: the one's processes have ended, the other's have not begun.
    assert!(ended(&boot), "the host does not go down");
    test.lab.power_cut("cp1").unwrap();
    assert!(matches!(test.lab.exec("cp1", &["true"]), Err(Error::Off { .. })));
    test.lab.power_on(&["cp1".into()]).unwrap();
    test.says("cp1", &["true"]);
}

#[test]
fn a_replaced_host_is_another_machine_at_the_same_address() {
    let test = TestLab::up("t-replace", 0);
    let machine = test.says("cp1", &["cat", "/etc/machine-id"]);
    let key = garboard_inventory::load(&test.lab.inventory()).unwrap().hosts[0].host_key.clone();
    test.says("cp1", &["touch", "/root/gone"]);
    test.lab.replace("cp1").unwrap();
    assert_ne!(test.says("cp1", &["cat", "/etc/machine-id"]), machine);
    assert_ne!(garboard_inventory::load(&test.lab.inventory()).unwrap().hosts[0].host_key, key);
    assert!(!test.lab.exec("cp1", &["test", "-e", "/root/gone"]).unwrap().status.success());
    assert_eq!(test.ssh("cp1", "true").status.code(), Some(0));
}

#[test]
fn exec_and_run_pass_arguments_and_exit_codes_through() {
    let test = TestLab::up("t-exec", 0);
    let output = cli(&[
        "exec",
        "t-exec",
        "cp1",
        "--",
        "sh",
        "-c",
        "printf '%s|' \"$@\"; hostname; exit 7",
        "-",
        "a b",
        "",
    ]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "a b||cp1\n");
    assert_eq!(output.status.code(), Some(7));
    let output =
        cli(&["run", "t-exec", "--", "sh", "-c", "echo $KUBECONFIG; ip -brief address show br0; exit 9"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("garboard/t-exec/kubeconfig\n"), "{said}");
    assert!(said.contains("10.66."), "{said}");
    assert_eq!(output.status.code(), Some(9));
    // In every cgroup and namespace of the host: a power cut ends it.
    assert!(test.says("cp1", &["cat", "/proc/self/cgroup"]).lines().all(|line| !line.contains("garboard")));
}
