//! Ctrl-C: once finishes the running steps and stops; twice only detaches, and the hosts finish what they have.

use futures::future::join_all;
use tokio::signal::ctrl_c;

use super::Run;
use crate::output::Events;
use crate::problem::Exit;
use crate::session::Session;

/// Watches for it as long as the process lives.
pub(super) fn watch(run: &Run) {
    let (events, sessions) = (run.events().clone(), run.shared_sessions());
    tokio::spawn(async move {
        if ctrl_c().await.is_err() {
            return;
        }
        events.note(
            "stopping: each host finishes the step it is at (Ctrl-C again detaches and leaves them to it)",
        );
        let sessions = sessions.lock().map(|sessions| sessions.clone()).unwrap_or_default();
        tokio::select! {
            () = cancel(&sessions) => {}
            _ = ctrl_c() => detach(&events),
        }
        if ctrl_c().await.is_ok() {
            detach(&events);
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

/// Leaves at once; the executors go on with the steps they have.
#[expect(clippy::exit, reason = "the user asked twice to be let go")]
fn detach(events: &Events) {
    events.note("detached: the hosts go on with the steps they have; `garboard up` takes over");
    std::process::exit(Exit::Failed as i32);
}
