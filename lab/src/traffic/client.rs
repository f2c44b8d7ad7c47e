//! Asking a server from inside a client's pod.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};

use super::kubectl::Kubectl;
use super::objects;
use crate::program;

/// kube-proxy and the cluster's DNS learn of a new service by themselves and tell nobody when they have; until this
/// deadline a failed attempt is tried again.
const DEADLINE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(500);

/// Asks for `http://$1:$2/health` with what the image has, in five seconds at most.
const SCRIPT: &str = r#"
if command -v wget >/dev/null; then exec wget -q -T 5 -O - "http://$1:$2/health"; fi
exec timeout 5 bash -c '
  exec 3<>"/dev/tcp/$1/$2" || exit 1
  printf "GET /health HTTP/1.0\r\nHost: %s\r\n\r\n" "$1" >&3
  cat <&3
' bash "$1" "$2"
"#;
/// What CoreDNS answers there.
const HEALTHY: &str = "OK";

/// A client on one worker.
pub(super) struct Client<'a> {
    kubectl: &'a Kubectl<'a>,
    pod: String,
}

impl<'a> Client<'a> {
    /// The client on that worker.
    pub(super) fn new(kubectl: &'a Kubectl<'a>, worker: &str) -> Self {
        Self { kubectl, pod: objects::client_name(worker) }
    }

    /// Whether the server's answer comes back; otherwise the last failure in one line.
    pub(super) async fn ask(&self, host: &str, port: u16) -> Result<(), String> {
        let deadline = Instant::now() + DEADLINE;
        let mut again = interval(PAUSE);
        again.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            again.tick().await;
            match self.ask_once(host, port).await {
                Err(reason) if Instant::now() >= deadline => {
                    return Err(format!("{reason} (for {DEADLINE:?})"));
                }
                Err(_) => {}
                Ok(()) => return Ok(()),
            }
        }
    }

    async fn ask_once(&self, host: &str, port: u16) -> Result<(), String> {
        let port = port.to_string();
        let arguments = [
            "exec",
            "--namespace",
            objects::NAMESPACE,
            &self.pod,
            "--",
            "sh",
            "-c",
            SCRIPT,
            "sh",
            host,
            &port,
        ];
        let output = self.kubectl.output(&arguments, "").await.map_err(|error| error.to_string())?;
        let answer = String::from_utf8_lossy(&output.stdout);
        // `wget` gives the body alone, the other way the whole answer.
        let body = answer.rsplit_once("\r\n\r\n").map_or(&*answer, |(_, body)| body);
        match body.trim() {
            HEALTHY if output.status.success() => Ok(()),
            "" => {
                let said = program::tail(&String::from_utf8_lossy(&output.stderr), 2);
                Err(if said.is_empty() { "no answer".into() } else { said })
            }
            other => Err(format!("another answer: {}", program::tail(other, 2))),
        }
    }
}
