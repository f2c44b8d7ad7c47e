//! A playbook of the user's own on hosts that belong to no cluster: planned, run, run again, edited, and given back.

use std::path::{Path, PathBuf};

use crate::harness::{Finished, Phases, Shape, States, TestLab, Watch, assert_same, run as run_command};

const NAME: &str = "disk-watch";

#[test]
fn a_playbook_of_ones_own() {
    let mut phases = Phases::of("a_playbook_of_ones_own");
    let lab = phases.must("two bare hosts", || TestLab::up("t-own", Shape::workers(1).without_mirror()));
    let bare = phases.must("the state of bare hosts", || lab.states());
    let folder = phases.must("the example beside the inventory", || copy_example(&lab));
    let named = lab.edited("\nhosts:", &format!("\nplaybooks: [./{NAME}]\nhosts:"));
    phases.check("a_fault_in_it_is_refused_before_any_connection", || {
        a_fault_in_it_is_refused_before_any_connection(&lab, &folder);
    });
    phases.check("what_waits_for_a_cluster_is_refused_where_there_is_none", || {
        what_waits_for_a_cluster_is_refused_where_there_is_none(&lab, &bare);
    });
    phases.check("plan_shows_what_run_would_do_and_leaves_nothing", || {
        plan_shows_what_run_would_do_and_leaves_nothing(&lab, &bare);
    });
    phases.check("run_makes_it_so", || run_makes_it_so(&lab));
    phases.check("a_second_run_changes_nothing", || a_second_run_changes_nothing(&lab));
    phases.check("an_edited_template_restarts_the_service", || {
        an_edited_template_restarts_the_service(&lab, &folder);
    });
    drop(named);
    phases.check("reset_needs_no_playbook_to_give_hosts_back", || {
        fs_err::remove_dir_all(&folder).unwrap();
        lab.reset(&[]);
        assert_same(&bare, &lab.states());
        lab.garboard(&["reset", "--verify"]).expect(0);
    });
    phases.must("lab down", || drop(lab));
    phases.finish();
}

fn copy_example(lab: &TestLab) -> PathBuf {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../playbooks/examples").join(NAME);
    let folder = lab.lab_folder().join(NAME);
    fs_err::create_dir_all(folder.join("templates")).unwrap();
    fs_err::copy(example.join("playbook.yaml"), folder.join("playbook.yaml")).unwrap();
    for entry in fs_err::read_dir(example.join("templates")).unwrap() {
        let entry = entry.unwrap();
        fs_err::copy(entry.path(), folder.join("templates").join(entry.file_name())).unwrap();
    }
    folder
}

/// What a person sees.
fn human(lab: &TestLab, arguments: &[&str]) -> Finished {
    let mut command = lab.command();
    command.arg("--inventory").arg(lab.lab().inventory()).args(arguments);
    run_command(command, |_, _| {})
}

/// The service's own account of when it was started; it runs.
fn started(lab: &TestLab, host: &str) -> String {
    let host = lab.host(host);
    host.exec(&["systemctl", "is-active", "--quiet", NAME]);
    host.exec(&["systemctl", "show", "--property=InvocationID", NAME])
}

fn replace(path: &Path, from: &str, to: &str) {
    let text = fs_err::read_to_string(path).unwrap();
    assert!(text.contains(from), "`{from}` is not in:\n{text}");
    fs_err::write(path, text.replace(from, to)).unwrap();
}

fn a_fault_in_it_is_refused_before_any_connection(lab: &TestLab, folder: &Path) {
    let template = folder.join("templates/disk-watch.conf.tera");
    replace(&template, "vars.percent", "vras.percent");
    for command in [["run", NAME].as_slice(), &["plan", NAME], &["up"], &["check"]] {
        let refused = lab.garboard(command).expect(2);
        let said = refused.complaints();
        assert!(said.contains("disk-watch.conf.tera:2:") && said.contains("`vars`"), "{}", refused.story());
        assert!(refused.of_kind("host_connected").next().is_none(), "{}", refused.story());
    }
    replace(&template, "vras.percent", "vars.percent");
    lab.garboard(&["run", "disk-wach"]).expect(2).says(&["disk-wach", NAME]);
    lab.garboard(&["run", "flannel"]).expect(2).says(&["garboard up"]);
}

