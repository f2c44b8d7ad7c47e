//! The programs of a host in memory: enough of systemd, nftables, containerd and kubeadm that steps and reset can work with them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use garboard_agent::system::fake::Fake;
use garboard_agent::system::{Command, CommandError, Look, Output};

use crate::modules;
use crate::sshd_program::{self, Sshd};

/// What lives in the memory of the machine's programs.
#[derive(Default)]
pub(crate) struct World {
    /// Active units and when they were started.
    pub(crate) active: BTreeMap<String, i128>,
    /// Tables of nftables.
    pub(crate) tables: BTreeSet<String>,
    /// What is loaded into those that `nft --file` made.
    pub(crate) rules: BTreeMap<String, String>,
    /// Timers of systemd: the commands that they run.
    pub(crate) timers: BTreeMap<String, Vec<Vec<String>>>,
    /// The sshd that runs.
    pub(crate) sshd: Sshd,
    /// Images of containerd: name, target digest.
    pub(crate) images: BTreeMap<String, String>,
    /// What kubeadm should do instead of its work: leave half of it and fail.
    pub(crate) kubeadm_breaks: bool,
    /// Swap that was turned off, as the lines of `/proc/swaps`.
    pub(crate) swapped_off: BTreeMap<String, String>,
    /// What `ip` tells of the links, by network namespace (a file that stands for it; none for the host's own): their kinds.
    pub(crate) links: BTreeMap<String, Vec<String>>,
    /// Tables in other network namespaces.
    pub(crate) tables_within: BTreeMap<String, String>,
    /// Modules that `rmmod` does not get out, though nobody uses them.
    pub(crate) stuck_modules: BTreeSet<String>,
    /// Joins refused because the cluster still has a Ready node of this name.
    pub(crate) stale_joins: u32,
}

/// What `kubeadm init` leaves on disk.
const CONTROL_PLANE: [&str; 9] = [
    "/etc/kubernetes/admin.conf",
    "/etc/kubernetes/super-admin.conf",
    "/etc/kubernetes/manifests/etcd.yaml",
    "/etc/kubernetes/manifests/kube-apiserver.yaml",
    "/etc/kubernetes/manifests/kube-controller-manager.yaml",
    "/etc/kubernetes/manifests/kube-scheduler.yaml",
    "/var/lib/etcd/member/snap/db",
    "/var/lib/kubelet/kubeadm-flags.env",
    "/var/lib/kubelet/pki/kubelet.crt",
];

