//! The built program: `pipe` and its command line.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener};
use std::process::{Child, Command, Stdio};

/// `GARBOARD_AGENT_RUNNER`: what runs a program of this architecture, where the machine itself does not.
fn agent(arguments: &[&str]) -> Child {
    let program = env!("CARGO_BIN_EXE_garboard-agent");
    let mut command = match std::env::var_os("GARBOARD_AGENT_RUNNER") {
        Some(runner) => {
            let mut command = Command::new(runner);
            command.arg(program);
            command
        }
        None => Command::new(program),
    };
    command
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn pipe_passes_each_byte_on_at_once_and_each_end_in_its_direction() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut child = agent(&["pipe", &listener.local_addr().unwrap().to_string()]);
    let (mut input, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let (mut server, _) = listener.accept().unwrap();
    let mut buffer = [0; 4];
    // No line ends, nothing that would fill a buffer: each has to arrive before the next is sent.
    for _ in 0..3 {
        input.write_all(b"ping").unwrap();
        server.read_exact(&mut buffer).unwrap();
        assert_eq!(&buffer, b"ping");
        server.write_all(b"pong").unwrap();
        output.read_exact(&mut buffer).unwrap();
        assert_eq!(&buffer, b"pong");
    }
    drop(input);
    let mut rest = Vec::new();
    server.read_to_end(&mut rest).unwrap();
    assert!(rest.is_empty(), "the end of standard input did not reach the server");
    server.write_all(b"the last word").unwrap();
    server.shutdown(Shutdown::Both).unwrap();
    output.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, b"the last word");
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_port_nobody_listens_on_is_named_as_the_cause() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let output = agent(&["pipe", &address.to_string()]).wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains(&address.to_string()) && said.contains("refused"), "{said}");
}

#[test]
fn a_wrong_command_line_shows_the_usage() {
    let output = agent(&["dance"]).wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("`dance`") && said.contains("usage:"), "{said}");
}
