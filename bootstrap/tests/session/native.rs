//! SSH against a real sshd.

use std::time::Duration;

use garboard::problem::Exit;
use garboard::ssh::{ExitStatus, Native, NativeOptions, SshError, Target, Transport as _};
use garboard_protocol::Digest;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::time::{Instant, interval, timeout};

use crate::sshd::{Sshd, generate, refused, says, text};

#[tokio::test]
async fn a_command_has_its_input_output_errors_and_exit_code() {
    let sshd = Sshd::start(&["ed25519"]);
    let connection = sshd.transport("").connect(&sshd.target()).await.unwrap();
    let mut stream = connection.open("echo wrong >&2; cat; exit 7").await.unwrap();
    stream.write_all(b"to and fro").await.unwrap();
    stream.shutdown().await.unwrap();
    assert_eq!(text(&mut stream).await, "to and fro");
    let mut ending = stream.ending();
    assert_eq!(ending.wait().await, ExitStatus::Code(7));
    assert_eq!(ending.stderr(), "wrong");

    let mut killed = connection.open("kill -TERM $$").await.unwrap();
    assert_eq!(text(&mut killed).await, "");
    assert_eq!(killed.ending().wait().await, ExitStatus::Signal("TERM".to_owned()));
    assert!(connection.bytes_sent() > 1000 && connection.bytes_received() > 1000);
    assert_eq!(sshd.connections(), 1);
}

#[tokio::test]
async fn a_dropped_stream_ends_its_command() {
    let sshd = Sshd::start(&["ed25519"]);
    let connection = sshd.transport("").connect(&sshd.target()).await.unwrap();
    let mut stream = connection.open("echo $$; exec cat").await.unwrap();
    let mut line = String::new();
    BufReader::new(&mut stream).read_line(&mut line).await.unwrap();
    let process: i32 = line.trim().parse().unwrap();
    assert!(is_there(process));
    drop(stream);
    is_gone(process).await;
    assert_eq!(says(&*connection, "echo still here").await, "still here\n");
}

#[tokio::test]
async fn a_key_nobody_let_in_is_named() {
    let sshd = Sshd::start(&["ed25519"]);
    let wrong = sshd.path("wrong");
    generate(&wrong, "ed25519", "");
    let target = Target { identity: vec![wrong.clone()], ..sshd.target() };
    let error = refused(&sshd.transport(""), &target).await;
    assert!(matches!(error, SshError::Denied { .. }), "{error}");
    let expected =
        format!("`127.0.0.1` does not let `{}` in with `{}`", target.user.unwrap(), wrong.display());
    assert!(error.to_string().starts_with(&expected), "{error}");
    assert!(error.help().unwrap().contains("ssh-copy-id"));
}

#[tokio::test]
async fn rsa_and_ecdsa_keys_log_in_as_well_and_the_second_key_is_tried() {
    let sshd = Sshd::start(&["ed25519"]);
    let wrong = sshd.path("wrong");
    generate(&wrong, "ed25519", "");
    for kind in ["rsa", "ecdsa"] {
        let key = sshd.path(&format!("id_{kind}"));
        generate(&key, kind, "");
        sshd.authorize(&key.with_extension("pub"));
        let target = Target { identity: vec![wrong.clone(), key], ..sshd.target() };
        let connection =
            sshd.transport("").connect(&target).await.unwrap_or_else(|error| panic!("{kind}: {error}"));
        assert_eq!(says(&*connection, "echo in").await, "in\n");
    }
}

#[tokio::test]
async fn an_unknown_host_key_is_refused_with_the_line_to_pin_it() {
    let sshd = Sshd::start(&["ed25519"]);
    let error = refused(&sshd.transport("other.lan ssh-ed25519 AAAA\n"), &sshd.unpinned()).await;
    let problem = error.problem("cp1");
    assert!(matches!(error, SshError::UnknownHostKey { .. }), "{error}");
    assert_eq!(problem.exit, Exit::Refused);
    let line = format!("host_key: \"{}\"", sshd.fingerprint("ed25519"));
    assert!(problem.help.unwrap().contains(&line));
}

#[tokio::test]
async fn a_recorded_host_key_lets_in_and_is_asked_for_first() {
    let sshd = Sshd::start(&["ed25519", "ecdsa", "rsa"]);
    for kind in ["rsa", "ecdsa", "ed25519"] {
        let transport = sshd.transport(&sshd.known_host(kind));
        transport.connect(&sshd.unpinned()).await.unwrap_or_else(|error| panic!("{kind}: {error}"));
    }
    assert_eq!(sshd.connections(), 3);
}

