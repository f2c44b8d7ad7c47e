//! Hosts as people have them: what their administrators have set, and what they lack. Nothing of it leads the product
//! astray, and what cannot work says so.

use crate::harness::{Finished, Phases, Shape, States, TestLab, assert_same, processes, run};

/// Where nobody listens: whoever asks there fails.
const PROXY: &str = "http://127.0.0.1:9";
/// What is odd about a host: its name, the script that makes it so, and the one that undoes it. `$PROXY` is a proxy.
const ODDITIES: [(&str, &str, &str); 8] = [
    (
        "nothing can be executed in folders that anybody may write to",
        "for folder in /tmp /var/tmp /dev/shm; do mount -t tmpfs -o noexec tmpfs $folder; done
         mount -o remount,noexec /run",
        "umount /tmp /var/tmp /dev/shm; mount -o remount,exec /run",
    ),
    (
        "a proxy in the environment of every login",
        r#"for name in http_proxy https_proxy HTTP_PROXY HTTPS_PROXY all_proxy ALL_PROXY; do
             echo "$name=$PROXY" >>/etc/environment
             echo "export $name=$PROXY" >>/etc/profile.d/proxy.sh
             set="$set $name=$PROXY"
         done
         echo "SetEnv$set" >/etc/ssh/sshd_config.d/proxy.conf; systemctl reload ssh"#,
        ": >/etc/environment; rm /etc/profile.d/proxy.sh /etc/ssh/sshd_config.d/proxy.conf; systemctl reload ssh",
    ),
    (
        "another locale",
        "echo 'LC_ALL=tr_TR.UTF-8\nLANG=de_DE.UTF-8\nLANGUAGE=de' >/etc/default/locale
         echo 'SetEnv LC_ALL=tr_TR.UTF-8 LANG=de_DE.UTF-8 LANGUAGE=de' >/etc/ssh/sshd_config.d/locale.conf
         systemctl reload ssh",
        "rm /etc/default/locale /etc/ssh/sshd_config.d/locale.conf; systemctl reload ssh",
    ),
    // Before the next one: of two login shells the later one stays.
    ("another login shell", "usermod --shell /bin/dash root; usermod --shell /bin/dash pi", "usermod --shell /bin/bash root"),
    (
        "a shell that talks before it works",
        r#"for home in /root /home/pi; do
             cp $home/.bashrc $home/.bashrc.before
             printf '%s\n' 'set -e' 'alias id=false sh=false' 'cd /' 'echo "Welcome to $HOSTNAME"' \
               'printf "no end of line"' 'echo "a warning" >&2' >$home/.bashrc
         done; usermod --shell /bin/bash root; usermod --shell /bin/bash pi"#,
        "for home in /root /home/pi; do mv $home/.bashrc.before $home/.bashrc; done",
    ),
    (
        "a login whose files nobody else may read",
        "sed -i 's/^UMASK.*/UMASK 077/' /etc/login.defs; echo 'session optional pam_umask.so umask=077' >>/etc/pam.d/sshd
         echo 'umask 077' >>/etc/profile",
        "sed -i '$d' /etc/profile; sed -i '$d' /etc/pam.d/sshd; sed -i 's/^UMASK.*/UMASK 022/' /etc/login.defs",
    ),
    (
        "no sources of packages",
        "mv /etc/apt/sources.list /root/; rm -rf /var/lib/apt/lists/*",
        "mv /root/sources.list /etc/apt/",
    ),
    (
        "a strict sudo",
        "printf '%s\n' 'Defaults secure_path=\"/usr/bin:/bin\"' 'Defaults env_reset' 'Defaults use_pty' \
           'Defaults umask=0077' 'Defaults umask_override' 'Defaults lecture=always' 'Defaults log_output' 'Defaults:pi !log_output' >/etc/sudoers.d/strict",
        "rm /etc/sudoers.d/strict",
    ),
];

/// A user with a `sudo` that asks nothing, and what every oddity finds.
const USER: &str = "useradd --create-home --shell /bin/bash pi
    mkdir -m 700 /home/pi/.ssh; cp /root/.ssh/authorized_keys /home/pi/.ssh/; chown -R pi: /home/pi/.ssh
    echo 'pi ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/pi; touch /etc/environment
    for program in python3 curl wget; do ! command -v $program; done";

