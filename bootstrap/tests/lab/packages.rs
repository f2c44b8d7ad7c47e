//! Packages of the operating system by a playbook of one's own, on hosts of Debian and Ubuntu: installed from the host's own
//! sources beside whoever else is at work there, and given back.

use std::cell::Cell;

use serde_json::Value;

use crate::harness::{Finished, Phases, Shape, States, TestLab, Watch};

const NAME: &str = "greeting";
const ARCHIVE: &str = include_str!("packages/archive.sh");
/// What apt and dpkg keep for themselves of everything that was ever installed, and what they know of their sources.
const ACCOUNTS: [&str; 6] = [
    "tree /var/log/apt/",
    "tree /var/log/dpkg.log ",
    "tree /var/lib/dpkg/status-old ",
    "tree /var/lib/apt/lists/",
    // apt gives it to the user that it fetches as.
    "tree /var/cache/apt/archives/partial ",
    // Ubuntu notes, until the next boot, that something was unpacked.
    "tree /run/needrestart",
];

#[test]
fn packages_beside_those_of_others() {
    let mut phases = Phases::of("packages_beside_those_of_others");
    let lab = phases.must("a host of Debian 12, one of Ubuntu 24.04", || {
        let mut lab = TestLab::up("t-packages", Shape::workers(0).without_mirror());
        lab.grow_by(1, &["--os", "noble"]);
        lab
    });
    phases.must("an archive on each", || make_archives(&lab));
    let bare = phases.must("the state of bare hosts", || lab.states());
    let playbook = "  - package: { names: [greeter] }\n  - unit: { name: greeter.service, active: true }\n";
    write_playbook(&lab, playbook);
    let named = lab.edited("\nhosts:", &format!("\nplaybooks: [./{NAME}]\nhosts:"));
    phases.check("plan_names_the_package_and_writes_nothing", || {
        plan_names_the_package_and_writes_nothing(&lab, &bare);
    });
    phases.check("a_package_comes_with_what_it_needs", || a_package_comes_with_what_it_needs(&lab));
    phases.check("a_second_run_changes_nothing", || a_second_run_changes_nothing(&lab));
    phases.check("reset_removes_what_came_and_nothing_else", || {
        reset_removes_what_came_and_nothing_else(&lab, &bare);
    });
    phases.check("who_is_at_work_is_named_and_waited_for", || who_is_at_work_is_named_and_waited_for(&lab));
    phases.check("reset_waits_too", || reset_waits_too(&lab));
    phases.check("who_never_ends_is_named_and_left_alone", || who_never_ends_is_named_and_left_alone(&lab));
    phases.check("what_others_have_come_to_need_stays", || what_others_have_come_to_need_stays(&lab));
    phases.check("an_installation_that_somebody_broke_off_is_theirs", || {
        an_installation_that_somebody_broke_off_is_theirs(&lab);
    });
    phases.check("a_host_without_sources_says_what_to_do", || a_host_without_sources_says_what_to_do(&lab));
    drop(named);
    phases.must("lab down", || drop(lab));
    phases.finish();
}

fn make_archives(lab: &TestLab) {
    for host in lab.host_names() {
        let host = lab.host(&host);
        host.write("/root/archive.sh", ARCHIVE);
        host.exec(&["sh", "/root/archive.sh"]);
        host.exec(&["rm", "/root/archive.sh"]);
    }
}

fn write_playbook(lab: &TestLab, steps: &str) {
    let folder = lab.lab_folder().join(NAME);
    fs_err::create_dir_all(&folder).unwrap();
    let text = format!("about: A greeting\nhosts: all\nsteps:\n{steps}");
    fs_err::write(folder.join("playbook.yaml"), text).unwrap();
}

/// Names of the packages that are wholly installed.
fn installed(lab: &TestLab, host: &str) -> Vec<String> {
    let list =
        lab.host(host).exec(&["dpkg-query", "--show", "--showformat", "${db:Status-Abbrev}${Package}\n"]);
    list.lines().filter_map(|line| line.strip_prefix("ii ")).map(str::to_owned).collect()
}

