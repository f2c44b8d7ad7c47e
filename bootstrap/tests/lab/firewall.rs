//! The edge host and the tiers: closed to foreign addresses, open to home, repaired, taken back where it would lock out, given back.

use std::time::{Duration, Instant};

use crate::harness::{
    From, Phases, Shape, States, TestLab, Watch, address, answers, assert_same, serve, until,
};

/// An address of nobody at home, as the internet has them.
const FOREIGN: &str = "203.0.113.9";
/// A table of somebody else on the edge host.
pub(crate) const SOMEBODY: &str = "table inet somebody {\n  chain input { type filter hook input priority 5; policy accept; tcp dport 23 drop; }\n}\n";
const TABLE: [&str; 6] = ["nft", "--stateless", "list", "table", "inet", "garboard_edge"];
/// Longest the host may be open after somebody emptied its tables.
const REPAIRED: Duration = Duration::from_secs(10);
/// Longest a change that locks out may last: what the product promises.
const TAKEN_BACK: Duration = Duration::from_mins(1);

#[test]
fn an_edge_host_from_the_first_up_to_reset() {
    let mut phases = Phases::of("an_edge_host_from_the_first_up_to_reset");
    let lab = phases.must("two bare hosts", || TestLab::up("t-edge", Shape::workers(1)));
    phases.must("a table of somebody else", || {
        lab.host("w1").write("/root/somebody.nft", SOMEBODY);
        lab.host("w1").exec(&["nft", "--file", "/root/somebody.nft"]);
    });
    phases.must("a foreign address in the lab's network", || {
        in_network(&lab, &["ip", "address", "add", &foreign(), "dev", "lo"]);
    });
    let bare = phases.must("the state before the first up", || lab.states());
    let worker = lab.edited("role: worker, ", "role: worker, edge: true, ");
    let edge = lab.edited("\nhosts:", "\nedge: { firewall: { public_tcp: [8443] } }\nhosts:");
    phases.must("up", || lab.converge());
    phases.check("the_edge_node_is_ready_labelled_and_tainted", || the_node(&lab));
    phases.check("a_second_up_changes_nothing", || {
        let watch = Watch::begin(&lab, &lab.host_names());
        lab.converged();
        watch.end().assert_no_write_of_ours("w1");
    });
    phases.must("a service with a node port", || serve(&lab, 30080));
    phases.check("a_foreign_address_finds_all_closed_and_home_finds_it_open", || closed_and_open(&lab));
    phases.check("the_edge_host_reaches_no_sshd_and_no_kubelet_of_others", || the_other_side(&lab));
    phases.check("sshd_of_the_edge_host_itself_refuses_foreign_addresses", || sshd_itself(&lab));
    phases.check("a_taken_edge_host_holds_no_key_of_the_cluster", || no_keys(&lab));
    phases.check("keys_of_the_control_plane_are_for_root_alone", || modes(&lab));
    phases.check("strangers_are_told_nothing_by_api_kubelet_and_etcd", || strangers(&lab));
    phases.check("a_flush_is_repaired", || a_flush_is_repaired(&lab));
    phases.check("rules_that_lock_the_laptop_out_are_taken_back", || locked_out(&lab));
    phases.check("a_reboot_before_the_confirmation_comes_back_without_them", || a_reboot_in_between(&lab));
    phases.check("after a boot it is protected, and up finds nothing to do", || {
        lab.lab_command(&["reboot"], &["w1"]).expect(0);
        assert!(until(REPAIRED, || is_loaded(&lab)), "the boot loads no table");
        lab.converge();
        closed_and_open(&lab);
        lab.converged();
        // Somebody loads theirs at each boot.
        lab.host("w1").exec(&["nft", "--file", "/root/somebody.nft"]);
    });
    drop((edge, worker));
    phases.check("a_host_that_is_no_edge_host_any_more_is_a_worker_like_others", || no_edge_any_more(&lab));
    phases.check("reset gives the hosts back, and the table of somebody stays", || given_back(&lab, &bare));
    in_network(&lab, &["ip", "address", "delete", &foreign(), "dev", "lo"]);
    phases.must("lab down", || drop(lab));
    phases.finish();
}

fn foreign() -> String {
    format!("{FOREIGN}/32")
}

#[track_caller]
fn in_network(lab: &TestLab, words: &[&str]) {
    lab.lab_command(&["run"], &[&["--"], words].concat()).expect(0);
}

fn is_loaded(lab: &TestLab) -> bool {
    lab.host("w1").exec(&["nft", "list", "tables"]).contains("inet garboard_edge")
}

