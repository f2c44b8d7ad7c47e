//! Blank cards: their files, the inventory that knows the hosts' keys already, and what stops the command before it writes.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::desk::Desk;

const PUBLIC: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ ada@laptop";
const GOOD: [&str; 9] = [
    "--pi",
    "--name",
    "home",
    "--host",
    "cp1=192.168.1.11",
    "--host",
    "w1=w1.local",
    "--control-plane",
    "cp1",
];

/// Somebody with a key, whose private half nobody could read.
fn desk_with_a_key() -> Desk {
    let desk = Desk::new();
    fs_err::create_dir(desk.path(".ssh")).unwrap();
    fs_err::write(desk.path(".ssh/id_ed25519.pub"), PUBLIC).unwrap();
    desk
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs_err::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> =
        entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect();
    found.sort();
    found
}

fn mode(path: &Path) -> u32 {
    fs_err::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn cards_get_their_files_and_the_inventory_knows_the_hosts_keys() {
    let desk = desk_with_a_key();
    let output = desk.init(&[&GOOD[..], &["--user", "pi", "--gateway", "192.168.1.1/24"]].concat());
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(output.stdout.is_empty());
    for words in ["`first-boot/HOST`", "then delete `first-boot`", "next: `garboard check`"] {
        assert!(said.contains(words), "`{words}` is not in:\n{said}");
    }
    assert!(!said.contains("reserve"), "the one host with an address has it by itself:\n{said}");

    let folder = desk.path("first-boot");
    let found = files(&folder);
    let names: Vec<String> =
        found.iter().map(|path| path.strip_prefix(&folder).unwrap().display().to_string()).collect();
    let of = |host: &str| {
        ["README", "meta-data", "network-config", "user-data"].map(|name| format!("{host}/{name}"))
    };
    assert_eq!(names, [&[".gitignore".to_owned()][..], &of("cp1"), &of("w1")].concat());
    for path in &found {
        assert_eq!(mode(path), 0o600, "{}", path.display());
        assert_eq!(mode(path.parent().unwrap()), 0o700, "{}", path.display());
    }

    let inventory = garboard_inventory::load(&desk.path("garboard.yaml")).unwrap();
    assert_eq!(inventory.hosts[0].ssh.user.as_deref(), Some("pi"));
    for host in &inventory.hosts {
        let text = fs_err::read_to_string(folder.join(&host.name).join("user-data")).unwrap();
        let data: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
        // What OpenSSH itself makes of the private key.
        let key = desk.path("key");
        fs_err::write(&key, data["ssh_keys"]["ed25519_private"].as_str().unwrap()).unwrap();
        fs_err::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
        let printed = Command::new("ssh-keygen").arg("-lf").arg(&key).output().unwrap();
        let fingerprint = String::from_utf8(printed.stdout).unwrap();
        assert_eq!(fingerprint.split(' ').nth(1), host.host_key.as_deref(), "{fingerprint}");
        let derived = Command::new("ssh-keygen").arg("-yf").arg(&key).output().unwrap();
        let derived = String::from_utf8(derived.stdout).unwrap();
        assert_eq!(data["ssh_keys"]["ed25519_public"], derived.trim());
        assert_eq!(data["user"]["ssh_authorized_keys"][0], PUBLIC);
    }
    assert_ne!(inventory.hosts[0].host_key, inventory.hosts[1].host_key);
}

#[test]
fn the_password_of_sudo_is_in_no_file() {
    for system in ["--pi=trixie", "--pi=noble", "--pi=bookworm"] {
        let desk = desk_with_a_key();
        let word = desk.path("word");
        fs_err::write(&word, "correct horse\n").unwrap();
        fs_err::set_permissions(&word, std::fs::Permissions::from_mode(0o600)).unwrap();
        let flags = ["--user", "pi", "--sudo-password-file", "word"];
        let output = desk.init(&[&[system], &GOOD[1..], &flags].concat());
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{said}");
        let mut hashes = 0;
        for path in files(&desk.path("first-boot")) {
            let text = fs_err::read_to_string(&path).unwrap();
            assert!(!text.contains("correct horse"), "{}", path.display());
            hashes += text.matches("\"$6$").count();
        }
        assert_eq!(hashes, 2, "one for each host");
        assert!(!desk.written().unwrap().contains("correct horse"));
        let pinned = garboard_inventory::load(&desk.path("garboard.yaml")).unwrap().hosts[0].host_key.clone();
        assert_eq!(pinned.is_some(), system != "--pi=bookworm", "bookworm makes its keys by itself");
        assert!(said.contains("reserve 192.168.1.11 for cp1"), "{said}");
    }
}

#[test]
fn what_is_there_stays_as_it_is() {
    let good = [&GOOD[..], &["--user", "pi"]].concat();
    for there in ["first-boot", "garboard.yaml"] {
        let desk = desk_with_a_key();
        fs_err::write(desk.path(there), "mine").unwrap();
        let output = desk.init(&good);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(&format!("`{there}` is there already")), "{said}");
        assert_eq!(desk.names(), [".ssh", there]);
        assert_eq!(fs_err::read_to_string(desk.path(there)).unwrap(), "mine");
    }
}

