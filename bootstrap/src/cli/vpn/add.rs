//! `garboard vpn add`: a profile for a user, and a server that takes it.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::invocation::Global;
use crate::output::{Format, text};
use crate::problem::{Ended, Exit, Problem};
use crate::run::Run;
use crate::vpn::Standing;

/// Flags of `vpn add`.
#[derive(Debug, clap::Args)]
pub(super) struct Add {
    /// The user, as in the inventory's `edge.openvpn.users`
    name: String,
    /// The last day it lets in, by UTC [default: two years from now]
    #[arg(long, value_name = "DATE")]
    until: Option<Date>,
    /// Where the profile is written [default: `NAME.ovpn` in this folder]
    #[arg(long, value_name = "FILE")]
    output_file: Option<PathBuf>,
    /// Revoke the profile the user has, and write a new one over it
    #[arg(long)]
    replace: bool,
}

pub(super) async fn run(global: &Global, command: &Add) -> Result<Exit, Ended> {
    let run = Run::begin(global, "vpn add")?;
    run.conduct(work(&run, global, command)).await
}

async fn work(run: &Run, global: &Global, command: &Add) -> Result<u64, Ended> {
    let user = &command.name;
    let default = PathBuf::from(format!("{user}.ovpn"));
    let path = command.output_file.as_ref().unwrap_or(&default);
    let until = command.until.map(end_of).transpose()?;
    refuse_strangers(run, user)?;
    refuse_a_second(run, user, command.replace)?;
    refuse_to_overwrite(path, command.replace)?;
    let written = run.write_profile(user, until, command.replace, path).await?;
    match global.output {
        Format::Human => run.print(&format!(
            "{}: lets `{user}` in until {}; hand it over by a way that nobody else can read\n",
            path.display(),
            text::date(written.until)
        )),
        Format::Json => run.print_json(&written),
    }
    let reached = run.reach_vpn().await?;
    let changes = run.apply_vpn(&reached).await?;
    if command.replace {
        run.end_sessions(&reached, |session| session.user == *user).await?;
    }
    run.end(reached, changes).await
}

fn end_of(date: Date) -> Result<Timestamp, Problem> {
    let end = date.at(23, 59, 59, 0).to_zoned(TimeZone::UTC).map(|end| end.timestamp());
    let usage =
        |message: String| Problem::new(Exit::Usage, message).help("write it like `--until 2027-12-31`");
    let end = end.map_err(|error| usage(format!("{date} is no day to end on: {error}")))?;
    if end <= Timestamp::now() { Err(usage(format!("{date} is over"))) } else { Ok(end) }
}

fn refuse_strangers(run: &Run, user: &str) -> Result<(), Problem> {
    let users = &run.openvpn()?.users;
    if users.iter().any(|known| known == user) {
        return Ok(());
    }
    let all: Vec<&str> = users.iter().map(String::as_str).chain([user]).collect();
    Err(Problem::new(Exit::Usage, format!("the inventory has no user `{user}` of the VPN"))
        .help(format!("write `users: [{}]` under `edge.openvpn:`, then say this again", all.join(", "))))
}

fn refuse_a_second(run: &Run, user: &str, replace: bool) -> Result<(), Problem> {
    let record = run.vpn_record()?;
    let Some(known) = record.users.get(user) else { return Ok(()) };
    let until = known.current().map(|certificate| certificate.validity.until);
    match until {
        Some(until) if known.standing(Timestamp::now()) == Standing::Valid && !replace => Err(Problem::new(
            Exit::Usage,
            format!("`{user}` has a profile, which lets in until {}", text::date(until)),
        )
        .help(
            "`--replace` revokes it and writes a new one; a second device gets a user of its own, such as `alice-phone`",
        )),
        _ => Ok(()),
    }
}

fn refuse_to_overwrite(path: &Path, replace: bool) -> Result<(), Problem> {
    if path.exists() && !replace {
        return Err(Problem::new(Exit::Usage, format!("`{}` is there already", path.display()))
            .help("move it away, or name another file with `--output-file`"));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if folder.is_dir() && path.file_name().is_some() && !path.is_dir() {
        return Ok(());
    }
    Err(Problem::new(Exit::Usage, format!("`{}` cannot be a profile's file", path.display()))
        .help("name a file in a folder that is there"))
}