#[tokio::test]
async fn a_changed_host_key_is_refused_and_names_both() {
    let (sshd, other) = (Sshd::start(&["ed25519"]), Sshd::start(&["ed25519"]));
    let (shown, pinned) = (sshd.fingerprint("ed25519"), other.fingerprint("ed25519"));
    let key = fs_err::read_to_string(other.path("host_ed25519.pub")).unwrap();
    let recorded = format!("[127.0.0.1]:{} {key}", sshd.port());
    let in_inventory = Target { host_key: Some(pinned.clone()), ..sshd.unpinned() };
    // The inventory's pin counts, even where a known-hosts file has the key that is shown.
    for (known_hosts, target) in [(recorded, sshd.unpinned()), (sshd.known_host("ed25519"), in_inventory)] {
        let error = refused(&sshd.transport(&known_hosts), &target).await;
        assert!(matches!(error, SshError::ChangedHostKey { .. }), "{error}");
        assert_eq!(error.exit(), Exit::Refused);
        let text = error.to_string();
        assert!(text.contains(&shown) && text.contains(&pinned), "{text}");
    }
}

#[tokio::test]
async fn a_pinned_fingerprint_of_any_of_the_hosts_keys_lets_in() {
    let sshd = Sshd::start(&["ed25519", "ecdsa", "rsa"]);
    for kind in ["ed25519", "ecdsa", "rsa"] {
        let target = Target { host_key: Some(sshd.fingerprint(kind)), ..sshd.unpinned() };
        sshd.transport("").connect(&target).await.unwrap_or_else(|error| panic!("{kind}: {error}"));
    }
}

#[tokio::test]
async fn a_revoked_host_key_and_an_unreadable_file_are_refused() {
    let sshd = Sshd::start(&["ed25519"]);
    let line = sshd.known_host("ed25519");
    let error = refused(&sshd.transport(&format!("{line}@revoked {line}")), &sshd.unpinned()).await;
    assert!(matches!(error, SshError::RevokedHostKey { .. }), "{error}");

    let folder = sshd.path("known_hosts_folder");
    fs_err::create_dir(&folder).unwrap();
    let transport = Native::new(NativeOptions { known_hosts: vec![folder], ..NativeOptions::default() });
    let before = sshd.connections();
    let error = refused(&transport, &sshd.unpinned()).await;
    assert!(matches!(error, SshError::KnownHosts { .. }), "{error}");
    assert_eq!(sshd.connections(), before, "it connected before it knew which key is right");
}

#[tokio::test]
async fn a_proxy_command_leads_to_sshd_and_ends_with_the_connection() {
    let sshd = Sshd::start(&["ed25519"]);
    let process = sshd.path("proxy.pid");
    // Two processes: the shell and the `cat` that carries one direction.
    let proxy =
        format!("bash -c 'echo $$ >{}; exec 3<>/dev/tcp/%h/%p; cat <&3 & cat >&3'", process.display());
    let target = Target { proxy_command: Some(proxy), ..sshd.target() };
    let connection = sshd.transport("").connect(&target).await.unwrap();
    assert_eq!(says(&*connection, "echo through").await, "through\n");
    let process: i32 = fs_err::read_to_string(process).unwrap().trim().parse().unwrap();
    let group = members(process);
    assert!(group.len() >= 2, "{group:?}");
    drop(connection);
    for member in group {
        is_gone(member).await;
    }
}

#[tokio::test]
async fn a_proxy_command_that_fails_has_its_say() {
    let sshd = Sshd::start(&["ed25519"]);
    let proxy = "sh -c 'echo no way to %h >&2; exit 1'".to_owned();
    let error = refused(&sshd.transport(""), &Target { proxy_command: Some(proxy), ..sshd.target() }).await;
    assert!(error.to_string().contains("no way to 127.0.0.1"), "{error}");
}

