//! What hosts say of their own keys, asked before anybody logs in.

use garboard::ssh::{OfferedKeys, SshError, Target, Transport};
use garboard_inventory::Jump;

use crate::jump::Way;
use crate::openssh;
use crate::sshd::Sshd;

/// Each key as `ssh-keygen` tells it.
fn expected(sshd: &Sshd, kinds: &[(&str, &str)]) -> Vec<(String, String, String)> {
    let key = |(file, algorithm): &(&str, &str)| {
        let public = fs_err::read_to_string(sshd.path(&format!("host_{file}.pub"))).unwrap();
        ((*algorithm).to_owned(), sshd.fingerprint(file), public.trim().to_owned())
    };
    kinds.iter().map(key).collect()
}

fn told(offered: OfferedKeys) -> Vec<(String, String, String)> {
    offered.keys.into_iter().map(|key| (key.algorithm, key.fingerprint, key.public_key)).collect()
}

const ALL: [(&str, &str); 3] =
    [("ed25519", "ssh-ed25519"), ("ecdsa", "ecdsa-sha2-nistp256"), ("rsa", "ssh-rsa")];

#[tokio::test]
async fn a_host_tells_its_keys_of_every_kind_without_a_login() {
    let sshd = Sshd::start(&["ed25519", "ecdsa", "rsa"]);
    // Neither a wrong pin nor the lack of a key to log in with matters.
    let pinned = format!("SHA256:{}", "A".repeat(43));
    let target = Target { host_key: Some(pinned), identity: vec!["/nowhere".into()], ..sshd.unpinned() };
    let (native, openssh) = (sshd.transport(""), openssh::transport(&sshd, "", ""));
    for transport in [&native as &dyn Transport, &openssh] {
        let offered = transport.host_keys(&target).await.unwrap();
        assert_eq!(offered.names, [format!("[127.0.0.1]:{}", sshd.port())]);
        assert_eq!(told(offered), expected(&sshd, &ALL));
    }
    assert_eq!(sshd.connections(), 6);
}

#[tokio::test]
async fn kinds_that_a_host_lacks_are_left_out() {
    let sshd = Sshd::start(&["rsa"]);
    let (native, openssh) = (sshd.transport(""), openssh::transport(&sshd, "", ""));
    for transport in [&native as &dyn Transport, &openssh] {
        let offered = transport.host_keys(&sshd.unpinned()).await.unwrap();
        assert_eq!(told(offered), expected(&sshd, &ALL[2..]));
    }
}

#[tokio::test]
async fn a_host_behind_jump_hosts_or_a_proxy_command_is_asked_all_the_same() {
    let way = Way::new();
    let target = Target { address: "host".to_owned(), ..Target::default() };
    let offered = way.transport().host_keys(&target).await.unwrap();
    assert_eq!(
        offered.names,
        [format!("[127.0.0.1]:{}", way.host.port()), format!("[host]:{}", way.host.port())]
    );
    assert_eq!(told(offered), expected(&way.host, &ALL[..1]));
    // The jump hosts are logged in to once each, however many kinds are asked for.
    assert_eq!(way.connections(), [1, 1, 3]);

    let direct = Target { proxy_jump: Jump::parse("second").unwrap(), ..target };
    assert_eq!(told(way.transport().host_keys(&direct).await.unwrap()), expected(&way.host, &ALL[..1]));

    let sshd = Sshd::start(&["ed25519"]);
    let proxy = "bash -c 'exec 3<>/dev/tcp/%h/%p; cat <&3 & exec cat >&3'".to_owned();
    let target = Target { proxy_command: Some(proxy), ..sshd.unpinned() };
    assert_eq!(told(sshd.transport("").host_keys(&target).await.unwrap()), expected(&sshd, &ALL[..1]));
}

#[tokio::test]
async fn a_host_that_does_not_answer_is_no_host_without_keys() {
    let sshd = Sshd::start(&["ed25519"]);
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let target = Target { port: Some(closed), ..sshd.unpinned() };
    let (native, openssh) = (sshd.transport(""), openssh::transport(&sshd, "", ""));
    for transport in [&native as &dyn Transport, &openssh] {
        let error = transport.host_keys(&target).await.unwrap_err();
        assert!(matches!(error, SshError::Connect { .. }), "{error}");
    }
}