fn what_waits_for_a_cluster_is_refused_where_there_is_none(lab: &TestLab, bare: &States) {
    let folder = lab.lab_folder().join("elsewhere/motd");
    fs_err::create_dir_all(&folder).unwrap();
    let text = "about: Greets\nhosts: w1\nsteps:\n  - wait: { signal: api }\n  - file: { path: /etc/motd, content: hello }\n";
    fs_err::write(folder.join("playbook.yaml"), text).unwrap();
    let path = folder.to_string_lossy().into_owned();
    lab.garboard(&["run", &path]).expect(3).says(&["`motd` needs the cluster", "garboard up"]);
    assert_same(bare, &lab.states());
}

fn plan_shows_what_run_would_do_and_leaves_nothing(lab: &TestLab, bare: &States) {
    let plan = human(lab, &["plan", NAME, "--diff"]).expect(4);
    for line in [
        "cp1: 4 of 4 steps differ",
        "w1: 4 of 4 steps differ",
        "+ PERCENT=90",
        "+ # w1, of the cluster t-own",
        "+ ExecStart=/usr/local/lib/disk-watch",
    ] {
        assert!(plan.stdout.contains(line), "`{line}` is not in:\n{}", plan.stdout);
    }
    assert!(!plan.stdout.contains("kubelet"), "others' steps are shown:\n{}", plan.stdout);
    assert_same(bare, &lab.states());
}

fn run_makes_it_so(lab: &TestLab) {
    // By its folder this time, and on one host first.
    let folder = lab.lab_folder().join(NAME).to_string_lossy().into_owned();
    let run = lab.garboard(&["run", &folder, "--limit", "w1"]).expect(0);
    assert_eq!(run.changes(), 4, "{}", run.story());
    assert!(run.of_kind("host_planned").any(|event| event["pending"] == 4), "{}", run.story());
    assert!(run.of_kind("host_connected").all(|event| event["host"] == "w1"), "{}", run.story());
    let run = lab.garboard(&["run", NAME]).expect(0);
    assert_eq!(run.changes(), 4, "{}", run.story());
    for host in lab.host_names() {
        started(lab, &host);
        let config = lab.host(&host).exec(&["cat", "/etc/disk-watch/disk-watch.conf"]);
        assert!(config.starts_with(&format!("# {host}, of the cluster t-own\nPERCENT=90\n")), "{config}");
        assert!(!lab.host(&host).path("/etc/kubernetes").exists(), "{host} was made more than was asked for");
    }
}

fn a_second_run_changes_nothing(lab: &TestLab) {
    let before = started(lab, "w1");
    let watch = Watch::begin(lab, &["w1".to_owned()]);
    let run = lab.garboard(&["run", NAME]).expect(0);
    let observed = watch.end();
    assert_eq!(run.changes(), 0, "{}", run.story());
    assert!(run.notes().any(|note| note.starts_with("0 changes on 2 hosts")), "{}", run.story());
    observed.assert_no_write_of_ours("w1");
    assert_eq!(started(lab, "w1"), before);
    lab.garboard(&["plan", NAME]).expect(0);
}

fn an_edited_template_restarts_the_service(lab: &TestLab, folder: &Path) {
    let before = started(lab, "w1");
    replace(&folder.join("playbook.yaml"), "percent: 90", "percent: 0");
    let run = human(lab, &["run", NAME, "--diff"]).expect(0);
    for line in ["2 of 4 steps differ", "- PERCENT=90", "+ PERCENT=0"] {
        assert!(run.stdout.contains(line), "`{line}` is not in:\n{}", run.stdout);
    }
    assert_ne!(started(lab, "w1"), before, "it runs with the old configuration");
    // And does its work: every file system is at least that full.
    lab.host("w1").exec(&[
        "timeout",
        "20",
        "sh",
        "-c",
        "journalctl --follow --lines=all --output=cat --unit=disk-watch | grep --max-count=1 '% full'",
    ]);
    assert_eq!(lab.garboard(&["run", NAME]).expect(0).changes(), 0);
}