/// What a command does and says; `None`: there is no such program.
pub(crate) fn run(fake: &Fake, world: &mut World, command: &Command) -> Option<Result<Output, CommandError>> {
    let arguments: Vec<&str> =
        command.arguments.iter().map(String::as_str).filter(|word| *word != "--").collect();
    let printed = |stdout: String| Some(Ok(Output { code: 0, stdout, stderr: String::new() }));
    let refused =
        |stderr: &str| Some(Ok(Output { code: 1, stdout: String::new(), stderr: stderr.to_owned() }));
    match (command.program.as_str(), arguments.as_slice()) {
        ("systemctl", ["show", .., name]) => printed(show(fake, world, name)),
        ("systemctl", ["list-units", .., pattern]) => {
            let (start, end) = pattern.split_once('*').expect("a pattern");
            let is_one =
                |name: &&String| name.starts_with(start) && name.contains(end.trim_end_matches("*.service"));
            let line = |name: &String| format!("{name} loaded active exited What it does\n");
            printed(world.active.keys().filter(is_one).map(line).collect())
        }
        ("systemctl", ["reload", "ssh.service"]) => {
            world.sshd.reads(fake);
            printed(String::new())
        }
        ("/usr/sbin/sshd" | "mount" | "umount", words) => {
            Some(Ok(sshd_program::run(fake, &mut world.sshd, &command.program, words)))
        }
        ("systemctl", [verb, rest @ ..]) => {
            for name in rest.iter().filter(|word| !word.starts_with("--")) {
                let wants = wants(fake, name);
                let is_now = rest.contains(&"--now");
                if let ("start", Some(path)) = (*verb, swap_of(fake, name)) {
                    swap_on(fake, world, &path);
                }
                if *name == "dphys-swapfile.service" {
                    match (*verb, is_now) {
                        ("start", _) => swap_on(fake, world, "/var/swap"),
                        ("disable", true) => swap_off(fake, world, "/var/swap"),
                        _ => {}
                    }
                }
                match *verb {
                    "start" | "restart" => {
                        world.active.insert((*name).to_owned(), fake.now());
                        if *name == "containerd.service" {
                            fake.put("/run/containerd/containerd.sock", b"", 0o600);
                        }
                    }
                    "stop" => {
                        world.active.remove(*name);
                        world.timers.remove(*name);
                    }
                    "enable" => {
                        fake.put_link(&wants, &file_of(fake, name).unwrap_or_default());
                        if is_now {
                            world.active.insert((*name).to_owned(), fake.now());
                        }
                    }
                    "disable" => {
                        fake.take(&wants);
                        if is_now {
                            world.active.remove(*name);
                        }
                    }
                    _ => {}
                }
            }
            printed(String::new())
        }
        ("rm" | "rmdir", paths) => {
            paths.iter().filter(|path| path.starts_with('/')).for_each(|path| fake.take(path));
            printed(String::new())
        }
        ("ip", ["link", "delete", "dev", name]) => {
            fake.take(&format!("/sys/class/net/{name}"));
            printed(String::new())
        }
        ("nft", ["list", "tables"]) => {
            printed(world.tables.iter().map(|table| format!("table {table}")).collect::<Vec<_>>().join("\n"))
        }
        ("nft", ["--file", "-"]) => {
            load(world, std::str::from_utf8(command.input.as_deref().unwrap()).unwrap());
            printed(String::new())
        }
        ("nft", ["--file", path]) => {
            load(world, &fake.content(path).expect("the file is there"));
            printed(String::new())
        }
        ("nft", ["--json", "--stateless", "list", "table", family, name]) => {
            let rules = &world.rules[&format!("{family} {name}")];
            let table = serde_json::json!({ "family": family, "name": name, "handle": world.rules.len() });
            printed(
                serde_json::json!({ "nftables": [{ "table": table }, { "rule": { "expr": rules } }] })
                    .to_string(),
            )
        }
        ("systemd-run", words) => {
            let of = |key: &str| words.iter().find_map(|word| word.strip_prefix(key));
            let is_setting = |word: &&&str| word.starts_with("--");
            let own = words.iter().skip_while(is_setting).map(|word| (*word).to_owned()).collect();
            let then = of("--property=ExecStartPost=");
            let then = then.map(|then| then.split(' ').map(str::to_owned).collect());
            let commands = [Some(own), then].into_iter().flatten().collect();
            world.timers.insert(format!("{}.timer", of("--unit=").unwrap()), commands);
            printed(String::new())
        }
        ("nft", ["delete", "table", family, name]) => {
            world.rules.remove(&format!("{family} {name}"));
            world.tables.remove(&format!("{family} {name}"));
            printed(String::new())
        }
        ("swapoff", [path]) => {
            swap_off(fake, world, path);
            printed(String::new())
        }
        ("swapon", [path]) => {
            swap_on(fake, world, path);
            printed(String::new())
        }
        ("ctr", [.., "images", "ls"]) => {
            let line = |(name, target): (&String, &String)| {
                format!("{name} type {target} 1.0 KiB linux/amd64 io.cri-containerd.pinned=pinned \n")
            };
            printed(format!(
                "REF TYPE DIGEST SIZE PLATFORMS LABELS \n{}",
                world.images.iter().map(line).collect::<String>()
            ))
        }
        ("ctr", words) if words.contains(&"import") => {
            import(world, command.input.as_deref().unwrap_or_default());
            printed(String::new())
        }
        ("kubeadm", [verb, ..]) => Some(kubeadm(fake, world, verb, command)),
        ("modprobe", ["--dry-run", .., "absent"]) => refused(""),
        ("rmmod", [name]) if world.stuck_modules.contains(*name) => {
            refused("rmmod: ERROR: Operation not permitted")
        }
        ("rmmod", [name]) => Some(Ok(modules::unload(fake, name))),
        ("modprobe", ["--resolve-alias", alias]) => match *alias {
            "rtnl-link-bond" => printed("bonding\n".to_owned()),
            alias => printed(format!("{}\n", alias.strip_prefix("rtnl-link-").unwrap())),
        },
        ("ip", ["-json", "-details", "link", "show"]) => printed(modules::links(world, "")),
        ("nsenter", [namespace, "ip", ..]) => {
            printed(modules::links(world, namespace.strip_prefix("--net=").unwrap()))
        }
        ("nsenter", [namespace, "nft", ..]) => {
            let tables = world.tables_within.get(namespace.strip_prefix("--net=").unwrap());
            printed(tables.map(|table| format!("table {table}\n")).unwrap_or_default())
        }
        ("modprobe", [.., name]) => {
            if !name.starts_with("--") && arguments.len() == 1 {
                let loaded = fake.content("/proc/modules").unwrap_or_default();
                fake.put("/proc/modules", format!("{loaded}{name} 1 0 - Live 0x0\n").as_bytes(), 0o644);
                if *name == "br_netfilter" {
                    fake.put("/proc/sys/net/bridge/bridge-nf-call-iptables", b"1\n", 0o644);
                }
            }
            printed(String::new())
        }
        ("sync" | "journalctl", _) | ("crictl", [.., "pods", "--quiet"]) | ("nft", ["--check", ..]) => {
            printed(String::new())
        }
        _ => None,
    }
}