#[tokio::test]
async fn a_closed_port_and_a_name_without_meaning_are_named() {
    let sshd = Sshd::start(&["ed25519"]);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let error = refused(&sshd.transport(""), &Target { port: Some(port), ..sshd.target() }).await;
    assert_eq!(error.to_string(), format!("cannot connect to `127.0.0.1` port {port}"));
    assert!(error.problem("cp1").causes[0].contains("refused"));
    let address = "no-such-host.invalid".to_owned();
    let error = refused(&sshd.transport(""), &Target { address, ..sshd.target() }).await;
    assert!(matches!(error, SshError::Resolve { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_host_that_says_nothing_is_given_up_after_ten_seconds() {
    let sshd = Sshd::start(&["ed25519"]);
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let before = Instant::now();
    let error = refused(&sshd.transport(""), &Target { port: Some(port), ..sshd.target() }).await;
    assert!(matches!(error, SshError::TimedOut { seconds: 10, .. }), "{error}");
    assert!(before.elapsed() >= Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn a_host_that_stalls_in_the_middle_is_hung_up_on() {
    let sshd = Sshd::start(&["ed25519"]);
    let stalling = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = stalling.local_addr().unwrap().port();
    let hung_up = tokio::spawn(async move {
        let (mut stream, _) = stalling.accept().await.unwrap();
        stream.write_all(b"SSH-2.0-stalling\r\n").await.unwrap();
        stream.read_to_end(&mut Vec::new()).await.unwrap();
    });
    let error = refused(&sshd.transport(""), &Target { port: Some(port), ..sshd.target() }).await;
    assert!(matches!(error, SshError::TimedOut { seconds: 10, .. }), "{error}");
    timeout(Duration::from_secs(1), hung_up).await.expect("the connection is still open").unwrap();
}

#[tokio::test]
async fn where_sshd_opens_no_further_channel_one_more_connection_does() {
    let sshd = Sshd::start(&["ed25519"]);
    sshd.configure("MaxSessions 2");
    let connection = sshd.transport("").connect(&sshd.target()).await.unwrap();
    let mut streams = Vec::new();
    for number in 0..5 {
        let mut stream = connection.open("exec cat").await.unwrap();
        stream.write_all(&[number]).await.unwrap();
        streams.push(stream);
    }
    for (number, stream) in streams.iter_mut().enumerate() {
        assert_eq!(usize::from(stream.read_u8().await.unwrap()), number);
    }
    assert_eq!(sshd.connections(), 3);
    drop(streams);
}

#[tokio::test]
async fn where_sshd_opens_no_channel_at_all_the_setting_is_named() {
    let sshd = Sshd::start(&["ed25519"]);
    sshd.configure("MaxSessions 0");
    let connection = sshd.transport("").connect(&sshd.target()).await.unwrap();
    let error = connection.open("cat").await.unwrap_err();
    assert!(error.help().unwrap().contains("MaxSessions"), "{error}");
    assert_eq!(sshd.connections(), 2);
}

#[tokio::test]
async fn a_lost_connection_ends_the_stream_and_says_so() {
    let sshd = Sshd::start(&["ed25519"]);
    let connection = sshd.transport("").connect(&sshd.target()).await.unwrap();
    // The parent of the command's shell is the sshd of this connection.
    let mut stream = connection.open("kill -KILL $PPID; exec cat").await.unwrap();
    assert_eq!(text(&mut stream).await, "");
    assert!(matches!(stream.ending().wait().await, ExitStatus::Lost(_)));
    let error = connection.open("true").await.unwrap_err();
    assert!(matches!(error, SshError::Channel { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_transfers_in_both_directions_arrive_whole_and_never_stall() {
    const BYTES: usize = 64 * 1024 * 1024;
    let sshd = Sshd::start(&["ed25519"]);
    let connection = sshd.transport("").connect(&sshd.target()).await.unwrap();
    let content: Vec<u8> =
        (0..BYTES).map(|index| index.wrapping_mul(2_654_435_761).to_be_bytes()[5]).collect();
    let digest = Digest::of(&content).hex();
    let before = Instant::now();
    let moved = async {
        let mut stream = connection.open("exec cat").await.unwrap();
        let (mut output, mut input) = tokio::io::split(&mut stream);
        let send = async {
            input.write_all(&content).await.unwrap();
            input.shutdown().await.unwrap();
        };
        let mut arrived = Vec::with_capacity(BYTES);
        let receive = output.read_to_end(&mut arrived);
        let ((), received) = tokio::join!(send, receive);
        received.unwrap();
        arrived
    };
    let arrived = timeout(Duration::from_mins(2), moved).await.expect("the transfer stalled");
    assert_eq!(Digest::of(&arrived).hex(), digest);
    println!("64 MiB there and back in {:?}", before.elapsed());
    assert!(connection.bytes_sent() > BYTES as u64);
}

pub(crate) fn is_there(process: i32) -> bool {
    // A zombie whose parent has not looked yet is gone all the same.
    let state = fs_err::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    !matches!(state.rsplit(')').next().unwrap_or_default().trim().chars().next(), None | Some('Z' | 'X'))
}

/// Processes of other users' children cannot be waited for: polls, up to ten seconds.
pub(crate) async fn is_gone(process: i32) {
    let mut tick = interval(Duration::from_millis(20));
    let gone = async {
        while is_there(process) {
            tick.tick().await;
        }
    };
    timeout(Duration::from_secs(10), gone)
        .await
        .unwrap_or_else(|_| panic!("process {process} is still there"));
}

/// Processes of a group, which is named after its first one.
fn members(group: i32) -> Vec<i32> {
    let processes = fs_err::read_dir("/proc").unwrap().filter_map(|entry| {
        let name = entry.unwrap().file_name();
        let process: i32 = name.to_str()?.parse().ok()?;
        let state = fs_err::read_to_string(format!("/proc/{process}/stat")).ok()?;
        // After the name in brackets: state, parent, group.
        let found: i32 = state.rsplit(')').next()?.split_whitespace().nth(2)?.parse().ok()?;
        (found == group).then_some(process)
    });
    processes.collect()
}
