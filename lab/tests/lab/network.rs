//! The hosts' network: with each other, and through `lab connect`.

use std::io::Write as _;
use std::process::{Command, Stdio};

use super::fixture::{TestLab, places};

#[test]
fn hosts_reach_each_other() {
    let test = TestLab::up("t-reach", 1);
    let address = test.lab.host("cp1").unwrap().address.to_string();
    test.says("w1", &["ping", "-c", "1", "-W", "2", &address]);
}

#[test]
fn much_data_passes_through_connect_unchanged() {
    let test = TestLab::up("t-connect", 0);
    let address = test.lab.host("cp1").unwrap().address.to_string();
    let data: Vec<u8> =
        (0..20_000_000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut ssh = Command::new("ssh")
        .args(["-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o", "LogLevel=ERROR"])
        .args(["-o", "UserKnownHostsFile=/dev/null", "-i"])
        .arg(test.lab.inventory().with_file_name("identity"))
        .arg("-o")
        .arg(format!("ProxyCommand={} lab connect t-connect cp1 22", places().program.display()))
        .args([&format!("root@{address}"), "cat"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = ssh.stdin.take().unwrap();
    let sent = data.clone();
    let sender = std::thread::spawn(move || stdin.write_all(&sent));
    let output = ssh.wait_with_output().unwrap();
    sender.join().unwrap().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stdout == data, "{} of {} bytes came back", output.stdout.len(), data.len());
}