/// A transaction: `table T`, `delete table T` or `flush table T`, and what is in it from now on; nothing: it is gone.
pub(crate) fn load(world: &mut World, script: &str) {
    let mut parts = script.splitn(3, '\n');
    let table = parts.next().unwrap().strip_prefix("table ").unwrap().to_owned();
    assert!(parts.next().unwrap().ends_with(&format!(" table {table}")), "{script}");
    let rules = parts.next().unwrap_or_default().trim();
    world.tables.remove(&table);
    world.rules.remove(&table);
    if !rules.is_empty() {
        world.tables.insert(table.clone());
        world.rules.insert(table, rules.to_owned());
    }
}

fn show(fake: &Fake, world: &World, name: &str) -> String {
    let is_enabled = fake.metadata(Path::new(&wants(fake, name))).unwrap().is_some();
    let file = file_of(fake, name);
    let enabled = match &file {
        None => "",
        Some(_) if is_enabled => "enabled",
        Some(file) if file.starts_with("/run/") => "generated",
        // A file of the OS that says nothing of how it is enabled.
        Some(file)
            if !file.starts_with("/etc/")
                && !fake.content(file).unwrap_or_default().contains("[Install]") =>
        {
            "static"
        }
        Some(_) => "disabled",
    };
    let active = world.active.get(name);
    let started = active.map(|time| {
        // systemd's own form, from nanoseconds; the fake's clock stays within one day.
        let seconds = time / 1_000_000_000;
        let (day, second) = (seconds / 86_400, seconds % 86_400);
        assert_eq!(day, 20_413, "the clock of the fake has moved");
        format!(
            "Fri 2025-11-21 {:02}:{:02}:{:02}.{:06} UTC",
            second / 3600,
            second / 60 % 60,
            second % 60,
            time % 1_000_000_000 / 1000
        )
    });
    format!(
        "UnitFileState={enabled}\nActiveState={}\nNeedDaemonReload=no\nExecMainStartTimestamp={}\n",
        if active.is_some() { "active" } else { "inactive" },
        started.unwrap_or_default()
    )
}

/// Reads what was streamed as containerd would: `index.json` names images, and all blobs have their digests.
fn import(world: &mut World, stream: &[u8]) {
    let mut top = serde_json::Value::Null;
    for entry in tar::Archive::new(stream).entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().to_string_lossy().into_owned();
        let mut content = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut content).unwrap();
        if name == "index.json" {
            top = serde_json::from_slice(&content).unwrap();
        } else if let Some(hex) = name.strip_prefix("blobs/sha256/") {
            assert_eq!(garboard_protocol::Digest::of(&content).hex(), hex);
        }
    }
    for manifest in top["manifests"].as_array().unwrap() {
        let name = manifest["annotations"]["io.containerd.image.name"].as_str().unwrap();
        world.images.insert(name.to_owned(), manifest["digest"].as_str().unwrap().to_owned());
    }
}

