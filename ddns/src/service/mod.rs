//! The loop: look, decide, update, remember; and what it is told from outside meanwhile.

mod control;
mod journal;
mod looking;
mod names;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;

use crate::configuration::{self, Configuration};
use crate::http::Clients;
use crate::machine::{Event, Phase};
use crate::report::Report;
use crate::state::Folder;

use looking::Looking;
use names::Names;

pub use control::{Command, ask, socket};

/// Where everything is.
#[derive(Debug, Clone)]
pub struct Places {
    /// The configuration file.
    pub configuration: PathBuf,
    /// What outlasts a reboot.
    pub state: PathBuf,
    /// What does not: socket and metrics.
    pub runtime: PathBuf,
    /// Credentials from systemd.
    pub credentials: Option<PathBuf>,
}

/// Works until it is told to end.
///
/// # Errors
/// The configuration, a secret, or a state that cannot be kept.
pub async fn run(places: &Places) -> anyhow::Result<()> {
    let configuration = configuration::load(&places.configuration)?;
    let folder = Folder::take(&places.state)?;
    let metrics = configuration.metrics.clone().unwrap_or_else(|| places.runtime.join("metrics.prom"));
    let clients = Arc::new(Clients::default());
    let mut names = Names::new(&configuration, folder, metrics, places.credentials.as_deref(), &clients)?;
    let mut commands = control::listen(&places.runtime, &places.state)?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    names.start()?;
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);

    let mut looking = Looking::new(&configuration, &clients);
    let mut next_echo = Instant::now();
    let mut waiting: Option<control::Reply> = None;
    let mut last = Timestamp::now();
    loop {
        let now = Timestamp::now();
        let with_echoes = waiting.is_some() || Instant::now() >= next_echo || ended(&names, last, now);
        last = now;
        // Looking may be given up at any time; an update that was begun is waited for.
        let sighting = tokio::select! {
            sighting = looking.look(&configuration, with_echoes, |family| names.published(family)) => sighting,
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        };
        if with_echoes {
            next_echo = Instant::now() + spread(configuration.intervals.echo.length());
        }
        names.seen(&sighting, &configuration.allow).await?;
        let report = names.report();
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Status(&summary(&report))]);
        if let Some(reply) = waiting.take() {
            // The asker may have gone.
            let _ = reply.send(report);
        }
        let wake = next_wake(&configuration, &names, last, next_echo);
        tokio::select! {
            () = tokio::time::sleep_until(wake) => {}
            Some((command, reply)) = commands.recv() => {
                if let Command::Resume { name } = &command {
                    names.tell(&Event::Resumed, name.as_deref()).await?;
                }
                waiting = Some(reply);
            }
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
    journal::say(journal::Level::Information, "ended, as asked");
    Ok(())
}

/// Whether a term has passed since the last look.
fn ended(names: &Names, last: Timestamp, now: Timestamp) -> bool {
    names
        .phases()
        .any(|phase| matches!(phase, Phase::HeldTransient { until, .. } if last < *until && *until <= now))
}

/// When to look again. A term that has passed since the last look, however short it was, is one that ends now.
fn next_wake(configuration: &Configuration, names: &Names, last: Timestamp, next_echo: Instant) -> Instant {
    let now = Instant::now();
    let looks = now + configuration.intervals.router.length();
    let terms = names.phases().filter_map(|phase| match phase {
        Phase::HeldTransient { until, .. } if *until > last => {
            let left = until.duration_since(Timestamp::now());
            Some(now + Duration::try_from(left).unwrap_or_default())
        }
        _ => None,
    });
    terms.chain([looks, next_echo.max(now)]).min().unwrap_or(looks)
}

/// Up to a fifth more, by chance, so that not all the world asks at the same second.
fn spread(interval: Duration) -> Duration {
    interval + interval.mul_f64(0.2 * chance())
}

/// From 0 up to 1.
fn chance() -> f64 {
    let bits = getrandom::u32().unwrap_or(u32::MAX / 2);
    f64::from(bits) / (f64::from(u32::MAX) + 1.0)
}

fn summary(report: &Report) -> String {
    let good =
        report.names.iter().filter(|name| matches!(name.entry.state.phase, Phase::InSync { .. })).count();
    format!("{good} of {} names in sync", report.names.len())
}
