//! Ctrl-C: once finishes the running steps and stops; twice only detaches, and the hosts finish what they have.

use std::sync::Arc;

use futures::future::join_all;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Run;
use crate::output::text;
use crate::problem::{Ended, Exit};
use crate::session::Session;

/// What a run is at, for as long as it cannot simply be dropped: it looks for the wish to stop itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Connections come about, and are ended once they are there.
    Connecting,
    /// Hosts work through their steps.
    Steps,
    /// Hosts are given back.
    Reset,
}

impl Phase {
    fn promise(phase: Option<Self>) -> &'static str {
        match phase {
            None => "stopping",
            Some(Self::Connecting) => "stopping: the connections are ended",
            Some(Self::Steps) => {
                "stopping: each host finishes the step it is at, and no further one begins (Ctrl-C again leaves the hosts to it)"
            }
            Some(Self::Reset) => {
                "stopping once each host that was begun is given back: half of it helps nobody (Ctrl-C again leaves the hosts to it)"
            }
        }
    }
}

/// The wish to stop, told to all who work.
#[derive(Debug, Clone)]
pub(super) struct Stop {
    once: CancellationToken,
    twice: CancellationToken,
    phase: Arc<watch::Sender<Option<Phase>>>,
}

impl Default for Stop {
    fn default() -> Self {
        Self {
            once: CancellationToken::new(),
            twice: CancellationToken::new(),
            phase: Arc::new(watch::Sender::new(None)),
        }
    }
}

impl Stop {
    /// Whether somebody wants it.
    pub(super) fn is_wanted(&self) -> bool {
        self.once.is_cancelled()
    }

    /// Waits until somebody does.
    pub(super) async fn wanted(&self) {
        self.once.cancelled().await;
    }

    /// From here on the run looks for the wish itself, until the result is dropped.
    pub(super) fn orderly(&self, phase: Phase) -> Orderly {
        self.phase.send_replace(Some(phase));
        Orderly(Arc::clone(&self.phase))
    }

    /// Waits until somebody wants to stop something that can simply be dropped.
    async fn droppable(&self) {
        self.wanted().await;
        let mut phase = self.phase.subscribe();
        // Its sender is our own.
        let _ = phase.wait_for(Option::is_none).await;
    }
}

/// See [`Stop::orderly`].
pub(super) struct Orderly(Arc<watch::Sender<Option<Phase>>>);

impl Drop for Orderly {
    fn drop(&mut self) {
        self.0.send_replace(None);
    }
}

impl Run {
    /// Does `work` to its end or to Ctrl-C, and says how the run ended.
    pub fn conduct(
        &self,
        work: impl Future<Output = Result<u64, Ended>>,
    ) -> impl Future<Output = Result<Exit, Ended>> {
        // It is large, and moved about.
        let work = Box::pin(work);
        async move {
            let stop = &self.handle.stop;
            let ended = tokio::select! {
                biased;
                ended = self.until_stopped(work) => ended,
                () = stop.twice.cancelled() => {
                    self.detach();
                    Err(Ended::Said(Exit::Failed))
                }
            };
            if stop.is_wanted() {
                self.handle.secrets.restore_terminal();
            }
            self.finish(ended).await
        }
    }

    async fn until_stopped(
        &self,
        work: impl Future<Output = Result<u64, Ended>> + Unpin,
    ) -> Result<u64, Ended> {
        let ended = tokio::select! {
            biased;
            ended = work => ended,
            () = self.handle.stop.droppable() => Err(Ended::Said(Exit::Failed)),
        };
        // Also while it is waited for: a step is still at work.
        self.part_all().await;
        if self.handle.stop.is_wanted() && ended.is_err() {
            self.note("stopped; the hosts are free, and the same command goes on from here");
        }
        ended
    }

    fn detach(&self) {
        let linger = u64::try_from(self.handle.patience.linger.as_millis()).unwrap_or(u64::MAX);
        self.note(&format!(
            "detached: each host finishes the step it is at. The same command takes over at once; another laptop has the \
             hosts free {} after that",
            text::duration(linger),
        ));
        drop(self.forget_sessions());
    }
}

/// Watches for it as long as the process lives.
pub(super) fn watch(run: &Run) {
    let handle = run.handle();
    // One listener from the beginning: none of two quick ones is missed.
    let Ok(mut interrupts) = signal(SignalKind::interrupt()) else { return };
    tokio::spawn(async move {
        if interrupts.recv().await.is_none() {
            return;
        }
        let stop = &handle.stop;
        stop.once.cancel();
        handle.secrets.give_up();
        handle.events.note(Phase::promise(*stop.phase.borrow()));
        let sessions = handle.sessions.lock().map(|sessions| sessions.clone()).unwrap_or_default();
        tokio::spawn(async move { cancel(&sessions).await });
        if interrupts.recv().await.is_some() {
            stop.twice.cancel();
        }
    });
}

async fn cancel(sessions: &[Session]) {
    for ended in join_all(sessions.iter().map(Session::cancel)).await {
        if let Err(error) = ended {
            tracing::debug!("a host did not take the cancellation: {error}");
        }
    }
}
