//! The files of each system: golden files, values that mean something else in YAML and TOML, and what the host takes away.

use std::path::PathBuf;
use std::process::Command;

use garboard_inventory::Secret;
use russh::keys::ssh_key::{HashAlg, PrivateKey};
use serde_json::Value;

use super::login::{self, Password};
use super::{FirstBoot, HostKeyPair, Prepared, PreparedHost, System};

const PUBLIC: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ ada@laptop";

fn host(name: &str, address: &str, system: System) -> PreparedHost {
    let key = system.has_cloud_init().then(|| HostKeyPair::of(&[7; 32], name).unwrap());
    PreparedHost { name: name.to_owned(), address: address.to_owned(), key }
}

fn prepared(system: System, gateway: Option<&str>, password: Option<&str>) -> Prepared {
    let password = password.map(|plain| Password::of(&Secret::new(plain), &[5; 12]).unwrap());
    Prepared {
        first_boot: FirstBoot { system, gateway: gateway.map(|gateway| gateway.parse().unwrap()) },
        hosts: vec![host("cp1", "192.168.1.11", system), host("w1", "w1.local", system)],
        user: "pi".to_owned(),
        password,
        public_keys: vec![PUBLIC.to_owned()],
    }
}

/// The text of a host's file.
fn text(prepared: &Prepared, host: &str, name: &str) -> String {
    let files = prepared.files().unwrap();
    let (_, files) = files.iter().find(|(of, _)| *of == host).unwrap();
    files.iter().find(|file| file.name == name).unwrap().text.expose().to_owned()
}

fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

#[test]
fn each_system_gets_the_files_it_reads() {
    for (folder, prepared) in [
        ("trixie", prepared(System::Trixie, Some("192.168.1.1/24"), None)),
        ("noble", prepared(System::Noble, None, Some("hunter2"))),
        ("bookworm", prepared(System::Bookworm, None, Some("hunter2"))),
    ] {
        for (host, files) in prepared.files().unwrap() {
            for file in files {
                let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
                    .join("tests/init/first-boot")
                    .join(folder)
                    .join(host)
                    .join(file.name);
                let text = file.text.expose();
                assert!(!text.contains("hunter2"), "{text}");
                if std::env::var_os("UPDATE_GOLDEN").is_some() {
                    fs_err::create_dir_all(path.parent().unwrap()).unwrap();
                    fs_err::write(&path, text).unwrap();
                }
                let expected = fs_err::read_to_string(&path).unwrap_or_default();
                assert!(expected == text, "{} is not what it would be:\n{text}", path.display());
            }
        }
    }
}

#[test]
fn names_that_mean_something_else_stay_names() {
    for name in ["on", "null", "1e3", "0x1f", "12-30", "y", "007"] {
        for (user, password) in [("_on", None), ("null", Some("x")), ("y", None), ("e3-", Some("#"))] {
            assert_eq!(login::fault(Some(user)).map(|fault| fault.message), None);
            let mut prepared = prepared(System::Trixie, Some("10.0.0.1/8"), password);
            prepared.hosts = vec![host(name, "10.1.2.3", System::Trixie)];
            user.clone_into(&mut prepared.user);
            let data = yaml(&text(&prepared, name, "user-data"));
            assert_eq!(data["hostname"], name);
            assert_eq!(data["user"]["name"], user);
            assert_eq!(data["user"]["ssh_authorized_keys"], serde_json::json!([PUBLIC]));
            assert_eq!(data["user"]["lock_passwd"], password.is_none());
            let rule = if password.is_some() { "ALL=(ALL) ALL" } else { "ALL=(ALL) NOPASSWD:ALL" };
            assert_eq!(data["user"]["sudo"], rule);
            let meta = yaml(&text(&prepared, name, "meta-data"));
            assert_eq!(
                (&meta["local-hostname"], &meta["instance-id"]),
                (&name.into(), &format!("garboard-{name}").into())
            );
            let network = yaml(&text(&prepared, name, "network-config"));
            assert_eq!(
                network["network"]["ethernets"]["eth0"]["addresses"],
                serde_json::json!(["10.1.2.3/8"])
            );

            prepared.first_boot = FirstBoot { system: System::Bookworm, gateway: None };
            let custom: toml::Value = toml::from_str(&text(&prepared, name, "custom.toml")).unwrap();
            assert_eq!(custom["system"]["hostname"].as_str(), Some(name));
            assert_eq!(custom["user"]["name"].as_str(), Some(user));
            assert_eq!(custom["user"].get("password").is_some(), password.is_some());
            assert_eq!(custom["ssh"]["authorized_keys"][0].as_str(), Some(PUBLIC));
        }
    }
}

