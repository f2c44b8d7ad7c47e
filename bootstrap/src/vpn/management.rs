//! The conversation with a running OpenVPN server, over its management socket (`doc/management-notes.txt` of OpenVPN): lines of
//! text, one answer to each command, and lines that begin with `>` in between, which nobody here asked for.

use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use jiff::Timestamp;
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader,
};
use tokio::time::timeout;

/// The server answers at once; one that is busy with another visitor answers nobody else.
const ANSWER: Duration = Duration::from_secs(10);
/// Far more than a thousand lines of log are.
const LONGEST_ANSWER: u64 = 4 * 1024 * 1024;

/// Why the server cannot be spoken with.
#[derive(Debug, thiserror::Error)]
pub enum ManagementError {
    /// Nothing came in time.
    #[error("no answer to `{asked}` for {} s", ANSWER.as_secs())]
    Silent {
        /// What was asked.
        asked: String,
    },
    /// The stream broke.
    #[error("the stream ended")]
    Stream(#[from] io::Error),
    /// It said something else than it should.
    #[error("the answer to `{asked}` is `{found}`")]
    Answer {
        /// What was asked.
        asked: String,
        /// What came.
        found: String,
    },
}

/// Somebody who is connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connected {
    /// The server's number for this session.
    pub id: u64,
    /// The name in the certificate.
    pub user: String,
    /// Where they come from: address and port.
    pub from: String,
    /// The address inside the tunnel.
    pub address: Option<Ipv4Addr>,
    /// Since when.
    pub since: Option<Timestamp>,
}

