//! A second `up` changes nothing, as an observer on the hosts sees it.

use std::collections::{BTreeMap, BTreeSet};

use crate::harness::{TestLab, Watch, lines_of};

/// Programs a second run may execute beside those of a bare login: they read. The agent itself is allowed by its name.
const PROBES: [&str; 9] = [
    // The login script, and what it looks with.
    "/usr/bin/dash",
    "/usr/bin/id",
    "/usr/bin/uname",
    "/usr/bin/sha256sum",
    // Starts the agent's executor.
    "/usr/bin/systemd-run",
    // Asks for the state of units; that it changed none, their start times show.
    "/usr/bin/systemctl",
    // Lists images.
    "/usr/local/bin/ctr",
    // Whether the kernel has a feature is tried in a network namespace that ends with the trial.
    "/usr/bin/unshare",
    "/usr/sbin/nft",
];

/// Exit 0 and no changes by its own words; no write, no other program, nothing restarted by what is seen from outside.
pub(crate) fn second_up_changes_nothing(lab: &TestLab) {
    let hosts = lab.host_names();
    let before: BTreeMap<&str, Running> =
        hosts.iter().map(|host| (host.as_str(), running(lab, host))).collect();
    let watch = Watch::begin(lab, &hosts);
    let up = lab.converged();
    let observed = watch.end();
    println!("   the second up took {:.1} s, watched", up.time.as_secs_f64());
    for host in &hosts {
        observed.assert_no_write_of_ours(host);
        let programs = observed.programs_of_ours(host);
        let others: Vec<&String> = programs.iter().filter(|program| !is_probe(program)).collect();
        assert!(others.is_empty(), "executed on {host}: {others:?}");
        assert!(
            programs.iter().any(|program| is_agent(program)),
            "no agent was seen on {host}: {programs:?}"
        );
        assert_eq!(running(lab, host), before[host.as_str()], "restarted on {host}");
    }
}

fn is_probe(program: &str) -> bool {
    PROBES.contains(&program) || is_agent(program)
}

fn is_agent(program: &str) -> bool {
    program.starts_with("/var/lib/garboard/agent-")
}

/// Containers by id, and since when the units run.
#[derive(Debug, PartialEq, Eq)]
struct Running {
    containers: BTreeSet<String>,
    units: String,
}

fn running(lab: &TestLab, host: &str) -> Running {
    let host = lab.host(host);
    let containers: BTreeSet<String> =
        lines_of(&host.exec(&["crictl", "ps", "--quiet", "--no-trunc"])).into_iter().collect();
    assert!(!containers.is_empty());
    let units = [
        "systemctl",
        "show",
        "--property=Id,InvocationID,ExecMainStartTimestampMonotonic,NRestarts",
        "kubelet",
        "containerd",
        // Those of an edge host; of others nothing is told.
        "garboard-firewall-watch",
        "garboard-ddns",
        "garboard-openvpn",
    ];
    Running { containers, units: host.exec(&units) }
}
