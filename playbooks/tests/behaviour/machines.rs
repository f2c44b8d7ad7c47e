//! What a Raspberry Pi, a slow disk, swap and a bare kernel change.

use garboard_playbooks::{Ephemeral, Rendered, Signals};
use garboard_protocol::facts::Facts;
use garboard_protocol::{Secret, Step};

use crate::support::{THREE_HOSTS, container, debian, facts, inventory, pi};
use crate::{render, step};

/// A Raspberry Pi as its firmware starts it: without the memory controller.
fn pi_without_memory(name: &str, address: &str) -> Facts {
    let mut facts = pi(name, address);
    "amd64".clone_into(&mut facts.architecture);
    facts.cgroup_controllers = ["cpu", "pids"].map(str::to_owned).into();
    "firmware".clone_into(&mut facts.boot.loader);
    facts.boot.files = vec!["/boot/firmware/cmdline.txt".to_owned()];
    facts
}

#[test]
fn a_pi_without_the_memory_controller_gets_it_first_of_all_by_one_reboot() {
    let inventory = inventory(THREE_HOSTS);
    let rendered = render(&inventory, &facts(&inventory, pi_without_memory)).unwrap();
    for chain in rendered.hosts.values() {
        let first: Vec<String> = chain[..3].iter().map(|step| step.step.kind().to_owned()).collect();
        assert_eq!(first[..2], ["boot_config", "reboot"]);
        assert_eq!(chain[0].step.target(), "cgroup_enable=memory");
        assert_eq!(chain[1].step.target(), "once, for cgroup_enable=memory");
        let sysctl = chain.iter().find(|step| step.step.kind() == "sysctl").unwrap();
        assert!(chain[0].of_facts && !sysctl.of_facts);
    }
    // Neither on one that has it, nor where no file is there to be edited.
    let without_file = |name: &str, address: &str| Facts {
        boot: debian(name, address).boot,
        ..pi_without_memory(name, address)
    };
    for facts in [facts(&inventory, debian), facts(&inventory, without_file)] {
        let rendered = render(&inventory, &facts).unwrap();
        let kinds = rendered.hosts["cp1"].iter().map(|step| step.step.kind());
        assert!(kinds.into_iter().all(|kind| !matches!(kind, "boot_config" | "reboot")));
    }
}

/// What `kubeadm init` is given.
fn configuration(rendered: &Rendered) -> String {
    let late = step(rendered, "cp1", "kubeadm_init").late.as_ref().unwrap();
    let ephemeral = Ephemeral { token: Some(Secret::new("abcdef.0123456789abcdef")) };
    let Step::KubeadmInit(init) = late.render(&Signals::new(), &ephemeral).unwrap() else { panic!() };
    init.config.unwrap().expose().to_owned()
}

/// A Raspberry Pi for which the lock has everything.
fn small(name: &str, address: &str) -> Facts {
    Facts { architecture: "amd64".to_owned(), ..pi(name, address) }
}

fn kinds(rendered: &Rendered, host: &str) -> Vec<&'static str> {
    rendered.hosts[host].iter().map(|step| step.step.kind()).collect()
}

#[test]
fn swap_is_turned_off_or_left_to_the_kubelet() {
    let off = inventory(THREE_HOSTS);
    let rendered = render(&off, &facts(&off, debian)).unwrap();
    assert!(kinds(&rendered, "w1").contains(&"swap"));
    assert!(!configuration(&rendered).contains("failSwapOn"));
    let kept = inventory(&THREE_HOSTS.replace("v1.36.3", "v1.36.3\n  swap: kubelet"));
    let rendered = render(&kept, &facts(&kept, debian)).unwrap();
    assert!(!kinds(&rendered, "w1").contains(&"swap"));
    let wanted = "failSwapOn: false\nmemorySwap:\n  swapBehavior: LimitedSwap\n";
    assert!(configuration(&rendered).contains(wanted), "{}", configuration(&rendered));
}

#[test]
fn what_spares_an_sd_card_comes_where_there_is_one_and_can_be_left_out() {
    let with = inventory(THREE_HOSTS);
    let of_card =
        |rendered: &Rendered| rendered.hosts["w1"].iter().filter(|step| step.playbook == "sd-card").count();
    assert_eq!(of_card(&render(&with, &facts(&with, small)).unwrap()), 4);
    assert_eq!(of_card(&render(&with, &facts(&with, debian)).unwrap()), 0);
    let without = inventory(&format!("{THREE_HOSTS}\nwithout: [sd-card]\n"));
    assert_eq!(of_card(&render(&without, &facts(&without, small)).unwrap()), 0);
}

#[test]
fn a_slow_disk_has_everything_wait_longer() {
    let inventory = inventory(THREE_HOSTS);
    let fast = render(&inventory, &facts(&inventory, debian)).unwrap();
    let slow = render(&inventory, &facts(&inventory, small)).unwrap();
    assert_eq!((fast.patience, slow.patience), (1, 2));
    let seconds = |rendered: &Rendered| match &step(rendered, "cp1", "kubeadm_init").step {
        Step::KubeadmInit(init) => init.timeout_seconds,
        _ => 0,
    };
    assert_eq!((seconds(&fast), seconds(&slow)), (600, 1_200));
    assert!(!configuration(&fast).contains("controlPlaneComponentHealthCheck"));
    assert!(configuration(&slow).contains("controlPlaneComponentHealthCheck: 8m0s"));
    // A processor is slow where the disk is not.
    assert!(configuration(&fast).contains("kubernetesAPICall: 4m0s"));
    assert!(configuration(&slow).contains("kubernetesAPICall: 8m0s"));
}

#[test]
fn the_package_with_vxlan_comes_on_ubuntu_for_raspberry_pi_alone() {
    let inventory = inventory(THREE_HOSTS);
    let packages = |id: &str, make: fn(&str, &str) -> Facts| {
        let mut facts = facts(&inventory, make);
        for facts in facts.values_mut() {
            facts.os.id = id.to_owned();
            facts.features.vxlan = false;
        }
        let rendered = render(&inventory, &facts).unwrap();
        rendered.hosts["w1"].iter().any(|step| matches!(&step.step, Step::Package(_)))
    };
    assert!(packages("ubuntu", small));
    assert!(!packages("debian", small) && !packages("ubuntu", debian) && !packages("ubuntu", container));
}
