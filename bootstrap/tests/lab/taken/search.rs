//! What is on a host's disk, in its memory's file systems and in its processes, that opens others.

use std::collections::BTreeMap;
use std::process::Command;

use crate::harness::{TestLab, address};

const SCRIPT: &str = include_str!("search.sh");

/// What the search finds.
#[derive(Debug, Default)]
struct Finds {
    /// Private keys: where, the digest of the public half, and that half as SSH writes it.
    keys: Vec<[String; 3]>,
    /// Files with what makes an administrator, and the data of etcd.
    others: Vec<String>,
}

/// Of one host, by a script with root there.
#[track_caller]
fn search(lab: &TestLab) -> Finds {
    let host = lab.host("edge1");
    host.write("/root/search.sh", SCRIPT);
    let said = host.exec(&["bash", "/root/search.sh"]);
    host.exec(&["rm", "/root/search.sh"]);
    let mut finds = Finds::default();
    for line in said.lines() {
        match line.split('\t').collect::<Vec<_>>()[..] {
            ["key", place, digest, public] => finds.keys.push([place, digest, public].map(str::to_owned)),
            ["administrator" | "etcd", place, ..] => finds.others.push(place.to_owned()),
            ["files", count] => assert!(count.parse::<u32>().is_ok_and(|count| count > 1000), "{said}"),
            ["done"] => {}
            _ => panic!("`{line}` in {said}"),
        }
    }
    assert!(said.ends_with("done\n"), "it came to no end: {said}");
    // A search that finds not even what is there finds nothing.
    for own in ["/etc/ssh/ssh_host_ed25519_key", "/var/lib/kubelet/pki/", "/etc/openvpn/garboard/server.key"]
    {
        assert!(
            finds.keys.iter().any(|[place, ..]| place.starts_with(own)),
            "{own} was not found: {finds:?}"
        );
    }
    finds
}

/// Keys that must not be there: by their public halves, as digest or as SSH writes them, with what they are.
fn forbidden(lab: &TestLab) -> BTreeMap<String, String> {
    let mut forbidden = BTreeMap::new();
    let leader = lab.host("cp1");
    for path in leader.exec(&["find", "/etc/kubernetes/pki", "-name", "*.key"]).lines() {
        forbidden.insert(digest(&leader.path(path)), path.to_owned());
    }
    assert!(forbidden.len() > 6, "{forbidden:?}");
    forbidden
        .insert(digest(&lab.cluster_state().join("vpn/ca.key")), "the key of the VPN's authority".into());
    let laptops = fs_err::read_to_string(lab.lab_folder().join("identity.pub")).unwrap();
    forbidden.insert(two_words(&laptops), "the laptop's key".into());
    for host in ["cp1", "w1"] {
        let find = ["find", "/root", "/home", "-name", "authorized_keys", "-exec", "cat", "{}", "+"];
        for line in lab.host(host).exec(&find).lines().filter(|line| !line.trim().is_empty()) {
            forbidden.entry(two_words(line)).or_insert_with(|| format!("a key that opens {host}"));
        }
        let own = ["sh", "-c", "cat /etc/ssh/ssh_host_*_key.pub"];
        for line in lab.host(host).exec(&own).lines() {
            forbidden.insert(two_words(line), format!("the host key of {host}"));
        }
    }
    forbidden
}

fn two_words(line: &str) -> String {
    line.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
}

