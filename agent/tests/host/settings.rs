//! Kinds that set something of the OS.

use garboard_protocol::Step;
use garboard_protocol::reset::ResetOptions;
use garboard_protocol::step::{Hostname, HostsEntry, KernelModule, Swap, Sysctl};

use crate::machine::Machine;
use crate::reset::reset;

fn sysctl(key: &str, value: &str) -> Step {
    Step::Sysctl(Sysctl { key: key.into(), value: value.into() })
}

fn module(name: &str, optional: bool) -> Step {
    Step::KernelModule(KernelModule { name: name.into(), optional })
}

fn entry(address: &str, name: &str) -> Step {
    Step::HostsEntry(HostsEntry { address: address.into(), names: vec![name.into()] })
}

#[test]
fn a_sysctl_is_set_live_and_for_the_next_boot() {
    let machine = Machine::new();
    machine.run(&[sysctl("net.ipv4.ip_forward", "1")]).unwrap();
    assert_eq!(machine.fake.content("/proc/sys/net/ipv4/ip_forward").as_deref(), Some("1"));
    let file = machine.fake.content("/etc/sysctl.d/90-garboard-net.ipv4.ip_forward.conf");
    assert_eq!(file.as_deref(), Some("net.ipv4.ip_forward = 1\n"));
    assert!(machine.probe(&sysctl("net.ipv4.ip_forward", "1")).is_converged());
}

#[test]
fn a_setting_that_the_kernel_lacks_fails_by_name() {
    let failure = Machine::new().run(&[sysctl("net.bridge.bridge-nf-call-iptables", "1")]).unwrap_err();
    assert!(failure.message.contains("net.bridge.bridge-nf-call-iptables"), "{}", failure.message);
}

#[test]
fn a_feature_that_is_built_in_needs_nothing_and_one_that_is_optional_may_be_missing() {
    let machine = Machine::new();
    assert!(machine.probe(&module("overlay", false)).is_converged());
    assert!(machine.probe(&module("absent", true)).is_converged());
    let failure = machine.run(&[module("absent", false)]).unwrap_err();
    assert!(failure.message.contains("`absent`"), "{}", failure.message);
}

#[test]
fn a_module_is_loaded_now_and_at_the_next_boot() {
    let machine = Machine::new();
    machine.run(&[module("br_netfilter", false)]).unwrap();
    assert_eq!(
        machine.fake.content("/etc/modules-load.d/garboard-br_netfilter.conf").as_deref(),
        Some("br_netfilter\n")
    );
    assert!(machine.probe(&module("br_netfilter", false)).is_converged());
}

#[test]
fn swap_goes_off_now_and_at_the_next_boot() {
    let machine = Machine::new();
    machine.fake.put("/proc/swaps", b"Filename Type Size Used Priority\n/dev/sda2 partition 1 0 -2\n", 0o444);
    let swap = Step::Swap(Swap {});
    machine.run(std::slice::from_ref(&swap)).unwrap();
    assert!(machine.fake.commands().contains(&"run swapoff /dev/sda2".to_owned()));
    assert_eq!(
        machine.fake.content("/etc/fstab").as_deref(),
        Some("/dev/sda1 / ext4 defaults 0 1\n# garboard: /dev/sda2 none swap sw 0 0\n")
    );
    assert!(machine.state()["/etc/systemd/system/dev-sda2.swap"].starts_with("Symlink"));
    assert!(machine.probe(&swap).is_converged());
}

#[test]
fn the_machines_swap_is_not_a_containers_to_switch_off() {
    let machine = Machine::new();
    machine.fake.put("/proc/swaps", b"Filename Type Size Used Priority\n/dev/sda2 partition 1 0 -2\n", 0o444);
    machine.fake.put("/run/systemd/container", b"systemd-nspawn", 0o444);
    assert!(machine.probe(&Step::Swap(Swap {})).is_converged());
}

#[test]
fn the_host_name_is_set_live_and_in_its_file() {
    let machine = Machine::new();
    let step = Step::Hostname(Hostname { name: "w1".into() });
    machine.run(std::slice::from_ref(&step)).unwrap();
    assert_eq!(machine.fake.content("/etc/hostname").as_deref(), Some("w1\n"));
    assert_eq!(machine.fake.content("/proc/sys/kernel/hostname").as_deref(), Some("w1\n"));
    assert!(machine.probe(&step).is_converged());
}

/// What cloud-init makes of its template where it is told `manage_etc_hosts: true`, as Raspberry Pi Imager does.
#[test]
fn a_hosts_file_that_cloud_init_writes_anew_at_every_boot_has_the_line_in_its_template_too() {
    const TEMPLATE: &str = "/etc/cloud/templates/hosts.debian.tmpl";
    let machine = Machine::new();
    let head = "# a.) make changes to the master file in /etc/cloud/templates/hosts.debian.tmpl\n";
    machine.fake.put("/etc/hosts", format!("{head}127.0.1.1 cp1\n127.0.0.1 localhost\n").as_bytes(), 0o644);
    let step = [entry("192.168.1.11", "cp1")];
    // Named, but not there: an image whose cloud-init was removed.
    machine.run(&step).unwrap();
    assert!(machine.probe(&step[0]).is_converged());
    let template = format!("## template:jinja\n{{#\nused if enabled\n-#}}\n{head}127.0.1.1 {{{{fqdn}}}}\n");
    machine.fake.put(TEMPLATE, template.as_bytes(), 0o644);
    assert!(!machine.probe(&step[0]).is_converged());
    machine.run(&step).unwrap();
    assert!(machine.probe(&step[0]).is_converged());
    let ours = "192.168.1.11 cp1 # garboard: cp1\n";
    let wanted = template.replace("127.0.1.1", &format!("{ours}127.0.1.1"));
    assert_eq!(machine.fake.content(TEMPLATE).as_deref(), Some(wanted.as_str()));
    // The boot.
    machine.fake.put("/etc/hosts", format!("{head}{ours}127.0.1.1 cp1\n").as_bytes(), 0o644);
    assert!(machine.probe(&step[0]).is_converged());
    let (report, _) = reset(&machine, &ResetOptions::default());
    assert_eq!(report.leftovers, []);
    assert_eq!(machine.fake.content(TEMPLATE).as_deref(), Some(template.as_str()));
    assert_eq!(machine.fake.content("/etc/hosts"), Some(format!("{head}127.0.1.1 cp1\n")));
}

#[test]
fn every_foreign_line_of_hosts_stays_byte_for_byte() {
    let machine = Machine::new();
    machine.run(&[entry("10.0.0.1", "lab.garboard.internal"), entry("10.0.0.2", "w1")]).unwrap();
    machine.run(&[entry("10.0.0.9", "lab.garboard.internal")]).unwrap();
    assert_eq!(
        machine.fake.content("/etc/hosts").as_deref(),
        Some(
            "10.0.0.9 lab.garboard.internal # garboard: lab.garboard.internal\n\
             10.0.0.2 w1 # garboard: w1\n127.0.0.1 localhost\n127.0.1.1 debian"
        )
    );
}