#[test]
fn whatever_is_missing_or_wrong_is_said_before_anything_is_written() {
    let desk = desk_with_a_key();
    let before = desk.names();
    for (flags, words) in [
        (vec![], "say `--user NAME`"),
        (vec!["--user", "root"], "say `--user NAME`"),
        (vec!["--user", "Ada"], "no login `Ada` can be made"),
        (vec!["--user", "pi", "--gateway", "192.168.2.1/24"], "192.168.1.11 is not in the gateway's network"),
        (vec!["--user", "pi", "--gateway", "192.168.1.1"], "like `192.168.1.1/24`"),
        (vec!["--user", "pi", "--identity", "other"], "ssh-keygen -y -f"),
        (vec!["--user", "pi", "--sudo-password-env", "NO_SUCH_WORD"], "`NO_SUCH_WORD` is not set"),
        (vec!["--user", "pi", "--look"], "cannot be used with"),
        (vec!["--user", "pi", "--print"], "cannot be used with"),
    ] {
        let output = desk.init(&[&GOOD[..], &flags].concat());
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{flags:?}: {said}");
        assert!(said.contains(words), "`{words}` is not in:\n{said}");
        assert_eq!(desk.names(), before, "{flags:?}");
    }
    fs_err::remove_file(desk.path(".ssh/id_ed25519.pub")).unwrap();
    let output = desk.init(&[&GOOD[..], &["--user", "pi"]].concat());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("nobody could log in") && said.contains("ssh-keygen -t ed25519"), "{said}");
    assert_eq!(desk.names(), before);
}

#[test]
fn a_person_is_asked_what_the_cards_need() {
    let desk = desk_with_a_key();
    let mut person = desk.on_terminal("--pi --name home");
    person.sees("Host 1: ").types("cp1=192.168.1.11").sees("Host 2: ").types("");
    person.sees("User to make on the hosts, who may use sudo [pi]: ").types("root");
    person.sees("none was named").sees("User to make").types("");
    person.sees("Private key").types("");
    person.sees("Where a password for sudo is found").types("");
    person.sees("Their router").types("192.168.2.1/24").sees("is not in the gateway's network");
    person.sees("Their router").types("192.168.1.1/24");
    person.sees("then delete `first-boot`");
    let (code, shown) = person.ends();
    assert_eq!(code, 0, "{shown}");
    assert!(!shown.contains("Look at the hosts"), "there is nothing to look at yet: {shown}");
    let network = fs_err::read_to_string(desk.path("first-boot/cp1/network-config")).unwrap();
    assert!(network.contains("addresses: [192.168.1.11/24]"), "{network}");
}

#[test]
fn a_program_is_told_where_the_files_are() {
    let desk = desk_with_a_key();
    let output = desk.init(&[&GOOD[..], &["--user", "pi", "--output", "json"]].concat());
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["first_boot"], "first-boot");
    assert!(document["hosts"][0]["host_key"].as_str().unwrap().starts_with("SHA256:"));
}
