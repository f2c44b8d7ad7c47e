//! Somebody ran `kubeadm reset -f` by hand; one `up` brings a working cluster back.

use serde_json::Value;

use crate::harness::TestLab;

/// A context that is none of ours, with what a person may have put beside it.
const OTHERS: &str = "apiVersion: v1\nkind: Config\ncurrent-context: work\npreferences: {}\n\
    clusters:\n- name: work\n  cluster:\n    server: https://k8s.example.org:6443\n\
    contexts:\n- name: work\n  context:\n    cluster: work\n    user: me\n    namespace: team\n\
    users:\n- name: me\n  user:\n    token: not-a-secret\n";

/// One worker.
pub(crate) fn a_worker_reset_by_hand_is_brought_back_by_one_up(lab: &TestLab, worker: &str) {
    reset_by_hand(lab, worker);
    lab.converge();
    lab.assert_ready();
    lab.assert_traffic();
    lab.converged();
}

/// All hosts: the old cluster is gone for good, its certificates with it.
pub(crate) fn a_cluster_reset_by_hand_is_brought_back_by_one_up(lab: &TestLab) {
    let file = lab.folder().join("home/.kube/config");
    fs_err::create_dir_all(file.parent().unwrap()).unwrap();
    fs_err::write(&file, OTHERS).unwrap();
    lab.garboard(&["kubeconfig"]).expect(0);
    assert_works(lab, &file);
    for host in lab.host_names() {
        reset_by_hand(lab, &host);
    }
    lab.converge();
    lab.assert_ready();
    lab.assert_traffic();
    lab.garboard(&["kubeconfig"]).expect(0);
    assert_works(lab, &file);
    assert_others_untouched(lab, &file);
    lab.converged();
}

fn reset_by_hand(lab: &TestLab, host: &str) {
    lab.host(host).exec(&["kubeadm", "reset", "-f"]);
}

/// The context of ours reaches the cluster.
#[track_caller]
fn assert_works(lab: &TestLab, file: &std::path::Path) {
    let file = file.to_str().unwrap();
    let nodes = lab.kubectl(&["--kubeconfig", file, "--context", lab.name(), "get", "nodes", "--no-headers"]);
    assert_eq!(nodes.lines().count(), lab.host_names().len(), "{nodes}");
}

#[track_caller]
fn assert_others_untouched(lab: &TestLab, file: &std::path::Path) {
    let read = |file: &str| -> Value {
        let text = lab.kubectl(&["--kubeconfig", file, "config", "view", "--raw", "--output", "json"]);
        serde_json::from_str(&text).unwrap()
    };
    let original = lab.folder().join("home/others");
    fs_err::write(&original, OTHERS).unwrap();
    let (before, after) = (read(original.to_str().unwrap()), read(file.to_str().unwrap()));
    for list in ["clusters", "contexts", "users"] {
        let of = |config: &Value| config[list].as_array().cloned().unwrap_or_default();
        for entry in of(&before) {
            assert!(of(&after).contains(&entry), "{entry} of {list} is not in {after}");
        }
    }
}