#[track_caller]
fn assert_installed(lab: &TestLab, host: &str, names: &[&str], wanted: bool) {
    let found = installed(lab, host);
    for name in names {
        assert_eq!(found.iter().any(|one| one == name), wanted, "{name} on {host}: {found:?}");
    }
}

/// What differs from the bare hosts, but for the accounts.
#[track_caller]
fn assert_same_but_accounts(lab: &TestLab, bare: &States) {
    for (host, state) in lab.states() {
        let differences = state.differences(&bare[&host]);
        let is_account = |line: &String| ACCOUNTS.iter().any(|one| line[2..].starts_with(one));
        let others: Vec<&String> = differences.iter().filter(|line| !is_account(line)).collect();
        assert!(others.is_empty(), "{host}: {others:#?}");
    }
}

fn plan_names_the_package_and_writes_nothing(lab: &TestLab, bare: &States) {
    lab.garboard(&["plan", NAME]).expect(4);
    crate::harness::assert_same(bare, &lab.states());
}

fn a_package_comes_with_what_it_needs(lab: &TestLab) {
    let run = lab.garboard(&["run", NAME]).expect(0);
    assert_eq!(run.changes(), 4, "{}", run.story());
    for host in lab.host_names() {
        assert_installed(lab, &host, &["greeter", "greeter-data"], true);
        lab.host(&host).exec(&["systemctl", "is-active", "--quiet", "greeter"]);
        // Nobody's autoremove takes it away.
        let no_cache = ["-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache="];
        let marks = [["apt-mark"].as_slice(), &no_cache, &["showauto", "greeter", "greeter-data"]].concat();
        assert_eq!(lab.host(&host).exec(&marks), "");
    }
}

fn a_second_run_changes_nothing(lab: &TestLab) {
    let hosts = lab.host_names();
    let watch = Watch::begin(lab, &hosts);
    let run = lab.garboard(&["run", NAME]).expect(0);
    let observed = watch.end();
    assert_eq!(run.changes(), 0, "{}", run.story());
    for host in &hosts {
        observed.assert_no_write_of_ours(host);
        let programs = observed.programs(host);
        assert!(
            programs.iter().all(|one| !one.contains("apt") && !one.contains("dpkg")),
            "{host}: {programs:?}"
        );
    }
}

fn reset_removes_what_came_and_nothing_else(lab: &TestLab, bare: &States) {
    lab.reset(&[]);
    assert_same_but_accounts(lab, bare);
    lab.garboard(&["reset", "--verify"]).expect(0);
}

/// A dpkg at work on a host, started by somebody else.
struct Somebody<'a> {
    lab: &'a TestLab,
    host: &'static str,
}

impl<'a> Somebody<'a> {
    fn at_work(lab: &'a TestLab, host: &'static str) -> Self {
        let somebody = Self { lab, host };
        lab.host(host).exec(&["sh", "-c", "dpkg --purge slow; rm -f /run/slow"]);
        let install = ["dpkg", "--install", "/srv/archive/slow_1.0_all.deb"];
        let start = ["systemd-run", "--quiet", "--unit=somebody", "--remain-after-exit"];
        lab.host(host).exec(&[start.as_slice(), &install].concat());
        // The script waits at the pipe when it is there, and the locks are held by then.
        lab.host(host).exec(&["timeout", "30", "sh", "-c", "until [ -p /run/slow ]; do sleep 0.1; done"]);
        somebody
    }

    fn pid(&self) -> String {
        let shown = ["systemctl", "show", "--property=MainPID", "--value", "somebody"];
        self.lab.host(self.host).exec(&shown).trim().to_owned()
    }

    /// Lets the work come to its end, which must be a good one: nobody was stopped.
    fn end(self) {
        let host = self.lab.host(self.host);
        host.exec(&["timeout", "10", "sh", "-c", "echo on >/run/slow"]);
        let state = "until systemctl show --property=SubState --value somebody | grep --quiet exited; do sleep 0.1; done";
        host.exec(&["timeout", "30", "sh", "-c", state]);
        assert_installed(self.lab, self.host, &["slow"], true);
        host.exec(&["systemctl", "stop", "somebody"]);
    }
}

