//! Addons on real hosts: what nodes use, known by certificates that are verified; and volumes that outlive their pod.

use std::time::Duration;

use crate::harness::{Phases, Shape, States, TestLab, Watch, assert_same, until};

/// metrics-server asks every quarter of a minute, and a kubelet that is new takes a while to know what it uses.
pub(crate) const MEASURED: Duration = Duration::from_mins(3);
/// A claim, and a pod that writes to it, wherever volumes can be.
const CLAIM: &str = "apiVersion: v1
kind: PersistentVolumeClaim
metadata: { name: notes }
spec: { accessModes: [ReadWriteOnce], resources: { requests: { storage: 1Mi } } }
---
apiVersion: v1
kind: Pod
metadata: { name: writer }
spec:
  tolerations: [{ key: node-role.kubernetes.io/control-plane, operator: Exists }]
  terminationGracePeriodSeconds: 0
  securityContext: { runAsUser: 1234 }
  containers:
  - name: writer
    image: docker.io/library/busybox:1.37.0
    imagePullPolicy: Never
    command: [sh, -c, 'echo written > /notes/first && exec sleep 10000']
    readinessProbe: { exec: { command: [test, -f, /notes/first] } }
    volumeMounts: [{ name: notes, mountPath: /notes }]
  volumes: [{ name: notes, persistentVolumeClaim: { claimName: notes } }]
";
const VOLUMES: &str = "/var/lib/local-path-storage";

#[test]
fn addons_on_hosts_of_which_one_faces_the_internet() {
    let mut phases = Phases::of("addons_on_hosts_of_which_one_faces_the_internet");
    let lab = phases.must("a control plane and an edge host", || TestLab::up("t-addons", Shape::workers(1)));
    let bare = phases.must("the state before the first up", || lab.states());
    let edge = lab.edited("role: worker, ", "role: worker, edge: true, ");
    let addons = lab.edited("\nhosts:", "\nedge: {}\naddons: [metrics-server, local-path-storage]\nhosts:");
    phases.must("up", || lab.converge());
    phases.check("a_second_up_changes_nothing", || {
        let watch = Watch::begin(&lab, &lab.host_names());
        lab.converged();
        let observed = watch.end();
        lab.host_names().iter().for_each(|host| observed.assert_no_write_of_ours(host));
    });
    phases.check("what_every_node_uses_is_told", || every_node_is_measured(&lab));
    phases.check("a_kubelet_is_known_by_its_name_and_address", || a_kubelet_is_known(&lab));
    phases.check("a_kubelet_with_anothers_certificate_is_not_asked", || anothers_certificate(&lab));
    phases.check("a_claim_is_a_folder_on_the_pods_host_and_the_edge_host_has_none", || a_claim(&lab));
    drop((addons, edge));
    phases.check("reset_deletes_the_volumes_when_it_is_told_to", || given_back(&lab, &bare));
    phases.must("lab down", || drop(lab));
    phases.finish();
}

/// The line of `kubectl top nodes` about a node, where it tells anything.
pub(crate) fn measured(lab: &TestLab, node: &str) -> Option<String> {
    let top = lab.try_kubectl(&["top", "nodes", "--no-headers"]).stdout;
    top.lines()
        .find(|line| line.split_whitespace().next() == Some(node) && !line.contains("<unknown>"))
        .map(str::to_owned)
}

fn every_node_is_measured(lab: &TestLab) {
    for node in ["cp1", "w1"] {
        let told = until(MEASURED, || measured(lab, node).is_some());
        let log =
            || lab.kubectl(&["logs", "--namespace=kube-system", "deployment/metrics-server", "--tail=30"]);
        assert!(told, "nothing is known of {node}:\n{}", log());
    }
    let service = lab.kubectl(&["get", "apiservice", "v1beta1.metrics.k8s.io", "-o", "jsonpath={.spec}"]);
    assert!(service.contains("caBundle") && !service.contains("insecureSkipTLSVerify\":true"), "{service}");
    let run = lab.kubectl(&["get", "deployment", "--namespace=kube-system", "metrics-server", "-o", "yaml"]);
    assert!(!run.contains("insecure-tls"), "{run}");
}

