//! Pods, by CRI, so that CNI takes their addresses, links and port mappings back.

use std::path::Path;
use std::time::Duration;

use crate::system::{Command, System};

const SOCKET: &str = "/run/containerd/containerd.sock";

/// Stops and removes all pods, all at once. What cannot be removed this way (a dead runtime, a broken CNI plugin) is left to
/// the steps of reset after it, which need no answer from anyone. Gives how many are left, `None` when nobody answers.
pub(crate) fn remove(system: &dyn System) -> Option<usize> {
    if !matches!(system.metadata(Path::new(SOCKET)), Ok(Some(_))) {
        return None;
    }
    let crictl = |arguments: &[&str]| {
        let endpoint = format!("unix://{SOCKET}");
        let base = ["--runtime-endpoint", &endpoint, "--timeout", "10s"];
        Command::new("crictl", base.iter().chain(arguments).copied()).timeout(Duration::from_secs(20)).whole()
    };
    let count = || Some(system.ask(&crictl(&["pods", "--quiet"])).ok()?.stdout.split_whitespace().count());
    if count()? == 0 {
        return Some(0);
    }
    // Without grace: containerd kills what is in a sandbox that is stopped by force.
    if system.run(&crictl(&["rmp", "--force", "--all"])).is_ok() {
        return count();
    }
    // A pod that was being made while they were listed; once more, then by hand.
    let _ = system.run(&crictl(&["rmp", "--force", "--all"]));
    count()
}