#[test]
fn a_login_that_no_system_makes_is_refused() {
    for bad in ["root", "", "Pi", "1pi", "-pi", "p i", "ü", "pi\nx", "pi$", "pi.lan", &"a".repeat(33)] {
        assert!(login::fault(Some(bad)).is_some(), "{bad:?}");
    }
    assert!(login::fault(None).unwrap().help.unwrap().contains("--user pi"));
    assert!(login::fault(Some(&"a".repeat(32))).is_none());
}

#[test]
fn the_key_on_the_card_is_the_one_that_the_inventory_pins() {
    let prepared = prepared(System::Noble, None, None);
    let data = yaml(&text(&prepared, "cp1", "user-data"));
    let key = PrivateKey::from_openssh(data["ssh_keys"]["ed25519_private"].as_str().unwrap()).unwrap();
    let pinned = prepared.hosts[0].key.as_ref().unwrap().fingerprint();
    assert_eq!(key.fingerprint(HashAlg::Sha256).to_string(), pinned);
    assert_eq!(data["ssh_keys"]["ed25519_public"], key.public_key().to_openssh().unwrap());
    assert_ne!(
        HostKeyPair::random("cp1").unwrap().fingerprint(),
        HostKeyPair::random("cp1").unwrap().fingerprint()
    );
}

#[test]
fn the_host_takes_what_is_secret_off_the_card() {
    let before = text(&prepared(System::Trixie, None, Some("hunter2")), "cp1", "user-data");
    assert!(before.contains("PRIVATE KEY") && before.contains("$6$"));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("user-data");
    fs_err::write(&path, &before).unwrap();
    let commands = yaml(&before)["runcmd"].clone();
    let [_, sed] = commands.as_array().unwrap().as_slice() else { panic!("{commands}") };
    let mut words: Vec<&str> = sed.as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(words.pop(), Some("/boot/firmware/user-data"));
    assert!(Command::new(words[0]).args(&words[1..]).arg(&path).status().unwrap().success());
    let after = fs_err::read_to_string(&path).unwrap();
    for secret in ["PRIVATE", "$6$", "passwd", "authorized"] {
        assert!(!after.contains(secret), "{after}");
    }
    assert!(after.starts_with("#cloud-config\n"));
    assert_eq!(yaml(&after)["hostname"], "cp1");
}

#[test]
fn the_password_of_a_hash_is_the_one_that_libc_knows() {
    let hash = Password::of(&Secret::new("pass wörd"), &[5; 12]).unwrap().hash().to_owned();
    // Perl's `crypt` is libc's, as on the hosts.
    let script = "print crypt($ARGV[0], $ARGV[1])";
    let output = Command::new("perl").args(["-e", script, "pass wörd", &hash]).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), hash);
    assert!(hash.starts_with("$6$"), "{hash}");
}

#[test]
fn addresses_that_the_gateway_does_not_lead_to_are_named_all_at_once() {
    let answer =
        |address: &str| super::HostAnswer { address: address.to_owned(), ..super::HostAnswer::default() };
    let hosts = ["192.168.1.1", "192.168.2.9", "192.168.1.255", "192.168.1.20", "pi.local"].map(answer);
    let gateway: super::Gateway = "192.168.1.1/24".parse().unwrap();
    let faults = gateway.faults(System::Trixie, &hosts);
    let messages: Vec<&str> = faults.iter().map(|fault| fault.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "the address 192.168.1.1 is the gateway's own",
            "the address 192.168.2.9 is not in the gateway's network 192.168.1.0/24",
            "the address 192.168.1.255 means the network 192.168.1.0/24 itself",
        ]
    );
    assert!(gateway.faults(System::Bookworm, &hosts)[0].message.contains("sets no address"));
    for bad in ["192.168.1.1", "192.168.1.0/24", "192.168.1.255/24", "10.0.0.1/31", "10.0.0.1/0", "x/24", ""]
    {
        assert!(bad.parse::<super::Gateway>().is_err(), "{bad}");
    }
}
