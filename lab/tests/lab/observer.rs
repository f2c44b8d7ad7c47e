//! The observer.

use garboard_lab::observer::{Event, Kind, Observer};

use super::fixture::TestLab;

fn of<'a>(events: &'a [Event], kind: Kind, path: &str) -> Option<&'a Event> {
    events.iter().find(|event| event.kind == kind && event.path == path)
}

#[test]
fn changes_and_programs_are_told_with_who_did_it() {
    let test = TestLab::up("t-observe", 0);
    test.says("cp1", &["touch", "/root/earlier"]);
    let observer = Observer::start(&test.lab, "cp1").unwrap();
    let output = test.ssh(
        "cp1",
        "mkdir -p /root/a/b && echo x > /root/a/b/c && mv /root/a /root/z && chmod 600 /root/z/b/c && rm /root/earlier && \
         (echo y > /run/y) && touch /var/lib/containerd/x && cat /etc/hostname > /dev/null",
    );
    assert!(output.status.success(), "{output:?}");
    test.says("cp1", &["systemd-run", "--quiet", "--wait", "--unit=garboard-x", "touch", "/tmp/unit"]);
    let events = observer.stop().unwrap();
    test.says("cp1", &["touch", "/root/later"]);

    let session = |event: &Event| event.cgroup.starts_with("/user.slice/user-0.slice/session-");
    for (kind, path, program) in [
        (Kind::Create, "/root/a", "/usr/bin/mkdir"),
        (Kind::Create, "/root/a/b", "/usr/bin/mkdir"),
        (Kind::Write, "/root/a/b/c", "/usr/bin/bash"),
        (Kind::Rename, "/root/z", "/usr/bin/mv"),
        (Kind::Attributes, "/root/z/b/c", "/usr/bin/chmod"),
        (Kind::Delete, "/root/earlier", "/usr/bin/rm"),
        (Kind::Write, "/run/y", "/usr/bin/bash"),
        (Kind::Create, "/var/lib/containerd/x", "/usr/bin/touch"),
        (Kind::Execute, "/usr/bin/cat", "/usr/bin/bash"),
    ] {
        let event =
            of(&events, kind, path).unwrap_or_else(|| panic!("{kind:?} {path} was not seen: {events:#?}"));
        assert_eq!(event.program, program, "{event:?}");
        assert!(session(event), "{event:?}");
    }
    assert_eq!(of(&events, Kind::Rename, "/root/z").unwrap().from.as_deref(), Some("/root/a"));
    let unit = of(&events, Kind::Create, "/tmp/unit").expect("the unit's file was seen");
    assert_eq!(unit.cgroup, "/system.slice/garboard-x.service");
    assert!(!events.iter().any(|event| event.path == "/root/later" || event.path == "/dev/null"));
}

#[test]
fn a_bare_login_and_an_empty_unit_change_nothing_of_their_own() {
    let test = TestLab::up("t-control", 0);
    // The first login ever writes /run/motd.dynamic.
    assert!(test.ssh("cp1", "true").status.success());
    let observer = Observer::start(&test.lab, "cp1").unwrap();
    assert!(test.ssh("cp1", "true").status.success());
    test.says("cp1", &["systemd-run", "--quiet", "--wait", "--unit=garboard-x", "true"]);
    let events = observer.stop().unwrap();
    assert!(of(&events, Kind::Execute, "/usr/bin/true").is_some());
    let own = |event: &&Event| event.cgroup.contains("/session-") || event.cgroup.contains("/garboard-");
    let changed: Vec<_> = events.iter().filter(|event| event.kind != Kind::Execute).filter(own).collect();
    let unexpected: Vec<_> = changed
        .iter()
        .filter(|event| {
            !["/run/motd.dynamic", "/run/systemd/sessions/", "/run/utmp", "/var/log/"]
                .iter()
                .any(|path| event.path.starts_with(path))
        })
        .collect();
    assert!(unexpected.is_empty(), "{unexpected:#?}");
}
