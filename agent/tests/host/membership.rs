//! `kubeadm_init` and `kubeadm_join`: not started, in doubt, done.

use garboard_protocol::event::FailureKind;
use garboard_protocol::step::{KubeadmInit, KubeadmJoin};
use garboard_protocol::{Observation, Owned, Secret, Step};

use crate::machine::Machine;

const HASH: &str = include_str!("../../src/steps/testdata/ca.hash");
const TOKEN: &str = "abcdef.0123456789abcdef";

pub(crate) fn init() -> Step {
    Step::KubeadmInit(KubeadmInit {
        node_name: "cp1".into(),
        config: Some(Secret::new(format!("token: {TOKEN}\n"))),
        timeout_seconds: 300,
    })
}

fn join(ca_hash: &str) -> Step {
    Step::KubeadmJoin(KubeadmJoin {
        node_name: "w1".into(),
        ca_hash: Some(ca_hash.trim().to_owned()),
        config: Some(Secret::new(format!("token: {TOKEN}\n"))),
        timeout_seconds: 300,
    })
}

fn kubeadm_runs(machine: &Machine) -> usize {
    machine.fake.commands().iter().filter(|command| command.starts_with("run kubeadm")).count()
}

#[test]
fn a_control_plane_is_initialised_once_and_gives_its_hash_both_times() {
    let machine = Machine::new();
    for _ in 0..2 {
        let finished = machine.run(&[init()]).unwrap();
        assert_eq!(finished[0].1.get("ca_hash").map(String::as_str), Some(HASH.trim()));
    }
    assert_eq!(kubeadm_runs(&machine), 1);
}

#[test]
fn the_configuration_is_gone_after_success_and_after_failure() {
    for breaks in [false, true] {
        let machine = Machine::new();
        machine.world.lock().unwrap().kubeadm_breaks = breaks;
        assert_eq!(machine.run(&[init()]).is_err(), breaks);
        assert_eq!(machine.fake.content("/run/garboard/kubeadm-init.yaml"), None);
        assert!(machine.fake.commands().iter().all(|command| !command.contains(TOKEN)));
    }
}

#[test]
fn what_a_failed_attempt_made_is_removed_before_the_next() {
    let machine = Machine::new();
    machine.world.lock().unwrap().kubeadm_breaks = true;
    machine.run(&[init()]).unwrap_err();
    machine.fake.put("/etc/kubernetes/patches/mine.yaml", b"mine", 0o644);
    let Observation::Differs { changes } = machine.probe(&init()) else { panic!("it was taken for done") };
    assert!(changes[0].before.as_ref().unwrap().starts_with("in doubt"), "{changes:?}");
    machine.world.lock().unwrap().kubeadm_breaks = false;
    machine.fake.forget_calls();
    machine.run(&[init()]).unwrap();
    let commands = machine.fake.commands();
    let at = |text: &str| {
        commands.iter().position(|command| command.contains(text)).unwrap_or_else(|| panic!("{commands:#?}"))
    };
    assert!(at("/etc/kubernetes/pki") < at("run kubeadm init"));
    assert_eq!(machine.fake.content("/etc/kubernetes/patches/mine.yaml").as_deref(), Some("mine"));
}

#[test]
fn a_power_cut_at_any_change_of_an_init_is_healed_by_the_next_run() {
    let whole = Machine::new();
    whole.run(&[init()]).unwrap();
    let mut cuts = 0;
    for nth in 1.. {
        let machine = Machine::new();
        machine.fake.cut_power(nth);
        let interrupted = machine.run(&[init()]);
        machine.fake.restore_power();
        if interrupted.is_ok() {
            break;
        }
        cuts += 1;
        // A power cut ends what runs, and empties /run.
        machine.world.lock().unwrap().active.clear();
        machine.fake.take("/run/garboard");
        machine.run(&[init()]).unwrap_or_else(|failure| panic!("cut at {nth}: {failure:?}"));
        assert_eq!(machine.state(), whole.state(), "cut at change {nth}");
    }
    assert!(cuts > 8, "only {cuts} changes were cut");
}

