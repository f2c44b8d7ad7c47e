//! Running `kubeadm`: its configuration for the length of the command, its progress, and what is told when it fails.

use std::path::Path;
use std::time::Duration;

use garboard_protocol::Secret;

use super::path::failed;
use super::unit::last_log_lines;
use super::{Context, StepError};
use crate::system::{Command, CommandError, Live};

const FOLDER: &str = "/run/garboard";

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
    let mut line = |line: &str| {
        if line.starts_with('[') {
            (context.progress)(&redacted(line));
        }
    };
    let result = system.run_live(&command, Live { feed: None, line: Some(&mut line) });
    system.remove_file(Path::new(&path)).map_err(failed("remove", &path))?;
    match result {
        Ok(_) => Ok(()),
        Err(CommandError::Exit { stderr: printed, code, .. }) => {
            Err(explained(&format!("`kubeadm {verb}` ended with exit code {code}"), &printed, context))
        }
        Err(CommandError::Timeout { printed, .. }) => {
            let message =
                format!("`kubeadm {verb}` did not end within {} s and was stopped", timeout.as_secs());
            Err(explained(&message, &printed, context))
        }
        Err(error) => Err(error.into()),
    }
}

fn explained(message: &str, printed: &str, context: &Context<'_>) -> StepError {
    let kubelet = last_log_lines("kubelet.service", context.system.look());
    StepError::Failed {
        message: format!(
            "{message}\nthe end of its output:\n{}\nthe end of the kubelet's log:\n{}",
            last(&redacted(printed), 25),
            last(&redacted(&kubelet), 15)
        ),
        help: Some(
            "on the host: `journalctl -u kubelet`, `crictl ps -a`; run again once the cause is gone"
                .to_owned(),
        ),
    }
}

fn last(text: &str, count: usize) -> String {
    let lines: Vec<_> = text.trim_end().lines().map(|line| format!("  {line}")).collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
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
    use super::redacted;

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