/// Frees the host as soon as the product says for whom it waits; the call must end well.
fn waited(lab: &TestLab, arguments: &[&str]) -> Finished {
    let somebody = Cell::new(Some(Somebody::at_work(lab, "cp1")));
    let pid = somebody.take().map(|one| {
        let pid = one.pid();
        somebody.set(Some(one));
        pid
    });
    let words =
        format!("waits for `dpkg` (process {}), which holds `/var/lib/dpkg/lock-frontend`", pid.unwrap());
    let finished = lab.follow(arguments, |event: &Value, _| {
        let says = event["text"].as_str().is_some_and(|text| text.starts_with(&words));
        if says && event["host"] == "cp1" && event["waits"] == true {
            somebody.take().expect("it is said once").end();
        }
    });
    let finished = finished.expect(0);
    assert!(somebody.take().is_none(), "`{words}` was not said: {}", finished.story());
    finished
}

fn who_is_at_work_is_named_and_waited_for(lab: &TestLab) {
    waited(lab, &["run", NAME]);
    assert_installed(lab, "cp1", &["greeter"], true);
}

fn reset_waits_too(lab: &TestLab) {
    waited(lab, &["reset"]);
    assert_installed(lab, "cp1", &["greeter", "greeter-data"], false);
}

fn who_never_ends_is_named_and_left_alone(lab: &TestLab) {
    write_playbook(lab, "  - package: { names: [greeter], wait_seconds: 2 }\n");
    let somebody = Somebody::at_work(lab, "cp1");
    let pid = somebody.pid();
    let holder = format!("`dpkg` (process {pid}) holds `/var/lib/dpkg/lock-frontend`");
    lab.garboard(&["run", NAME, "--limit", "cp1"]).expect(1).says(&[
        "\"cp1\"",
        "greeting/1",
        &holder,
        "within 2 s",
        &format!("ps -fp {pid}"),
    ]);
    assert_installed(lab, "cp1", &["greeter", "greeter-data"], false);
    assert_eq!(somebody.pid(), pid, "it was stopped");
    somebody.end();
    lab.garboard(&["run", NAME, "--limit", "cp1"]).expect(0);
    lab.reset(&[]);
}

fn what_others_have_come_to_need_stays(lab: &TestLab) {
    lab.garboard(&["run", NAME, "--limit", "w1"]).expect(0);
    let host = lab.host("w1");
    host.exec(&["dpkg", "--install", "/srv/archive/visitor_1.0_all.deb"]);
    let reset = lab.reset(&["--host", "w1"]);
    assert!(reset.stdout.contains("`visitor` has come to need it"), "{}", reset.story());
    assert_installed(lab, "w1", &["visitor", "greeter-data"], true);
    assert_installed(lab, "w1", &["greeter"], false);
    host.exec(&["dpkg", "--purge", "visitor", "greeter-data"]);
}

fn an_installation_that_somebody_broke_off_is_theirs(lab: &TestLab) {
    let host = lab.host("w1");
    host.exec(&["sh", "-c", "! dpkg --install /srv/archive/broken_1.0_all.deb"]);
    let words = ["\"w1\"", "`broken` is half-configured", "dpkg --configure -a"];
    lab.garboard(&["run", NAME, "--limit", "w1"]).expect(5).says(&words);
    assert_installed(lab, "w1", &["greeter"], false);
    host.exec(&["dpkg", "--purge", "broken"]);
}

fn a_host_without_sources_says_what_to_do(lab: &TestLab) {
    write_playbook(lab, "  - package: { names: [nowhere] }\n");
    lab.garboard(&["run", NAME, "--limit", "w1"]).expect(1).says(&["apt-get cannot get `nowhere`"]);
    lab.host("w1").write("/etc/apt/sources.list", "# none\n");
    let words = ["`nowhere` cannot be installed", "no apt sources", "/etc/apt/sources.list", "by hand"];
    lab.garboard(&["run", NAME, "--limit", "w1"]).expect(1).says(&words);
}
