//! A session outlasts a reboot that was announced to it: what follows the lost link is a link to the executor of the next boot.
//! Requests that were not answered are asked once more, of that one.

use std::sync::{Arc, Mutex, PoisonError};

use garboard_protocol::Facts;
use garboard_protocol::request::FactsQuery;
use tokio::time::{Instant, timeout_at};

use super::{Session, SessionError};

/// Until when the host may be gone, while a reboot is expected.
#[derive(Debug, Clone, Default)]
pub(super) struct Reboot(Arc<Mutex<Option<Instant>>>);

impl Reboot {
    pub(super) fn until(&self) -> Option<Instant> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, until: Option<Instant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }
}

/// Why a host is not in another boot by the time that was given to it.
#[derive(Debug, Clone)]
pub enum NotBooted {
    /// It is there, and was all the time.
    Stayed,
    /// It is not there.
    Away(SessionError),
}

impl Session {
    /// From now on a lost link is the host going down: whoever answers there until `deadline` is spoken to, the executor of the
    /// next boot first of all.
    pub fn expect_reboot(&self, deadline: Instant) {
        self.inner.reboot.set(Some(deadline));
    }

    /// It is over, or does not come.
    pub fn expect_no_reboot(&self) {
        self.inner.reboot.set(None);
    }

    /// Facts of the host in another boot than `boot_id`.
    pub async fn booted(
        &self,
        boot_id: &str,
        query: FactsQuery,
        deadline: Instant,
    ) -> Result<Facts, NotBooted> {
        let booted = async {
            loop {
                let link = self.waiting().link().await?;
                let facts = self.facts(query.clone()).await?;
                if facts.boot_id != boot_id {
                    return Ok(facts);
                }
                // It has not gone down yet.
                self.waiting().gone(&link).await;
            }
        };
        match timeout_at(deadline, booted).await {
            Ok(Ok(facts)) => Ok(facts),
            Ok(Err(error)) => Err(NotBooted::Away(error)),
            Err(_) if self.waiting().link_now().is_some() => Err(NotBooted::Stayed),
            Err(_) => Err(NotBooted::Away(SessionError::Silent)),
        }
    }
}
