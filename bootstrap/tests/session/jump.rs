//! Through jump hosts, as `~/.ssh/config` names them: each hop is an sshd of its own.

use std::fmt::Write as _;

use futures::future::join_all;
use garboard::problem::Exit;
use garboard::ssh::{Native, NativeOptions, SshError, Target, Transport as _};
use garboard_inventory::Jump;

use crate::sshd::{Sshd, refused, says};

/// Two jump hosts and a host behind them, with a home whose configuration knows the way.
pub(crate) struct Way {
    home: tempfile::TempDir,
    first: Sshd,
    second: Sshd,
    pub(crate) host: Sshd,
}

impl Way {
    pub(crate) fn new() -> Self {
        let hops = ["first", "second", "host"].map(|_| Sshd::start(&["ed25519"]));
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join(".ssh");
        fs_err::create_dir(&folder).unwrap();
        let (mut config, mut known_hosts) = (String::new(), String::new());
        for (name, sshd) in ["first", "second", "host"].iter().zip(&hops) {
            let (port, key) = (sshd.port(), sshd.path("id_ed25519"));
            let user = sshd.target().user.unwrap();
            write!(
                config,
                "Host {name}\n  HostName 127.0.0.1\n  Port {port}\n  User {user}\n  IdentityFile {}\n",
                key.display()
            )
            .unwrap();
            known_hosts += &sshd.known_host("ed25519");
        }
        config += "Host ho*\n  ProxyJump first,second\n";
        fs_err::write(folder.join("config"), config).unwrap();
        fs_err::write(folder.join("known_hosts"), known_hosts).unwrap();
        let [first, second, host] = hops;
        Self { home, first, second, host }
    }

    pub(crate) fn home(&self) -> &std::path::Path {
        self.home.path()
    }

    pub(crate) fn transport(&self) -> Native {
        Native::new(NativeOptions {
            home: Some(self.home.path().to_owned()),
            known_hosts: vec![self.home.path().join(".ssh/known_hosts")],
            ..NativeOptions::default()
        })
    }

    pub(crate) fn connections(&self) -> [usize; 3] {
        [&self.first, &self.second, &self.host].map(Sshd::connections)
    }
}

fn target(address: &str) -> Target {
    Target { address: address.to_owned(), ..Target::default() }
}

#[tokio::test]
async fn many_hosts_share_one_connection_to_each_jump_host() {
    let way = Way::new();
    let transport = way.transport();
    let targets = vec![target("host"); 12];
    let connections = join_all(targets.iter().map(|host| transport.connect(host))).await;
    assert_eq!(way.connections(), [1, 1, 12]);
    // What the jump hosts carry ends with its hosts, not with the transport.
    drop(transport);
    for connection in connections {
        assert_eq!(says(&*connection.unwrap(), "echo through").await, "through\n");
    }
}

#[tokio::test]
async fn a_jump_host_of_the_inventory_is_passed_as_well() {
    let way = Way::new();
    let direct = Target { proxy_jump: Jump::parse("second").unwrap(), ..target("host") };
    let connection = way.transport().connect(&direct).await.unwrap();
    assert_eq!(says(&*connection, "echo through").await, "through\n");
    assert_eq!(way.connections(), [0, 1, 1]);
}

#[tokio::test]
async fn the_key_of_a_jump_host_must_be_known_too() {
    let way = Way::new();
    fs_err::write(way.home.path().join(".ssh/known_hosts"), way.first.known_host("ed25519")).unwrap();
    let transport = way.transport();
    for _ in 0..2 {
        let error = refused(&transport, &target("host")).await;
        let problem = error.problem("cp1");
        assert_eq!((problem.exit, problem.host.as_deref()), (Exit::Refused, Some("cp1")));
        assert!(problem.message.contains("jump host `second`"), "{problem:?}");
        assert!(problem.causes[0].contains("is not pinned"), "{problem:?}");
    }
    // The second host behind it did not try again.
    assert_eq!(way.connections(), [1, 1, 0]);
}

#[tokio::test]
async fn a_jump_host_that_forwards_nothing_and_one_that_reaches_nothing_are_told_apart() {
    let way = Way::new();
    way.second.configure("AllowTcpForwarding no");
    let error = refused(&way.transport(), &target("host")).await;
    assert!(matches!(error, SshError::Forward { refused: true, .. }), "{error}");
    assert!(error.help().unwrap().contains("AllowTcpForwarding"));

    let way = Way::new();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = refused(&way.transport(), &Target { port: Some(closed), ..target("host") }).await;
    assert!(matches!(error, SshError::Forward { refused: false, .. }), "{error}");
    assert!(error.to_string().contains(&format!("port {closed}")), "{error}");
}
