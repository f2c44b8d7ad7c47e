//! `garboard vpn list`: who may come in until when, who is there, who was last. It changes nothing on the host.

use jiff::Timestamp;

use crate::invocation::Global;
use crate::output::Format;
use crate::problem::{Ended, Exit, Problem};
use crate::run::{Reached, Run};
use crate::vpn::management::Connected;
use crate::vpn::{List, Record};

pub(super) async fn run(global: &Global) -> Result<Exit, Ended> {
    let run = Run::begin(global, "vpn list")?;
    run.conduct(work(&run, global)).await
}

async fn work(run: &Run, global: &Global) -> Result<u64, Ended> {
    let openvpn = run.openvpn()?;
    let now = Timestamp::now();
    let mut record = run.vpn_record()?;
    // What the laptop knows is worth showing also when the host is away; the exit code says so.
    let (seen, ended) = match run.reach_vpn().await {
        Ok(reached) => match ask(run, &reached, &mut record, now).await {
            Ok(connected) => (Some(connected), run.end(reached, 0).await),
            Err(problem) => (None, Err(problem.into())),
        },
        Err(ended) => (None, Err(ended)),
    };
    let list = List::of(openvpn, &record, seen.as_deref(), run.vpn_server_until()?, now);
    match global.output {
        Format::Human => run.print(&list.human(now)),
        Format::Json => run.print_json(&list),
    }
    ended
}

/// Who is connected; and notes who was, so that it is known when the server has forgotten.
async fn ask(
    run: &Run,
    reached: &Reached,
    record: &mut Record,
    now: Timestamp,
) -> Result<Vec<Connected>, Problem> {
    let Some(mut server) = run.vpn_server(reached).await? else { return Ok(Vec::new()) };
    let (connected, seen) = (server.connected().await, server.seen().await);
    let connected = connected.map_err(|error| run.vpn_silent(&error))?;
    let before = record.clone();
    for (name, when) in seen.map_err(|error| run.vpn_silent(&error))? {
        record.note_seen(&name, when);
    }
    for session in &connected {
        record.note_seen(&session.user, now);
    }
    if *record != before {
        run.keep_vpn_record(record)?;
    }
    Ok(connected)
}