/// Of a key's public half, by this machine's own OpenSSL.
#[track_caller]
fn digest(key: &std::path::Path) -> String {
    let mut openssl = Command::new("bash");
    openssl.args(["-c", r#"openssl pkey -in "$0" -pubout -outform DER | sha256sum | cut -c1-64"#]).arg(key);
    let digest = String::from_utf8(openssl.output().unwrap().stdout).unwrap().trim().to_owned();
    // That of nothing.
    assert!(digest.len() == 64 && !digest.starts_with("e3b0c44298fc1c14"), "{} is no key", key.display());
    digest
}

/// What of the finds opens others.
fn opens_others(finds: &Finds, forbidden: &BTreeMap<String, String>) -> Vec<String> {
    let keys = finds.keys.iter().flat_map(|[place, digest, public]| {
        [digest, public]
            .into_iter()
            .filter_map(move |half| Some(format!("{place}: {}", forbidden.get(half)?)))
    });
    keys.chain(finds.others.iter().cloned()).collect()
}

/// Files of this machine's view of the host in which one of these texts stands, as it is.
fn files_with(lab: &TestLab, texts: &[String]) -> Vec<String> {
    let patterns = lab.folder().join("patterns");
    fs_err::write(&patterns, texts.join("\n")).unwrap();
    let mut grep = Command::new("grep");
    grep.args([
        "--recursive",
        "--files-with-matches",
        "--text",
        "--fixed-strings",
        "--devices=skip",
        "--no-messages",
    ]);
    grep.arg("--file").arg(&patterns);
    let folders = ["dev/shm", "etc", "home", "opt", "root", "run", "srv", "tmp", "usr", "var"];
    grep.args(folders.map(|folder| lab.host("edge1").path(folder)));
    let found = String::from_utf8_lossy(&grep.output().unwrap().stdout).lines().map(str::to_owned).collect();
    fs_err::remove_file(&patterns).unwrap();
    found
}

/// The second lines of the control plane's keys, each of which is like no other's.
fn bytes_of_keys(lab: &TestLab) -> Vec<String> {
    let leader = lab.host("cp1");
    let paths = leader.exec(&["find", "/etc/kubernetes/pki", "-name", "*.key"]);
    let second =
        |path: &str| fs_err::read_to_string(leader.path(path)).unwrap().lines().nth(1).unwrap().to_owned();
    paths.lines().map(second).collect()
}

pub(super) fn finds_nothing_that_opens_others(lab: &TestLab) {
    let finds = search(lab);
    println!("   {} private keys were found, all its own", finds.keys.len());
    assert_eq!(opens_others(&finds, &forbidden(lab)), [""; 0]);
    assert_eq!(files_with(lab, &bytes_of_keys(lab)), [""; 0]);
}

/// Each kind of thing, each in another kind of place: that none is found later says something then.
pub(super) fn finds_what_is_planted(lab: &TestLab) {
    let (edge, leader) = (lab.host("edge1"), lab.host("cp1"));
    let read = |path: &str| fs_err::read_to_string(leader.path(path)).unwrap();
    edge.write("/dev/shm/memory", &read("/etc/kubernetes/pki/ca.key"));
    edge.write("/var/lib/containerd/forgotten/config", &read("/etc/kubernetes/admin.conf"));
    edge.write("/etc/forgotten.json", &format!("{:?}", read("/etc/kubernetes/pki/etcd/ca.key")));
    edge.write("/opt/vpn", &fs_err::read_to_string(lab.cluster_state().join("vpn/ca.key")).unwrap());
    let identity = fs_err::read_to_string(lab.lab_folder().join("identity")).unwrap();
    let environment = format!("--setenv=KEY={identity}");
    edge.exec(&["systemd-run", "--quiet", "--unit=holds", &environment, "sleep", "600"]);
    fs_err::create_dir_all(edge.path("/srv/backup")).unwrap();
    fs_err::copy(leader.path("/var/lib/etcd/member/snap/db"), edge.path("/srv/backup/db")).unwrap();
    let found = opens_others(&search(lab), &forbidden(lab));
    let bytes = files_with(lab, &bytes_of_keys(lab));
    edge.exec(&["systemctl", "stop", "holds"]);
    let planted = [
        "/dev/shm/memory",
        "/var/lib/containerd/forgotten",
        "/etc/forgotten.json",
        "/opt/vpn",
        "/srv/backup",
    ];
    edge.exec(&[&["rm", "-r"][..], &planted[..]].concat());
    for place in planted {
        assert!(found.iter().any(|line| line.starts_with(place)), "{place} was not found: {found:#?}");
    }
    let of_a_process = |line: &String| line.starts_with("/proc/") && line.contains("the laptop's key");
    assert!(found.iter().any(of_a_process), "{found:#?}");
    assert!(bytes.iter().any(|path| path.ends_with("/dev/shm/memory")), "{bytes:?}");
}

/// What is left is the node's own way to the API: it may not do everything there.
pub(super) fn its_credential_is_a_nodes(lab: &TestLab) {
    let host = lab.host("edge1");
    let text = fs_err::read_to_string(host.path("/etc/kubernetes/kubelet.conf")).unwrap();
    // The certificate lies where only the host finds it.
    let copy = lab.folder().join("node.conf");
    let pem = host.path("/var/lib/kubelet/pki/kubelet-client-current.pem");
    // A link with a path of the host's own.
    let target = fs_err::read_link(&pem).map_or(pem.clone(), |target| host.path(&target.to_string_lossy()));
    let here = lab.folder().join("node.pem");
    fs_err::copy(target, &here).unwrap();
    fs_err::write(
        &copy,
        text.replace("/var/lib/kubelet/pki/kubelet-client-current.pem", here.to_str().unwrap()),
    )
    .unwrap();
    let server = format!("https://{}:6443", address(lab, "cp1"));
    let may = |words: &[&str]| {
        let kubectl = ["--kubeconfig", copy.to_str().unwrap(), "--server", &server, "auth", "can-i"];
        lab.try_kubectl(&[&kubectl[..], words].concat()).stdout.trim().to_owned()
    };
    assert_eq!(may(&["get", "node/edge1"]), "yes", "the credential does not work, which proves nothing");
    for words in [["*", "*"], ["list", "secrets"], ["create", "clusterrolebindings"]] {
        let said = may(&[&words[..], &["--all-namespaces"]].concat());
        assert!(said == "no" || said.starts_with("no -"), "{words:?}: {said}");
    }
}