#[test]
fn a_control_plane_that_lost_a_file_is_never_wiped() {
    let machine = Machine::new();
    machine.run(&[init()]).unwrap();
    machine.fake.take("/etc/kubernetes/admin.conf");
    machine.fake.forget_calls();
    let failure = machine.run(&[init()]).unwrap_err();
    assert_eq!(failure.kind, FailureKind::NeedsPerson);
    assert!(failure.message.contains("admin.conf"), "{}", failure.message);
    assert!(machine.fake.content("/var/lib/etcd/member/snap/db").is_some());
    assert_eq!(kubeadm_runs(&machine), 0);
}

#[test]
fn state_that_nobody_noted_is_never_removed() {
    let machine = Machine::new();
    machine.fake.put("/etc/kubernetes/kubelet.conf", b"foreign", 0o600);
    for step in [init(), join(HASH)] {
        let failure = machine.run(&[step]).unwrap_err();
        assert_eq!(failure.kind, FailureKind::NeedsPerson);
    }
    assert_eq!(machine.fake.content("/etc/kubernetes/kubelet.conf").as_deref(), Some("foreign"));
}

#[test]
fn a_host_that_was_reset_by_hand_begins_anew_without_the_old_network() {
    let machine = Machine::new();
    let owned = [Owned::Link("cni0".into()), Owned::Link("flannel.1".into())];
    machine.run_owning(&[init()], &owned).unwrap();
    machine.fake.put_directory("/sys/class/net/cni0/brif/veth1");
    machine.fake.put_directory("/sys/class/net/veth1");
    machine.fake.put("/var/lib/cni/networks/cbr0/10.244.0.2", b"", 0o644);
    // What `kubeadm reset --force` removes.
    for path in ["/etc/kubernetes", "/var/lib/etcd", "/var/lib/kubelet"] {
        machine.fake.take(path);
        machine.fake.put_directory(path);
    }
    machine.run_owning(&[init()], &owned).unwrap();
    assert_eq!(kubeadm_runs(&machine), 2);
    let state = machine.state();
    for gone in ["/sys/class/net/cni0", "/sys/class/net/veth1", "/var/lib/cni"] {
        assert!(!state.contains_key(gone), "{gone} is still there");
    }
    assert!(state.contains_key("/sys/class/net/eth0"));
}

#[test]
fn a_worker_joins_once() {
    let machine = Machine::new();
    for _ in 0..2 {
        let finished = machine.run(&[join(HASH)]).unwrap();
        assert_eq!(finished[0].1.get("ca_hash").map(String::as_str), Some(HASH.trim()));
    }
    assert_eq!(kubeadm_runs(&machine), 1);
}

#[test]
fn a_member_of_another_cluster_is_never_taken_over() {
    let machine = Machine::new();
    machine.run(&[join(HASH)]).unwrap();
    let other = format!("sha256:{}", "0".repeat(64));
    machine.fake.forget_calls();
    let failure = machine.run(&[join(&other)]).unwrap_err();
    assert_eq!(failure.kind, FailureKind::NeedsPerson);
    assert!(failure.message.contains(&other) && failure.help.unwrap().contains("garboard reset --host w1"));
    assert_eq!(kubeadm_runs(&machine), 0);
}

#[test]
fn a_join_that_only_lacks_its_last_note_is_finished_without_kubeadm() {
    let machine = Machine::new();
    machine.run(&[join(HASH)]).unwrap();
    machine.fake.put("/var/lib/garboard/membership.json", br#"{"by":"join","done":false}"#, 0o600);
    machine.fake.put("/etc/kubernetes/bootstrap-kubelet.conf", TOKEN.as_bytes(), 0o600);
    machine.run(&[join(HASH)]).unwrap();
    assert_eq!(kubeadm_runs(&machine), 1);
    assert_eq!(machine.fake.content("/etc/kubernetes/bootstrap-kubelet.conf"), None);
}

#[test]
fn a_step_without_its_late_configuration_fails_with_words() {
    let step = Step::KubeadmInit(KubeadmInit { node_name: "cp1".into(), config: None, timeout_seconds: 1 });
    let failure = Machine::new().run(&[step]).unwrap_err();
    assert!(failure.message.contains("configuration"), "{}", failure.message);
}