/// Whether the certificate on a host's port 10250 is the authority's, for this name or address.
fn is_known(lab: &TestLab, host: &str, name: &str) -> bool {
    let authority = lab.cluster_state().join("serving/ca.crt");
    let address = lab.lab().host(host).unwrap().address.to_string();
    let resolve = format!("{name}:10250:{address}");
    let url = format!("https://{name}:10250/healthz");
    let words =
        ["--silent", "--max-time", "10", "--resolve", &resolve, "--cacert", authority.to_str().unwrap()];
    let curl = ["--", "curl", "--output", "/dev/null", "--write-out", "%{http_code}"];
    let said = lab.lab_command(&["run"], &[&curl[..], &words, &[&url]].concat()).stdout;
    said.trim() == "401"
}

fn a_kubelet_is_known(lab: &TestLab) {
    for host in ["cp1", "w1"] {
        let address = lab.lab().host(host).unwrap().address.to_string();
        assert!(is_known(lab, host, host), "{host} is not known by its name");
        assert!(is_known(lab, host, &address), "{host} is not known by its address");
        assert!(!is_known(lab, host, "elsewhere.example.org"), "{host} is known by any name");
    }
    // Logs and commands go on to work.
    lab.kubectl(&["logs", "--namespace=kube-system", "daemonset/kube-proxy", "--tail=1"]);
}

/// Whoever can write there poses as another node.
fn anothers_certificate(lab: &TestLab) {
    let pair = fs_err::read_to_string(lab.cluster_state().join("serving/kubelet-cp1.pem")).unwrap();
    let (certificate, key) = pair.split_at(pair.find("-----BEGIN PRIVATE KEY").unwrap());
    lab.host("w1").write("/etc/garboard-kubelet/serving.crt", certificate);
    lab.host("w1").write("/etc/garboard-kubelet/serving.key", key);
    // What is connected already asks for no certificate again.
    lab.host("w1").exec(&["systemctl", "restart", "kubelet"]);
    assert!(until(MEASURED, || is_known(lab, "w1", "cp1")), "the kubelet shows no other certificate");
    assert!(
        until(MEASURED, || measured(lab, "w1").is_none()),
        "a kubelet with another's certificate is asked"
    );
    assert!(measured(lab, "cp1").is_some());
    lab.converge();
    assert!(until(MEASURED, || measured(lab, "w1").is_some()), "up does not mend it");
    lab.converged();
}

fn a_claim(lab: &TestLab) {
    let path = lab.folder().join("claim.yaml");
    fs_err::write(&path, CLAIM).unwrap();
    lab.kubectl(&["apply", "--filename", path.to_str().unwrap()]);
    lab.wait(&["--for=condition=Ready", "pod/writer"]);
    let volume =
        lab.kubectl(&["get", "pvc", "notes", "-o", "jsonpath={.status.phase} {.spec.storageClassName}"]);
    assert_eq!(volume.trim(), "Bound local-path");
    let found = lab.host("cp1").exec(&["find", VOLUMES, "-name", "first"]);
    assert_eq!(lab.host("cp1").exec(&["cat", found.trim()]), "written\n");
    assert_eq!(lab.host("cp1").exec(&["stat", "--format=%a %U", VOLUMES]), "700 root\n");
    assert!(!lab.host("w1").path(VOLUMES).exists(), "the edge host has volumes");
    // A pod that is gone leaves what it wrote.
    lab.kubectl(&["delete", "pod", "writer"]);
    lab.kubectl(&["apply", "--filename", path.to_str().unwrap()]);
    lab.wait(&["--for=condition=Ready", "pod/writer"]);
    assert_eq!(lab.host("cp1").exec(&["find", VOLUMES, "-name", "first"]), found);
}

fn given_back(lab: &TestLab, bare: &States) {
    lab.reset(&["--delete-data"]);
    assert_same(bare, &lab.states());
    lab.garboard(&["reset", "--verify"]).expect(0);
}
