//! One question to the API: with a deadline, asked again while the server restarts, its failure in plain words.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::error::ClusterError;

/// Longest wait for one answer.
const ANSWER: Duration = Duration::from_secs(30);
/// How long a server that is not there, or says it is not ready, is asked again. A kube-apiserver restarts within this.
const RETURN: Duration = Duration::from_secs(20);
/// Between two attempts; nothing tells when the port opens again, so this polls until `RETURN` has passed.
const BETWEEN: Duration = Duration::from_millis(500);

/// Asks; `question` is idempotent and may be asked more than once. `asked` completes "could not …".
pub(super) async fn ask<T, F>(asked: &str, question: impl Fn() -> F) -> Result<T, ClusterError>
where
    F: Future<Output = kube::Result<T>>,
{
    let begun = Instant::now();
    let mut ticks = tokio::time::interval(BETWEEN);
    loop {
        ticks.tick().await;
        let Ok(answer) = timeout(ANSWER, question()).await else {
            return Err(ClusterError::Silent { asked: asked.to_owned(), seconds: ANSWER.as_secs() });
        };
        let error = match answer {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        if !is_passing(&error) || begun.elapsed() + BETWEEN > RETURN {
            return Err(explain(asked, error));
        }
        tracing::debug!(asked, %error, "asking again");
    }
}

/// Whether the server may answer well a little later.
fn is_passing(error: &kube::Error) -> bool {
    match error {
        kube::Error::Api(status) => matches!(status.code, 429 | 503 | 504),
        kube::Error::Service(_) | kube::Error::HyperError(_) => certificate(error).is_none(),
        _ => false,
    }
}

/// In plain words.
pub(super) fn explain(asked: &str, error: kube::Error) -> ClusterError {
    let asked = asked.to_owned();
    match error {
        kube::Error::Api(status) => ClusterError::Refused {
            asked,
            code: status.code,
            reason: status.reason.clone(),
            message: status.message.clone(),
        },
        kube::Error::SerdeError(error) => {
            ClusterError::Answer { asked, found: format!("something that does not fit ({error})") }
        }
        error if certificate(&error).is_some() => {
            ClusterError::Certificate { asked, cause: Arc::new(Plain::of(&error)) }
        }
        error => ClusterError::Unreachable { asked, cause: Arc::new(Plain::of(&error)) },
    }
}

/// The TLS error at the bottom, if it is one.
fn certificate(error: &kube::Error) -> Option<&rustls::Error> {
    let tls = chain(error).find_map(|cause| match cause.downcast_ref::<std::io::Error>() {
        Some(wrapped) => unwrapped(wrapped),
        None => cause.downcast_ref(),
    });
    tls.filter(|tls| {
        use rustls::Error::{AlertReceived, InvalidCertificate, NoCertificatesPresented};
        matches!(tls, InvalidCertificate(_) | NoCertificatesPresented | AlertReceived(_))
    })
}

/// The TLS error inside an I/O error, which its `source` skips; they come nested.
fn unwrapped(error: &std::io::Error) -> Option<&rustls::Error> {
    let inner = error.get_ref()?;
    inner.downcast_ref().or_else(|| unwrapped(inner.downcast_ref()?))
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| Error::source(*error))
}

/// The innermost cause: the layers of HTTP above it repeat each other.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Plain(String);

impl Plain {
    fn of(error: &kube::Error) -> Self {
        let innermost = chain(error).last().map(ToString::to_string);
        Self(innermost.unwrap_or_else(|| error.to_string()))
    }
}