fn the_node(lab: &TestLab) {
    lab.assert_ready();
    let taints = lab.kubectl(&["get", "node", "w1", "-o", "jsonpath={.spec.taints}"]);
    assert!(taints.contains(r#""key":"garboard/edge""#) && taints.contains("NoSchedule"), "{taints}");
    let labels = lab.kubectl(&["get", "node", "w1", "-o", "jsonpath={.metadata.labels}"]);
    for label in ["zone\":\"public", "edge\":\"true"] {
        assert!(labels.contains(&format!("garboard.node-restriction.kubernetes.io/{label}\"")), "{labels}");
    }
}

fn closed_and_open(lab: &TestLab) {
    let (edge, leader) = (address(lab, "w1"), address(lab, "cp1"));
    assert!(
        until(REPAIRED * 4, || answers(lab, From::Laptop, &edge, 30080)),
        "the node port is closed to home"
    );
    for port in [22, 10250] {
        assert!(answers(lab, From::Laptop, &edge, port), "{port} is closed to home");
    }
    for port in [22, 10250, 10256, 30080] {
        assert!(!answers(lab, From::Address(FOREIGN), &edge, port), "{port} is open to a foreign address");
    }
    // The same address finds the control plane open: it is the filter that closes, not the way.
    assert!(
        answers(lab, From::Address(FOREIGN), &leader, 6443),
        "the foreign address reaches nothing at all"
    );
}

fn the_other_side(lab: &TestLab) {
    let leader = address(lab, "cp1");
    let reaches = |port: u16| {
        let probe = format!("exec 3<>/dev/tcp/{leader}/{port} && echo open || echo closed");
        lab.host("w1").exec(&[
            "timeout",
            "--kill-after=1",
            "5",
            "bash",
            "-c",
            &format!("({probe}) 2>/dev/null; true"),
        ])
    };
    assert!(reaches(6443).contains("open"), "the edge host does not reach the API");
    for port in [22, 10250, 2379, 30080] {
        assert!(!reaches(port).contains("open"), "the edge host reaches {port} of the control plane");
    }
}

fn sshd_itself(lab: &TestLab) {
    let says = |from: &str| {
        let connection = format!("user=root,host=somewhere,addr={from},laddr=192.0.2.2,lport=22");
        lab.host("w1").exec(&["/usr/sbin/sshd", "-T", "-C", &connection])
    };
    assert!(says(FOREIGN).contains("\ndenyusers *\n"), "sshd lets a foreign address in");
    let home = says(&address(lab, "cp1"));
    assert!(!home.contains("\ndenyusers") && home.contains("\npasswordauthentication no\n"), "{home}");
}

/// Secrets of the control plane: a line of each that is nowhere else.
const SECRETS: [&str; 5] = [
    "/etc/kubernetes/pki/ca.key",
    "/etc/kubernetes/pki/sa.key",
    "/etc/kubernetes/pki/etcd/ca.key",
    "/etc/kubernetes/pki/front-proxy-ca.key",
    "/etc/kubernetes/admin.conf",
];
/// Where a host keeps anything.
const PLACES: &str = "/etc /home /opt /root /run /srv /tmp /usr/local /var";

fn no_keys(lab: &TestLab) {
    let mut needles: Vec<String> = Vec::new();
    for path in SECRETS {
        let text = lab.host("cp1").exec(&["cat", path]);
        // Of a key the line behind the first; of the kubeconfig the client's key.
        let line = text.lines().find_map(|line| line.trim().strip_prefix("client-key-data: "));
        let line = line.unwrap_or_else(|| text.lines().nth(1).unwrap());
        needles.push(line.trim().to_owned());
    }
    lab.host("w1").write("/root/needles", &(needles.join("\n") + "\n"));
    let search = format!(
        "grep --recursive --binary-files=text --files-with-matches --fixed-strings --file=/root/needles {PLACES} 2>/dev/null || true"
    );
    let found = lab.host("w1").exec(&["sh", "-c", &search]);
    // The list itself shows that the search finds.
    assert_eq!(found.trim(), "/root/needles", "secrets of the control plane are on the edge host");
    lab.host("w1").exec(&["rm", "/root/needles"]);
    let gone = "ls -d /var/lib/etcd/member /etc/kubernetes/admin.conf /etc/kubernetes/super-admin.conf 2>/dev/null || true";
    assert_eq!(lab.host("w1").exec(&["sh", "-c", gone]), "");
    let keys = "grep --recursive --files-with-matches 'PRIVATE KEY' /root /home /etc/ssh 2>/dev/null || true";
    let keys = lab.host("w1").exec(&["sh", "-c", keys]);
    let others: Vec<&str> = keys.lines().filter(|path| !path.starts_with("/etc/ssh/ssh_host_")).collect();
    assert!(others.is_empty(), "keys that may open other hosts: {others:?}");
}

/// What kubeadm writes is the control plane's own business; that nobody else reads it is checked all the same.
fn modes(lab: &TestLab) {
    let find = |more: &[&str]| {
        let keys = ["find", "/etc/kubernetes", "/var/lib/kubelet/pki", "-type", "f"];
        let named = ["(", "-name", "*.key", "-o", "-name", "*.conf", "-o", "-name", "kubelet-client-*", ")"];
        lab.host("cp1").exec(&[&keys[..], &named, more].concat())
    };
    assert!(find(&[]).lines().count() > 8, "the search finds too little: {}", find(&[]));
    assert_eq!(find(&["-perm", "/077"]), "", "others may read these");
    assert_eq!(lab.host("cp1").exec(&["stat", "--format=%a", "/var/lib/etcd"]).trim(), "700");
}

/// The answer of an HTTPS server to somebody without a certificate; `000`: none at all.
fn status_of(lab: &TestLab, url: &str) -> String {
    let words = ["--", "curl", "--insecure", "--silent", "--max-time", "10", "--output", "/dev/null"];
    let said =
        lab.lab_command(&["run"], &[&words[..], &["--write-out", "%{http_code}", url]].concat()).stdout;
    said.trim().to_owned()
}

fn strangers(lab: &TestLab) {
    let (leader, edge) = (address(lab, "cp1"), address(lab, "w1"));
    for (url, expected) in [
        // What kubeadm leaves open to everybody.
        (format!("https://{leader}:6443/version"), "200"),
        (format!("https://{leader}:6443/api/v1/namespaces/kube-system/secrets"), "403"),
        (format!("https://{leader}:10250/pods"), "401"),
        (format!("https://{edge}:10250/pods"), "401"),
        (format!("https://{leader}:2379/version"), "000"),
        (format!("http://{leader}:10255/pods"), "000"),
        (format!("http://{leader}:10249/metrics"), "000"),
    ] {
        assert_eq!(status_of(lab, &url), expected, "{url}");
    }
}

fn no_edge_any_more(lab: &TestLab) {
    let plan = lab.garboard(&["plan"]).expect(4).stdout;
    for words in ["what `firewall` made", "taint garboard/edge"] {
        assert!(plan.contains(words), "`{words}` is not in {plan}");
    }
    lab.converge();
    let tables = lab.host("w1").exec(&["nft", "list", "tables"]);
    assert!(!tables.contains("garboard") && tables.contains("inet somebody"), "{tables}");
    let left =
        lab.host("w1").exec(&["sh", "-c", "ls -d /etc/garboard /etc/ssh/sshd_config.d/*garboard* || true"]);
    assert_eq!(left, "");
    let node = lab.kubectl(&["get", "node", "w1", "-o", "jsonpath={.spec.taints}{.metadata.labels}"]);
    assert!(!node.contains("garboard"), "{node}");
    let edge = address(lab, "w1");
    assert!(until(REPAIRED * 4, || answers(lab, From::Address(FOREIGN), &edge, 22)), "it filters as before");
    lab.converged();
}

fn a_flush_is_repaired(lab: &TestLab) {
    for flush in [["nft", "flush", "ruleset"].as_slice(), &["systemctl", "restart", "nftables.service"]] {
        let begun = Instant::now();
        lab.host("w1").exec(flush);
        assert!(until(REPAIRED, || is_loaded(lab)), "after `{}` the table stays away", flush.join(" "));
        println!(
            "   after `{}` it was there again within {:.1} s",
            flush.join(" "),
            begun.elapsed().as_secs_f64()
        );
    }
    let edge = address(lab, "w1");
    assert!(!answers(lab, From::Address(FOREIGN), &edge, 22), "it is there, and closes nothing");
    assert!(
        until(REPAIRED * 6, || answers(lab, From::Laptop, &edge, 30080)),
        "kube-proxy does not repair itself"
    );
    // What was flushed was not ours alone.
    lab.host("w1").exec(&["systemctl", "disable", "--now", "nftables.service"]);
    lab.host("w1").exec(&["nft", "--file", "/root/somebody.nft"]);
}

/// A network in which the laptop is not.
const ELSEWHERE: [&str; 2] = ["public_tcp: [8443]", "public_tcp: [8443], lan: [192.0.2.0/24]"];

fn locked_out(lab: &TestLab) {
    let before = lab.host("w1").exec(&TABLE);
    let edited = lab.edited(ELSEWHERE[0], ELSEWHERE[1]);
    let begun = Instant::now();
    lab.garboard(&["up"]).expect(1).says(&[
        "w1",
        "nobody logged in over a new connection",
        "edge.firewall.lan",
    ]);
    println!("   it was taken back, and said, after {:.0} s", begun.elapsed().as_secs_f64());
    drop(edited);
    assert_eq!(lab.host("w1").exec(&TABLE), before, "the rules are not what they were");
    lab.converged();
}

fn a_reboot_in_between(lab: &TestLab) {
    let before = lab.host("w1").exec(&TABLE);
    let edited = lab.edited(ELSEWHERE[0], ELSEWHERE[1]);
    lab.follow(&["up"], |event, running| {
        let text = event["text"].as_str().unwrap_or_default();
        if event["event"] == "step_progress" && text.contains("makes it permanent") {
            running.kill();
        }
    });
    lab.lab_command(&["reboot"], &["w1"]).expect(0);
    drop(edited);
    assert!(until(TAKEN_BACK, || is_loaded(lab)), "the boot loads no table");
    assert_eq!(lab.host("w1").exec(&TABLE), before, "rules that nobody confirmed were loaded at boot");
    lab.converge();
}

fn given_back(lab: &TestLab, bare: &States) {
    let shown = |lab: &TestLab| lab.host("w1").exec(&["nft", "list", "table", "inet", "somebody"]);
    let before = shown(lab);
    lab.reset(&[]);
    assert_eq!(shown(lab), before);
    assert_same(bare, &lab.states());
    lab.garboard(&["reset", "--verify"]).expect(0);
}
