//! Whether the official hosts can be used from here.

use std::time::Duration;

use anyhow::Context as _;

/// How long a host may take to answer.
const TIMEOUT: Duration = Duration::from_secs(3);

/// One address on each host that artifacts come from, each small or a mere redirect.
const ADDRESSES: &[&str] = &[
    "https://dl.k8s.io/release/stable.txt",
    "https://registry.k8s.io/v2/",
    "https://ghcr.io/v2/",
    "https://github.com/containerd/containerd/releases",
];

/// What a look at the official hosts gave.
pub(super) enum Probe {
    /// All of them answered.
    Reachable,
    /// One did not, or a gateway answered in its place.
    Unreachable { because: String },
}

/// Asks all hosts at once with HEAD, for three seconds at most.
pub(super) fn probe() -> anyhow::Result<Probe> {
    // An error only says that some provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().timeout(TIMEOUT).build().context("no HTTP client")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let because = runtime.block_on(async {
        let requests: Vec<_> = ADDRESSES.iter().map(|url| tokio::spawn(ask(client.clone(), url))).collect();
        for request in requests {
            if let Err(because) = request.await.unwrap_or_else(|error| Err(error.to_string())) {
                return Some(because);
            }
        }
        None
    });
    Ok(because.map_or(Probe::Reachable, |because| Probe::Unreachable { because }))
}

async fn ask(client: reqwest::Client, url: &'static str) -> Result<(), String> {
    match client.head(url).send().await {
        Ok(answer) if usable(answer.status().as_u16()) => Ok(()),
        Ok(answer) => Err(format!("`{url}` answered {}", answer.status())),
        Err(error) if error.is_timeout() => Err(format!("`{url}` did not answer within {TIMEOUT:?}")),
        Err(error) if error.is_connect() => Err(format!("`{url}` cannot be connected to")),
        Err(error) => Err(error.to_string()),
    }
}

/// A registry's 401 is its normal greeting; 403, 407, 451 and server errors are what filters and gateways say.
fn usable(status: u16) -> bool {
    status < 500 && !matches!(status, 403 | 407 | 451)
}

#[cfg(test)]
mod tests {
    use super::usable;

    #[test]
    fn a_registrys_challenge_counts_as_an_answer_and_a_filters_refusal_does_not() {
        assert!(usable(200) && usable(401));
        assert!(!usable(403) && !usable(407) && !usable(503));
    }
}