fn kubeadm(fake: &Fake, world: &mut World, verb: &str, command: &Command) -> Result<Output, CommandError> {
    let config = fake.content(&command.arguments[2]).expect("the configuration is there while kubeadm runs");
    let metadata = fake.metadata(Path::new(&command.arguments[2])).unwrap().unwrap();
    assert_eq!(metadata.mode & 0o777, 0o600);
    let put = |path: &str, content: &str| fake.put(path, content.as_bytes(), 0o600);
    put("/etc/kubernetes/pki/ca.crt", include_str!("../../src/steps/testdata/ca.crt"));
    let failed = |text: &str| {
        let stderr = text.to_owned();
        Ok(Output { code: 1, stdout: "[preflight] Running pre-flight checks\n".to_owned(), stderr })
    };
    if verb == "join" && world.stale_joins > 0 {
        world.stale_joins -= 1;
        put("/etc/kubernetes/bootstrap-kubelet.conf", &config);
        return failed(
            "error: error execution phase kubelet-start: a Node with name \"w1\" and status \"Ready\" already exists in the cluster.",
        );
    }
    if world.kubeadm_breaks {
        return failed("error: error execution phase certs: no space left on device");
    }
    if verb == "init" {
        for path in CONTROL_PLANE {
            put(path, "");
        }
    }
    put("/etc/kubernetes/kubelet.conf", include_str!("../../src/steps/testdata/kubelet.conf"));
    put("/var/lib/kubelet/config.yaml", "");
    put("/var/lib/kubelet/pki/kubelet-client-current.pem", "");
    world.active.insert("kubelet.service".to_owned(), fake.now());
    Ok(Output { code: 0, stdout: "[certs] done\n".to_owned(), stderr: String::new() })
}

const SWAPS: &str = "/proc/swaps";

fn swap_off(fake: &Fake, world: &mut World, path: &str) {
    let swaps = fake.content(SWAPS).unwrap_or_default();
    let (off, on): (Vec<_>, Vec<_>) =
        swaps.split_inclusive('\n').partition(|line| line.split_whitespace().next() == Some(path));
    world.swapped_off.extend(off.into_iter().map(|line| (path.to_owned(), line.to_owned())));
    fake.put(SWAPS, on.concat().as_bytes(), 0o644);
}

fn swap_on(fake: &Fake, world: &mut World, path: &str) {
    let swaps = fake.content(SWAPS).unwrap_or_default();
    let line = world.swapped_off.remove(path).unwrap_or_else(|| format!("{path} partition 1 0 -2\n"));
    fake.put(SWAPS, format!("{swaps}{line}").as_bytes(), 0o644);
}

/// The device of a `.swap` unit that a generator made; one that is masked does not start.
fn swap_of(fake: &Fake, unit: &str) -> Option<String> {
    let mask = fake.read_link(Path::new(&format!("/etc/systemd/system/{unit}")));
    assert!(mask.is_err(), "{unit} is masked");
    let text = fake.content(&format!("/run/systemd/generator/{unit}"))?;
    text.lines().find_map(|line| line.strip_prefix("What=")).map(str::to_owned)
}

/// Where systemd finds the file of a unit.
fn file_of(fake: &Fake, name: &str) -> Option<String> {
    ["/etc/systemd/system", "/run/systemd/generator", "/usr/lib/systemd/system", "/lib/systemd/system"]
        .iter()
        .map(|folder| format!("{folder}/{name}"))
        .find(|path| fake.metadata(Path::new(path)).unwrap().is_some())
}

/// The link that enabling a unit makes.
fn wants(fake: &Fake, name: &str) -> String {
    let text = file_of(fake, name).and_then(|file| fake.content(&file)).unwrap_or_default();
    let target = text.lines().find_map(|line| line.strip_prefix("WantedBy=")).unwrap_or("multi-user.target");
    format!("/etc/systemd/system/{target}.wants/{name}")
}
