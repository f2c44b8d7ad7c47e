//! `garboard vpn revoke`: a user is out, at once.

use jiff::Timestamp;
use serde::Serialize;

use crate::invocation::Global;
use crate::output::Format;
use crate::problem::{Ended, Exit, Problem};
use crate::run::Run;

/// Flags of `vpn revoke`.
#[derive(Debug, clap::Args)]
pub(super) struct Revoke {
    /// The user
    name: String,
}

/// What came of it.
#[derive(Serialize)]
struct Outcome<'a> {
    user: &'a str,
    /// There was a certificate that let in until now.
    revoked: bool,
    /// So many sessions were ended.
    ended_sessions: usize,
}

pub(super) async fn run(global: &Global, command: &Revoke) -> Result<Exit, Ended> {
    let run = Run::begin(global, "vpn revoke")?;
    run.conduct(work(&run, global, &command.name)).await
}

async fn work(run: &Run, global: &Global, user: &str) -> Result<u64, Ended> {
    let listed = run.openvpn()?.users.iter().any(|known| known == user);
    let mut record = run.vpn_record()?;
    if !listed && !record.users.contains_key(user) {
        return Err(unknown(run, user)?.into());
    }
    // First what outlasts a host that cannot be reached: the next `up` brings it there.
    let revoked = record.revoke(user, Timestamp::now(), None);
    if revoked {
        run.keep_vpn_record(&record)?;
    }
    let reached = run.reach_vpn().await.inspect_err(|_| {
        run.note(&format!(
            "`{user}` is revoked here; it takes effect once the host is reached: say this again, or `garboard up`"
        ));
    })?;
    let changes = run.apply_vpn(&reached).await?;
    let ended = run.end_sessions(&reached, |session| session.user == user).await?;
    let told = Outcome { user, revoked, ended_sessions: ended.len() };
    match global.output {
        Format::Human => run.print(&told.human(listed)),
        Format::Json => run.print_json(&told),
    }
    run.end(reached, changes).await
}

impl Outcome<'_> {
    fn human(&self, listed: bool) -> String {
        let user = self.user;
        let what = if self.revoked { "is revoked" } else { "had no profile that lets in" };
        let stays = if listed {
            format!("; the inventory still names `{user}`, so `garboard vpn add {user}` writes a new profile")
        } else {
            String::new()
        };
        format!("`{user}` {what}{stays}\n")
    }
}

fn unknown(run: &Run, user: &str) -> Result<Problem, Problem> {
    let names: Vec<String> = run.vpn_record()?.users.into_keys().collect();
    let help = if names.is_empty() {
        "nobody has a profile".to_owned()
    } else {
        format!("known are {}", names.join(", "))
    };
    Ok(Problem::new(Exit::Usage, format!("nobody is called `{user}` in the VPN")).help(help))
}
