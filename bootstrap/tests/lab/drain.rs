//! A member that has to reboot: drained first, taken back once it is Ready in its next boot. What ran on it runs elsewhere.

use serde_json::Value;

use crate::harness::{Phases, Shape, TestLab, lines_of};

const NAME: &str = "news";
const REQUIRED: &str = "/run/reboot-required";

#[test]
fn a_member_is_drained_before_it_reboots() {
    let mut phases = Phases::of("a_member_is_drained_before_it_reboots");
    let lab = phases.must("a cluster of three", || {
        let lab = TestLab::up("t-drain", Shape::workers(2));
        lab.converge();
        lab.assert_ready();
        lab
    });
    phases.must("something that runs twice, and may be disturbed once", || run_twice(&lab));
    let playbook = phases.must("a playbook that reboots where the system asks for it", || {
        let folder = lab.lab_folder().join(NAME);
        fs_err::create_dir_all(&folder).unwrap();
        let text = "about: Reboot\nhosts: all\nsteps:\n  - reboot: { if: [required] }\n";
        fs_err::write(folder.join("playbook.yaml"), text).unwrap();
        lab.edited("\nhosts:", &format!("\nplaybooks: [./{NAME}]\nhosts:"))
    });
    phases.check("two_workers_reboot_one_after_the_other_and_nothing_is_missed", || {
        two_workers_reboot_one_after_the_other(&lab);
    });
    phases.check("a_pod_that_nobody_would_make_again_stops_the_drain", || {
        a_pod_that_nobody_would_make_again_stops_the_drain(&lab);
    });
    phases.check("the_only_control_plane_reboots_without_a_drain", || {
        the_only_control_plane_reboots_without_a_drain(&lab);
    });
    phases.check("second_up_changes_nothing", || {
        assert_eq!(lab.converged().of_kind("host_rebooting").count(), 0);
    });
    drop(playbook);
    phases.must("lab down", || drop(lab));
    phases.finish();
}

/// From an image that every node holds.
fn image(lab: &TestLab) -> String {
    let of = "jsonpath={.spec.template.spec.containers[0].image}";
    let image =
        lab.kubectl(&["--namespace=kube-flannel", "get", "daemonset/kube-flannel-ds", "--output", of]);
    image.trim().to_owned()
}

fn run_twice(lab: &TestLab) {
    let image = format!("--image={}", image(lab));
    lab.kubectl(&["create", "deployment", "web", &image, "--replicas=2", "--", "sleep", "infinity"]);
    lab.kubectl(&["create", "poddisruptionbudget", "web", "--selector=app=web", "--min-available=1"]);
    lab.wait(&["--for=jsonpath={.status.availableReplicas}=2", "deployment/web"]);
}

fn node(lab: &TestLab, name: &str, path: &str) -> String {
    lab.kubectl(&["get", "node", name, "--output", &format!("jsonpath={{{path}}}")]).trim().to_owned()
}

fn boot_id(lab: &TestLab, host: &str) -> String {
    lab.host(host).exec(&["cat", "/proc/sys/kernel/random/boot_id"]).trim().to_owned()
}

fn two_workers_reboot_one_after_the_other(lab: &TestLab) {
    let before = [boot_id(lab, "w1"), boot_id(lab, "w2")];
    for host in ["w1", "w2"] {
        lab.host(host).write(REQUIRED, "*** System restart required ***\n");
    }
    let mut away: Vec<String> = Vec::new();
    let up = lab.follow(&["up"], |event, _| {
        let host = event["host"].as_str().unwrap_or_default().to_owned();
        match event["event"].as_str() {
            Some("host_rebooting") => {
                // Nobody else is away, nothing of the deployment is left here, and the other one goes on.
                assert_eq!(away, [""; 0]);
                assert_eq!(node(lab, &host, ".spec.unschedulable"), "true");
                // What has ended is still listed until its kubelet says so.
                let on = format!("--field-selector=spec.nodeName={host},status.phase=Running");
                let left = lab.kubectl(&["get", "pods", &on, "--output", "name"]);
                assert_eq!(lines_of(&left), [""; 0], "{host} is not drained");
                let available = "jsonpath={.status.availableReplicas}";
                let available = lab.kubectl(&["get", "deployment/web", "--output", available]);
                assert!(available.trim().parse::<u32>().unwrap() >= 1, "{available}");
                away.push(host);
            }
            Some("host_rebooted") => away.retain(|one| *one != host),
            _ => {}
        }
    });
    let up = up.expect(0);
    let rebooted: Vec<&Value> = up.of_kind("host_rebooted").map(|event| &event["host"]).collect();
    assert_eq!(rebooted.len(), 2, "{}", up.story());
    for (host, before) in ["w1", "w2"].into_iter().zip(before) {
        let now = boot_id(lab, host);
        assert_ne!(now, before, "{host}");
        // By then the run has ended: it has waited for the kubelet of this boot.
        assert_eq!(node(lab, host, ".status.nodeInfo.bootID"), now);
        assert_eq!(node(lab, host, ".spec.unschedulable"), "");
        assert!(!node(lab, host, ".metadata.annotations").contains("garboard/cordoned"));
    }
    lab.assert_ready();
    lab.wait(&["--for=jsonpath={.status.availableReplicas}=2", "deployment/web"]);
}

fn a_pod_that_nobody_would_make_again_stops_the_drain(lab: &TestLab) {
    let (image, overrides) = (format!("--image={}", image(lab)), r#"{"spec":{"nodeName":"w1"}}"#);
    lab.kubectl(&[
        "run",
        "alone",
        &image,
        &format!("--overrides={overrides}"),
        "--command",
        "--",
        "sleep",
        "infinity",
    ]);
    lab.wait(&["--for=condition=Ready", "pod/alone"]);
    let before = boot_id(lab, "w1");
    lab.host("w1").write(REQUIRED, "*** System restart required ***\n");
    lab.garboard(&["up"]).expect(1).says(&["w1", "default/alone"]);
    assert_eq!(boot_id(lab, "w1"), before);
    assert_eq!(node(lab, "w1", ".spec.unschedulable"), "", "the node that stays takes pods again");
    lab.kubectl(&["delete", "pod", "alone", "--now"]);
    lab.garboard(&["up"]).expect(0);
    assert_ne!(boot_id(lab, "w1"), before);
}

fn the_only_control_plane_reboots_without_a_drain(lab: &TestLab) {
    let before = boot_id(lab, "cp1");
    lab.host("cp1").write(REQUIRED, "*** System restart required ***\n");
    let up = lab.garboard(&["up"]).expect(0);
    assert!(up.notes().any(|note| note.contains("the only control plane")), "{}", up.story());
    assert_ne!(boot_id(lab, "cp1"), before);
    assert_eq!(node(lab, "cp1", ".spec.unschedulable"), "");
    lab.assert_ready();
}
