//! Lines the scripts answer with, among whatever else a login prints.

use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::time::timeout;

use super::DeployError;
use crate::ssh::Stream;

/// For an answer of a script; sudo can take its time when the host's name does not resolve.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// Greetings and warnings a login may print before our scripts run.
const MOST_NOISE: usize = 64 * 1024;
const MARK: &str = "garboard: ";

/// Reads the answers of one script.
pub(super) struct Answers<'a> {
    login: &'a str,
    doing: &'static str,
    line: Vec<u8>,
    noise: usize,
}

impl<'a> Answers<'a> {
    pub(super) fn new(login: &'a str, doing: &'static str) -> Self {
        Self { login, doing, line: Vec::new(), noise: 0 }
    }

    /// Waits for the next answer; what follows it in the stream is left there. `None`: the output ended without one.
    /// Can be given up at any time and called again without losing anything.
    pub(super) async fn next(&mut self, stream: &mut Stream) -> Result<Option<String>, DeployError> {
        let (login, doing) = (self.login, self.doing);
        let stalled = || DeployError::Stalled { login: login.to_owned(), seconds: PATIENCE.as_secs(), doing };
        // Byte by byte: the frames that follow an answer belong to somebody else.
        loop {
            let mut byte = [0_u8; 1];
            let count = timeout(PATIENCE, stream.read(&mut byte)).await.map_err(|_| stalled())?;
            self.noise += 1;
            match count {
                Ok(1..) if self.noise > MOST_NOISE => return Ok(None),
                Ok(1..) if byte[0] != b'\n' => self.line.push(byte[0]),
                Ok(1..) => {
                    let line = std::mem::take(&mut self.line);
                    let text = String::from_utf8_lossy(&line);
                    if let Some(start) = text.find(MARK) {
                        return Ok(Some(text[start + MARK.len()..].trim().to_owned()));
                    }
                }
                Ok(0) | Err(_) => return Ok(None),
            }
        }
    }
}

/// Lets the command end by itself: how it did, and the end of its standard error, which only then is complete.
pub(super) async fn end(stream: Stream) -> (String, String) {
    let mut ending = stream.ending();
    let status = timeout(PATIENCE, ending.wait()).await;
    drop(stream);
    let status = status.map_or_else(|_| "it goes on".to_owned(), |status| status.to_string());
    (status, ending.stderr())
}
