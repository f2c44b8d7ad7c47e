//! Running `kubeadm`: its configuration for the length of the command, its progress, and what is told when it fails.

use std::collections::VecDeque;
use std::path::Path;
use std::time::Duration;

use garboard_protocol::Secret;

use super::path::failed;
use super::unit::last_log_lines;
use super::{Context, Evidence, StepError};
use crate::system::{Command, CommandError, Live};

const FOLDER: &str = "/run/garboard";
/// Lines of its output that an error shows.
const KEPT_LINES: usize = 20;

/// Runs `kubeadm VERB --config FILE OPTIONS`. The configuration, which holds the token, is in a 0600 file in memory
/// (`/run`) only while it runs.
pub(super) fn run(
    verb: &str,
    options: &[&str],
    config: &Secret,
    timeout: Duration,
    context: &Context<'_>,
) -> Result<(), StepError> {
    let system = context.system;
    let path = format!("{FOLDER}/kubeadm-{verb}.yaml");
    if system.metadata(Path::new(FOLDER)).map_err(failed("read", FOLDER))?.is_none() {
        system.create_directory(Path::new(FOLDER), 0o700).map_err(failed("make", FOLDER))?;
    }
    system.write(Path::new(&path), config.expose().as_bytes(), 0o600).map_err(failed("write", &path))?;
    let arguments = [verb, "--config", &path].into_iter().chain(options.iter().copied());
    let command = Command::new("kubeadm", arguments).timeout(timeout);
    let mut told = Told::default();
    let mut line = |line: &str| {
        if line.starts_with('[') {
            (context.progress)(&redacted(line));
        }
        told.hear(line);
    };
    let result = system.run_live(&command, Live { feed: None, line: Some(&mut line) });
    system.remove_file(Path::new(&path)).map_err(failed("remove", &path))?;
    match result {
        Ok(_) => Ok(()),
        Err(CommandError::Exit { code, .. }) => {
            let why = told.error.clone().unwrap_or_else(|| format!("exit code {code}"));
            Err(explained(format!("`kubeadm {verb}` failed: {why}"), told, context))
        }
        Err(CommandError::Timeout { .. }) => {
            let message =
                format!("`kubeadm {verb}` did not end within {} s and was stopped", timeout.as_secs());
            Err(explained(message, told, context))
        }
        Err(error) => Err(error.into()),
    }
}

/// What a command said, as far as an error report wants it: without secrets, and without the table of kernel features that
/// kubeadm prints in colours.
#[derive(Default)]
struct Told {
    /// The end of it.
    lines: VecDeque<String>,
    /// The line that says what is wrong.
    error: Option<String>,
}

impl Told {
    fn hear(&mut self, line: &str) {
        if line.trim().is_empty() || line.contains('\u{1b}') {
            return;
        }
        let line = redacted(line);
        // kubeadm writes one of these last (`app/util/error.go`).
        let error =
            ["error execution phase ", "error: ", "[preflight] Some fatal errors occurred:", "\t[ERROR "]
                .iter()
                .any(|start| line.starts_with(start));
        if error {
            let text = line.trim().trim_start_matches("error: ");
            self.error = Some(match self.error.take() {
                Some(before) if line.starts_with('\t') => format!("{before} {text}"),
                _ => text.to_owned(),
            });
        }
        if self.lines.len() == KEPT_LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }
}

fn explained(message: String, told: Told, context: &Context<'_>) -> StepError {
    let kubelet = redacted(&last_log_lines("kubelet.service", context.system.look()));
    let output: Vec<_> = told.lines.into();
    StepError::Explained {
        message,
        help: Some(
            "on the host: `journalctl -u kubelet`, `crictl ps -a`; run again once the cause is gone"
                .to_owned(),
        ),
        evidence: Evidence::of([
            format!("the end of its output:\n{}", output.join("\n")),
            format!("the end of the kubelet's log:\n{kubelet}"),
        ]),
    }
}

/// Takes out everything shaped like a bootstrap token's secret or a certificate key (kubeadm `bootstraptoken/util`:
/// `[a-z0-9]{6}\.[a-z0-9]{16}`; 64 hex digits that are no digest).
pub(super) fn redacted(text: &str) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '.';
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(is_part) {
        let (between, word) = rest.split_at(start);
        let (word, after) = word.split_at(word.find(|c| !is_part(c)).unwrap_or(word.len()));
        result.push_str(between);
        let bare = word.trim_end_matches('.');
        if is_token(bare) || (is_key(bare) && !result.ends_with("sha256:")) {
            result.push_str("[secret]");
            result.push_str(&word[bare.len()..]);
        } else {
            result.push_str(word);
        }
        rest = after;
    }
    result.push_str(rest);
    result
}

fn is_token(word: &str) -> bool {
    let lower = |part: &str| part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    word.split_once('.')
        .is_some_and(|(id, secret)| id.len() == 6 && secret.len() == 16 && lower(id) && lower(secret))
}

fn is_key(word: &str) -> bool {
    word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::{Told, redacted};

    #[test]
    fn the_line_that_says_what_is_wrong_is_found_among_the_noise() {
        let mut told = Told::default();
        for line in [
            "\u{1b}[0;37mCONFIG_CGROUPS\u{1b}[0m: \u{1b}[0;32menabled\u{1b}[0m",
            "[preflight] Running pre-flight checks",
            "error: error execution phase kubelet-start: a Node with name \"w1\" and status \"Ready\" already exists in the cluster.",
            "To see the stack trace of this error execute with --v=5 or higher",
        ] {
            told.hear(line);
        }
        assert!(
            told.error.is_some_and(|error| error.starts_with("error execution phase kubelet-start: a Node"))
        );
        assert_eq!(told.lines.len(), 3);
    }

    #[test]
    fn the_checks_that_failed_are_all_named() {
        let mut told = Told::default();
        for line in [
            "[preflight] Some fatal errors occurred:",
            "\t[ERROR Port-10250]: Port 10250 is in use",
            "\t[ERROR Swap]: running with swap on is not supported",
        ] {
            told.hear(line);
        }
        let error = told.error.unwrap();
        assert!(error.contains("Port 10250") && error.contains("Swap"), "{error}");
    }

    #[test]
    fn tokens_and_certificate_keys_are_taken_out_and_digests_stay() {
        let hex = "0123456789abcdef".repeat(4);
        for (text, shown) in [
            ("--token abcdef.0123456789abcdef \\".to_owned(), "--token [secret] \\".to_owned()),
            ("using token: abcdef.0123456789abcdef.".to_owned(), "using token: [secret].".to_owned()),
            (format!("--certificate-key {hex}"), "--certificate-key [secret]".to_owned()),
            (
                format!("--discovery-token-ca-cert-hash sha256:{hex}"),
                format!("--discovery-token-ca-cert-hash sha256:{hex}"),
            ),
            (
                "kube-apiserver:v1.36.3 at 10.66.0.11".to_owned(),
                "kube-apiserver:v1.36.3 at 10.66.0.11".to_owned(),
            ),
        ] {
            assert_eq!(redacted(&text), shown);
        }
    }
}
