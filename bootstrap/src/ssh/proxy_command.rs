//! The user's own way to sshd: a command whose standard input and output carry the connection.

use std::io;
use std::pin::Pin;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::watch;
use tokio::time::timeout;

use super::stream::Tail;

/// For a command that has ended to be heard out.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What stands for what in a proxy command; see `TOKENS` in `ssh_config(5)`.
pub(super) struct Tokens<'a> {
    /// `%h`: the host to connect to.
    pub(super) host: &'a str,
    /// `%n`: the host as the user named it.
    pub(super) original: &'a str,
    /// `%p`.
    pub(super) port: u16,
    /// `%r`.
    pub(super) user: &'a str,
}

/// Replaces the tokens. `Err` holds a token that means nothing to us.
pub(super) fn expand(command: &str, tokens: &Tokens<'_>) -> Result<String, String> {
    let mut expanded = String::with_capacity(command.len());
    let mut characters = command.chars();
    while let Some(character) = characters.next() {
        if character != '%' {
            expanded.push(character);
            continue;
        }
        match characters.next() {
            Some('h') => expanded.push_str(tokens.host),
            Some('n') => expanded.push_str(tokens.original),
            Some('p') => expanded.push_str(&tokens.port.to_string()),
            Some('r') => expanded.push_str(tokens.user),
            Some('%') => expanded.push('%'),
            Some(other) => return Err(format!("%{other}")),
            None => return Err("%".to_owned()),
        }
    }
    Ok(expanded)
}

/// A running proxy command. Dropping it kills it.
pub(super) struct Proxy {
    input: ChildStdin,
    output: ChildStdout,
    group: Option<Pid>,
    // Reaped by the runtime after the drop.
    _child: Child,
}

/// The end of what a proxy command has written to its standard error.
pub(super) struct Said {
    tail: Arc<Mutex<Tail>>,
    /// Its sender goes away with the last word.
    more: watch::Receiver<()>,
}

impl Said {
    /// All of it once the command is gone, which it should be; else what there is by then.
    pub(super) async fn text(mut self) -> String {
        let _ = timeout(LAST_WORDS, self.more.changed()).await;
        self.tail.lock().unwrap_or_else(PoisonError::into_inner).text()
    }
}

impl Proxy {
    /// Starts an expanded command, which is the user's own shell text, as `OpenSSH` does.
    pub(super) fn start(command: &str) -> io::Result<(Self, Said)> {
        let mut child = Command::new("/bin/sh")
            .arg("-c")
            .arg(format!("exec {command}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Its own group: Ctrl-C is a message to us, the connection must outlast it.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let missing = || io::Error::other("a pipe to the proxy command is missing");
        let input = child.stdin.take().ok_or_else(missing)?;
        let output = child.stdout.take().ok_or_else(missing)?;
        let mut stderr = child.stderr.take().ok_or_else(missing)?;
        let group = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
        let tail = Arc::new(Mutex::new(Tail::default()));
        let (speaking, more) = watch::channel(());
        let said = Said { tail: tail.clone(), more };
        tokio::spawn(async move {
            let _speaking = speaking;
            let mut buffer = [0_u8; 4096];
            while let Ok(count @ 1..) = stderr.read(&mut buffer).await {
                tail.lock().unwrap_or_else(PoisonError::into_inner).push(&buffer[..count]);
            }
        });
        Ok((Self { input, output, group, _child: child }, said))
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(group) = self.group {
            // Not there any more when the command ended by itself.
            let _ = killpg(group, Signal::SIGKILL);
        }
    }
}

impl AsyncRead for Proxy {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.output).poll_read(context, buffer)
    }
}

impl AsyncWrite for Proxy {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.input).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.input).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.input).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::{Tokens, expand};

    const TOKENS: Tokens<'_> = Tokens { host: "10.66.0.11", original: "cp1.lab", port: 2222, user: "pi" };

    #[test]
    fn tokens_of_a_proxy_command_are_replaced() {
        let expanded = expand("ssh -l %r -W %h:%p gate # %n 100%%", &TOKENS);
        assert_eq!(expanded.as_deref(), Ok("ssh -l pi -W 10.66.0.11:2222 gate # cp1.lab 100%"));
    }

    #[test]
    fn an_unknown_token_is_refused_by_name() {
        assert_eq!(expand("nc %h %k", &TOKENS), Err("%k".to_owned()));
        assert_eq!(expand("nc %h %", &TOKENS), Err("%".to_owned()));
    }
}
