//! The cluster on a lab's hosts, asked with `kubectl`.

use std::time::Duration;

use super::TestLab;
use super::invocation::{Finished, lines_of};
use super::reach::until;

/// How many seconds nodes and pods may take to get where they are going, unless their hosts are emulated.
const SECONDS: u32 = 150;

impl TestLab {
    /// Standard output of a `kubectl` that must end well.
    #[track_caller]
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> String {
        self.try_kubectl(arguments).expect(0).stdout
    }

    /// `kubectl`, whatever becomes of it.
    pub(crate) fn try_kubectl(&self, arguments: &[&str]) -> Finished {
        self.lab_command(&["run"], &[["--", "kubectl"].as_slice(), arguments].concat())
    }

    /// Waits until the API server answers, and says so itself, after its host was away.
    #[track_caller]
    pub(crate) fn wait_for_api(&self) {
        let longest = Duration::from_secs((SECONDS * self.patience()).into());
        let answers = || self.try_kubectl(&["get", "--raw", "/readyz", "--request-timeout=10s"]).code == 0;
        assert!(until(longest, answers), "the API server does not answer within {} s", longest.as_secs());
    }

    /// Waits on what `kubectl wait` watches.
    #[track_caller]
    pub(crate) fn wait(&self, arguments: &[&str]) {
        let deadline = format!("--timeout={}s", SECONDS * self.patience());
        self.kubectl(&[&["wait", deadline.as_str()], arguments].concat());
    }

    /// All hosts are nodes, all nodes are ready, and so are the cluster's own pods.
    #[track_caller]
    pub(crate) fn assert_ready(&self) {
        let nodes =
            self.kubectl(&["get", "nodes", "--no-headers", "--output", "custom-columns=:.metadata.name"]);
        let mut hosts = self.host_names();
        hosts.sort();
        let mut nodes = lines_of(&nodes);
        nodes.sort();
        assert_eq!(nodes, hosts);
        self.wait(&["--for=condition=Ready", "nodes", "--all"]);
        self.wait(&["--namespace=kube-flannel", "--for=condition=Ready", "pods", "--all"]);
        self.wait(&[
            "--namespace=kube-system",
            "--for=condition=Ready",
            "pods",
            "--selector=k8s-app=kube-proxy",
        ]);
        self.wait(&["--namespace=kube-system", "--for=condition=Available", "deployment/coredns"]);
    }

    /// Pods on the first two workers reach each other by every way there is.
    #[track_caller]
    pub(crate) fn assert_traffic(&self) {
        let traffic = self.lab_command(&["traffic"], &[]);
        assert_eq!(traffic.code, 0, "{}\n{}", traffic.story(), traffic.stdout);
        assert_eq!(lines_of(&traffic.stdout).len(), 10, "five ways, two directions: {}", traffic.stdout);
    }
}
