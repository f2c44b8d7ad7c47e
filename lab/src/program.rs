//! Running the machine's own programs: argument vectors, no shell.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::{Error, Result};

/// Runs a program to its end; gives its standard output.
pub(crate) fn run(argv: &[&str]) -> Result<String> {
    run_with_input(argv, "")
}

/// As [`run`], with something on standard input.
pub(crate) fn run_with_input(argv: &[&str], input: &str) -> Result<String> {
    let output = output(argv, input)?;
    if !output.status.success() {
        return Err(Error::Program {
            command: argv.join(" "),
            status: output.status,
            stderr: tail(&String::from_utf8_lossy(&output.stderr), 5),
        });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// As [`run_with_input`], for callers to whom a failure is an answer.
pub(crate) fn output(argv: &[&str], input: &str) -> Result<std::process::Output> {
    let spawn = |source| Error::Spawn { command: argv.join(" "), source };
    let mut child = Command::new(argv[0])
        .args(&argv[1..])
        .env("LC_ALL", "C")
        .stdin(if input.is_empty() { Stdio::null() } else { Stdio::piped() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(spawn)?;
    if let Some(mut stdin) = child.stdin.take() {
        // All inputs are a few lines, far below a pipe's capacity; a program that ends early says why on its own.
        let _ = stdin.write_all(input.as_bytes());
    }
    Ok(child.wait_with_output()?)
}

/// The last `count` lines that are not empty, in one line.
pub(crate) fn tail(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(count)..].join(" | ")
}
