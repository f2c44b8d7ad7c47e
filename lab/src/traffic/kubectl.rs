//! `kubectl` in the lab's network, with the cluster's kubeconfig.

use std::process::{Output, Stdio};

use tokio::io::AsyncWriteExt as _;

use crate::{Error, Lab, Result, exec, program};

/// Runs `kubectl` as `garboard lab run` does.
pub(super) struct Kubectl<'a> {
    lab: &'a Lab,
}

impl<'a> Kubectl<'a> {
    /// For the cluster on a lab's hosts.
    pub(super) fn new(lab: &'a Lab) -> Self {
        Self { lab }
    }

    /// Runs it to its end; gives its standard output.
    pub(super) async fn run(&self, arguments: &[&str], input: &str) -> Result<String> {
        let output = self.output(arguments, input).await?;
        if !output.status.success() {
            return Err(Error::Program {
                command: format!("kubectl {}", arguments.join(" ")),
                status: output.status,
                stderr: program::tail(&String::from_utf8_lossy(&output.stderr), 5),
            });
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Runs it to its end, for a caller to whom a failure is an answer.
    pub(super) async fn output(&self, arguments: &[&str], input: &str) -> Result<Output> {
        let spawn = |source| Error::Spawn { command: format!("kubectl {}", arguments.join(" ")), source };
        let mut command = std::process::Command::new(&self.lab.places.program);
        exec::set_places(&mut command, &self.lab.places);
        command.args(["lab", "run", self.lab.name(), "--", "kubectl"]).args(arguments);
        let mut child = tokio::process::Command::from(command)
            .stdin(if input.is_empty() { Stdio::null() } else { Stdio::piped() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(spawn)?;
        if let Some(mut stdin) = child.stdin.take() {
            // A program that ends early says why on its own.
            let _ = stdin.write_all(input.as_bytes()).await;
        }
        child.wait_with_output().await.map_err(spawn)
    }
}