/// The server, listening.
pub struct Management<S> {
    stream: BufReader<S>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Management<S> {
    /// Waits for the greeting.
    pub async fn greet(stream: S) -> Result<Self, ManagementError> {
        let mut management = Self { stream: BufReader::new(stream) };
        let greeting = in_time("a greeting", management.line()).await?;
        if greeting.starts_with(">INFO:OpenVPN Management Interface") {
            Ok(management)
        } else {
            Err(unexpected("a greeting", &greeting))
        }
    }

    /// Who is connected.
    pub async fn connected(&mut self) -> Result<Vec<Connected>, ManagementError> {
        Ok(connected(&self.list("status 3").await?))
    }

    /// When the log last spoke of each name, as far back as the server keeps it.
    pub async fn seen(&mut self) -> Result<BTreeMap<String, Timestamp>, ManagementError> {
        Ok(seen(&self.list("log all").await?))
    }

    /// Ends all sessions of a user, at once; one that is gone meanwhile is gone. `client-kill` would tell the client, and let it
    /// go on for five seconds.
    pub async fn end(&mut self, user: &str) -> Result<(), ManagementError> {
        let asked = format!("kill {user}");
        let answer = in_time(&asked, async {
            self.say(&asked).await?;
            loop {
                let line = self.line().await?;
                if !line.starts_with('>') {
                    return Ok(line);
                }
            }
        })
        .await?;
        if answer.starts_with("SUCCESS:") || answer.contains("not found") {
            Ok(())
        } else {
            Err(unexpected(&asked, &answer))
        }
    }

    /// The lines of an answer up to its `END`.
    async fn list(&mut self, asked: &str) -> Result<Vec<String>, ManagementError> {
        in_time(asked, async {
            self.say(asked).await?;
            let mut lines = Vec::new();
            loop {
                let line = self.line().await?;
                match line.as_str() {
                    "END" => return Ok(lines),
                    error if error.starts_with("ERROR:") => return Err(unexpected(asked, error)),
                    other if other.starts_with('>') => {}
                    _ => lines.push(line),
                }
            }
        })
        .await
    }

    async fn say(&mut self, command: &str) -> Result<(), ManagementError> {
        self.stream.write_all(format!("{command}\n").as_bytes()).await?;
        Ok(self.stream.flush().await?)
    }

    async fn line(&mut self) -> Result<String, ManagementError> {
        let mut line = Vec::new();
        let mut limited = (&mut self.stream).take(LONGEST_ANSWER);
        if limited.read_until(b'\n', &mut line).await? == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
    }
}

async fn in_time<T>(
    asked: &str,
    answer: impl Future<Output = Result<T, ManagementError>>,
) -> Result<T, ManagementError> {
    timeout(ANSWER, answer).await.unwrap_or_else(|_| Err(ManagementError::Silent { asked: asked.to_owned() }))
}

fn unexpected(asked: &str, found: &str) -> ManagementError {
    ManagementError::Answer { asked: asked.to_owned(), found: found.to_owned() }
}

/// Status of version 3: fields between tabs; what each is says the line `HEADER`.
fn connected(lines: &[String]) -> Vec<Connected> {
    let rows = || lines.iter().map(|line| line.split('\t').collect::<Vec<&str>>());
    let Some(header) = rows().find(|row| row.starts_with(&["HEADER", "CLIENT_LIST"])) else {
        return Vec::new();
    };
    let column = |name: &str| header.iter().position(|field| *field == name).map(|at| at - 1);
    let (user, from, address, since, id) = (
        column("Common Name"),
        column("Real Address"),
        column("Virtual Address"),
        column("Connected Since (time_t)"),
        column("Client ID"),
    );
    rows()
        .filter(|row| row.first() == Some(&"CLIENT_LIST"))
        .filter_map(|row| {
            let field = |at: Option<usize>| at.and_then(|at| row.get(at)).copied();
            Some(Connected {
                id: field(id)?.parse().ok()?,
                user: field(user)?.to_owned(),
                from: field(from)?.to_owned(),
                address: field(address).and_then(|text| text.parse().ok()),
                since: field(since).and_then(|text| Timestamp::from_second(text.parse().ok()?).ok()),
            })
        })
        .collect()
}

/// Lines of log are `TIME,FLAGS,TEXT`; those about a client who has shown a certificate begin with `NAME/ADDRESS:PORT `.
fn seen(lines: &[String]) -> BTreeMap<String, Timestamp> {
    let mut seen = BTreeMap::new();
    for line in lines {
        let mut fields = line.splitn(3, ',');
        let (Some(time), Some(_), Some(text)) = (fields.next(), fields.next(), fields.next()) else {
            continue;
        };
        let time = time.parse().ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
        let name = text.split_once('/').map(|(name, _)| name).filter(|name| !name.contains(' '));
        if let (Some(time), Some(name)) = (time, name) {
            let last = seen.entry(name.to_owned()).or_insert(time);
            *last = time.max(*last);
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};

    use super::{Management, ManagementError};

    /// As OpenVPN 2.6.14 answers.
    const STATUS: &str = "TITLE\tOpenVPN 2.6.14 x86_64-pc-linux-gnu\nTIME\t2026-11-21 12:00:00\t1795262400\n\
        HEADER\tCLIENT_LIST\tCommon Name\tReal Address\tVirtual Address\tVirtual IPv6 Address\tBytes Received\tBytes Sent\t\
        Connected Since\tConnected Since (time_t)\tUsername\tClient ID\tPeer ID\tData Channel Cipher\n\
        CLIENT_LIST\talice\t203.0.113.9:51820\t10.8.0.2\t\t3000\t4000\t2026-11-21 11:00:00\t1795258800\tUNDEF\t7\t0\t\
        AES-256-GCM\nROUTING_TABLE\t10.8.0.2\talice\t203.0.113.9:51820\t2026-11-21 11:59:00\t1795262340\n\
        >NOTIFY:something else\nEND\n";
    const LOG: &str = "1795258800,I,203.0.113.9:51820 TLS: Initial packet\n1795258801,I,alice/203.0.113.9:51820 MULTI: Learn\n\
        1795258700,I,bob/203.0.113.8:1 SIGTERM[soft,remote-exit] received\nEND\n";

    #[tokio::test]
    async fn a_server_tells_who_is_there_and_ends_a_session() {
        let (ours, theirs) = tokio::io::duplex(4096);
        let server = tokio::spawn(async move {
            let mut stream = BufReader::new(theirs);
            stream.write_all(b">INFO:OpenVPN Management Interface Version 5 -- type 'help'\n").await.unwrap();
            let mut asked = Vec::new();
            for answer in [
                STATUS,
                LOG,
                ">CLIENT:x\nSUCCESS: common name 'alice' found, 1 client(s) killed\n",
                "ERROR: no\n",
            ] {
                let mut line = String::new();
                stream.read_line(&mut line).await.unwrap();
                asked.push(line);
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
            asked
        });
        let mut management = Management::greet(ours).await.unwrap();
        let there = management.connected().await.unwrap();
        assert_eq!(there.len(), 1);
        assert_eq!((there[0].user.as_str(), there[0].id), ("alice", 7));
        assert_eq!(there[0].address, Some("10.8.0.2".parse().unwrap()));
        assert_eq!(there[0].since.unwrap().as_second(), 1_795_258_800);
        let seen = management.seen().await.unwrap();
        let seconds: Vec<_> = seen.iter().map(|(name, time)| (name.as_str(), time.as_second())).collect();
        assert_eq!(seconds, [("alice", 1_795_258_801), ("bob", 1_795_258_700)]);
        management.end("alice").await.unwrap();
        assert!(matches!(management.end("bob").await, Err(ManagementError::Answer { .. })));
        assert_eq!(server.await.unwrap(), ["status 3\n", "log all\n", "kill alice\n", "kill bob\n"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_says_nothing_is_not_waited_for_for_ever() {
        let (ours, _theirs) = tokio::io::duplex(64);
        assert!(matches!(Management::greet(ours).await, Err(ManagementError::Silent { .. })));
    }
}