#[test]
fn hosts_as_people_have_them() {
    let mut phases = Phases::of("hosts_as_people_have_them");
    let lab = phases.must("two bare hosts", || TestLab::up("t-odd", Shape::workers(1)));
    phases.must("a user on each, and no python, curl or wget", || on_all(&lab, USER));
    for (name, make, undo) in ODDITIES {
        phases.check(name, || {
            on_all(&lab, make);
            for user in ["root", "pi"] {
                let login = lab.edited("user: root", &format!("user: {user}"));
                lab.garboard(&["check"]).expect(0);
                drop(login);
            }
            on_all(&lab, undo);
        });
    }
    phases.check("a_folder_that_executes_nothing_is_named", || a_folder_that_executes_nothing_is_named(&lab));
    phases.must("all of it at once", || {
        for (_, make, _) in ODDITIES {
            on_all(&lab, make);
        }
    });
    let bare = phases.must("the state of such hosts", || lab.states());
    let login = lab.edited("user: root", "user: pi");
    phases.must("a_cluster_comes_up_on_such_hosts", || a_cluster_comes_up_on_such_hosts(&lab));
    phases.check("no_proxy_has_come_into_the_cluster", || no_proxy_has_come_into_the_cluster(&lab));
    phases.check("reset_gives_such_hosts_back", || reset_gives_such_hosts_back(&lab, &bare));
    drop(login);
    phases.must("lab down", || drop(lab));
    phases.finish();
}

fn on_all(lab: &TestLab, script: &str) {
    for host in lab.host_names() {
        let script = format!("set -e; PROXY={PROXY}; {script}");
        lab.host(&host).exec(&["bash", "-c", &script]);
    }
}

fn a_folder_that_executes_nothing_is_named(lab: &TestLab) {
    let folder = "/var/lib/garboard";
    let host = lab.host("w1");
    host.exec(&["mkdir", "--parents", folder]);
    host.exec(&["mount", "-t", "tmpfs", "-o", "noexec", "tmpfs", folder]);
    let check = lab.garboard(&["check"]);
    host.exec(&["umount", folder]);
    host.exec(&["rmdir", folder]);
    check.expect(3).says(&["\"w1\"", folder, "noexec", "with `exec`"]);
}

/// The laptop has a proxy too, for what is on the internet; the cluster is not there.
fn up(lab: &TestLab) -> Finished {
    let mut command = lab.command();
    command.env("https_proxy", PROXY).env("HTTPS_PROXY", PROXY);
    command.env_remove("NO_PROXY").env_remove("no_proxy").env("LC_ALL", "tr_TR.UTF-8");
    command.arg("--inventory").arg(lab.lab().inventory()).args(["--output", "json", "--yes"]);
    command.args(["--upstream", lab.upstream().expect("artifacts can be had"), "up"]);
    run(command, |_, _| {})
}

fn a_cluster_comes_up_on_such_hosts(lab: &TestLab) {
    up(lab).expect(0);
    lab.assert_ready();
    assert_eq!(up(lab).expect(0).changes(), 0);
}

/// Neither in what kubeadm wrote, which takes proxies over from its environment, nor in what runs.
fn no_proxy_has_come_into_the_cluster(lab: &TestLab) {
    let manifests = lab.host("cp1").exec(&["sh", "-c", "cat /etc/kubernetes/manifests/*"]);
    assert!(manifests.contains("kube-apiserver") && !manifests.contains("127.0.0.1:9\""), "{manifests}");
    assert!(!manifests.to_ascii_lowercase().contains("_proxy"), "{manifests}");
    let objects =
        lab.kubectl(&["get", "--all-namespaces", "--output=yaml", "daemonsets,deployments,configmaps"]);
    assert!(!objects.contains(PROXY), "{objects}");
    let mut seen = 0;
    for host in lab.host_names() {
        let host = lab.host(&host);
        for process in processes().filter(|process| host.owns(process)) {
            let Ok(environment) = fs_err::read(process.join("environ")) else { continue };
            let environment = String::from_utf8_lossy(&environment);
            seen += usize::from(!environment.is_empty());
            let name = fs_err::read_to_string(process.join("comm")).unwrap_or_default();
            assert!(!environment.contains(PROXY), "`{}` has a proxy: {environment}", name.trim());
        }
    }
    assert!(seen > 20, "only {seen} processes were seen");
}

fn reset_gives_such_hosts_back(lab: &TestLab, bare: &States) {
    lab.reset(&[]);
    assert_same(bare, &lab.states());
    lab.garboard(&["reset", "--verify"]).expect(0);
}
