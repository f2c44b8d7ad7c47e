//! `package`: what only the operating system can give, from its own sources. Others at work on packages are waited for.
//!
//! The order: apt is asked what would come; that is fetched; what would come is noted; only then it is installed.

use std::time::Duration;

use garboard_protocol::Observation;
use garboard_protocol::change::{Change, Field};
use garboard_protocol::step::{Outputs, Package};

use super::path::failed;
use super::{Context, Entry, Evidence, Kind, ProbeContext, StepError};
use crate::packages::{Patience, Plan, State, Status, apt_get, has_no_sources, parse_plan, with_locks};
use crate::system::{Command, CommandError, Look};

/// Longest an installation may take. One that is cut off leaves half a package, so this is for what hangs for ever.
const INSTALLATION: Duration = Duration::from_hours(2);
/// How apt says, in the locale `C`, that its lists do not know a package, or know an old one.
const OUTDATED: [&str; 4] =
    ["Unable to locate package", "has no installation candidate", "404", "Hash Sum mismatch"];

impl Kind for Package {
    fn probe(&self, context: &ProbeContext<'_>) -> Result<Observation, StepError> {
        let status = status(context.look)?;
        let missing = self.names.iter().filter(|name| !status.has(name));
        let change = |name: &String| {
            let before = status.state(name).map(|state| match state {
                State::Installed => "installed".to_owned(),
                State::Configuration => "removed, its configuration is there".to_owned(),
                State::Broken(word) => word.clone(),
            });
            Change::new(name, Field::Installed, before, Some("installed".to_owned()))
        };
        Ok(Observation::from_changes(missing.map(change).collect()))
    }

    fn apply(&self, _changes: &[Change], context: &Context<'_>) -> Result<Outputs, StepError> {
        let patience = Patience::new(self.wait_seconds, context.waiting);
        patience.wait(context.system)?;
        // Whoever was at work until now may have installed it.
        let before = status(context.system.look())?;
        let before = if before.is_interrupted() { mend(&before, &patience, context)? } else { before };
        let missing: Vec<&str> =
            self.names.iter().map(String::as_str).filter(|name| !before.has(name)).collect();
        if missing.is_empty() {
            return Ok(Outputs::new());
        }
        let plan = fetch(&missing, &patience, context)?;
        for name in &plan.comes {
            if !before.has(name) {
                let had_configuration = before.state(name) == Some(&State::Configuration);
                context.baseline.note(Entry::Package { name: name.clone(), had_configuration })?;
            }
        }
        install(&missing, &plan, &patience, context)?;
        let after = status(context.system.look())?;
        match missing.iter().find(|name| !after.has(name)) {
            None => Ok(Outputs::new()),
            Some(name) => Err(StepError::Failed {
                message: format!("apt-get installed something, but no package named `{name}`"),
                help: Some(format!("`{name}` stands for several packages; name the one that is wanted")),
            }),
        }
    }
}

fn status(look: &dyn Look) -> Result<Status, StepError> {
    let status = Status::read(look).map_err(failed("read", "/var/lib/dpkg/status"))?;
    status.ok_or_else(|| StepError::Failed {
        message: "there is no `/var/lib/dpkg/status`: this host's packages are not dpkg's".to_owned(),
        help: Some(
            "`package` is for Debian, Ubuntu and their kin; let the playbook leave out this host".to_owned(),
        ),
    })
}

/// A dpkg was cut off. Where that was an installation of ours it is brought to its end; all else is its owner's to decide.
fn mend(status: &Status, patience: &Patience<'_>, context: &Context<'_>) -> Result<Status, StepError> {
    let is_ours = |name: &str| {
        let entry = Entry::Package { name: name.to_owned(), had_configuration: false };
        context.baseline.has(&entry.subject())
    };
    let others: Vec<String> = status
        .broken()
        .iter()
        .filter(|(name, _)| !is_ours(name))
        .map(|(name, word)| format!("`{name}` is {word}"))
        .collect();
    if !others.is_empty() {
        return Err(StepError::NeedsPerson {
            message: format!("work on packages was cut off on this host: {}", others.join(", ")),
            help: "on the host, `dpkg --configure -a` brings it to its end; look at what it says, then run again"
                .to_owned(),
        });
    }
    (context.progress)("dpkg --configure --pending");
    let mut command =
        Command::new("dpkg", ["--force-confdef", "--force-confold", "--configure", "--pending"]);
    command.timeout = INSTALLATION;
    command.environment = vec![("DEBIAN_FRONTEND".to_owned(), "noninteractive".to_owned())];
    with_locks(context.system, patience, &command, &mut |_| {})?;
    self::status(context.system.look())
}

/// Has everything on the host that will be installed, and says what that is.
fn fetch(missing: &[&str], patience: &Patience<'_>, context: &Context<'_>) -> Result<Plan, StepError> {
    let mut is_updated = false;
    loop {
        let result = simulate(missing, context).and_then(|plan| {
            (context.progress)(&format!("apt-get fetches {}", plan.comes.join(", ")));
            let order = [&["install", "--download-only", "--"], missing].concat();
            with_locks(context.system, patience, &apt_get(&order), &mut |_| {})?;
            Ok(plan)
        });
        let said = match &result {
            Err(StepError::Command(CommandError::Exit { stderr, .. })) => stderr.clone(),
            _ => return result,
        };
        let words = missing.join("`, `");
        if !OUTDATED.iter().any(|word| said.contains(word)) || is_updated {
            return Err(StepError::Explained {
                message: format!("apt-get cannot get `{words}`"),
                help: Some(
                    "correct the name, or look after the host's apt sources; then run again".to_owned(),
                ),
                evidence: Evidence::of([said]),
            });
        }
        if has_no_sources(context.system.look()) {
            return Err(StepError::Failed {
                message: format!(
                    "`{words}` cannot be installed: this host has no apt sources to get packages from"
                ),
                help: Some(format!(
                    "install it by hand (`dpkg -i FILE.deb`), or give the host sources in `/etc/apt/sources.list`; \
                     then run again: `{words}`"
                )),
            });
        }
        (context.progress)("apt-get update");
        let told = with_locks(context.system, patience, &apt_get(&["update"]), &mut |_| {});
        told.map_err(|error| explain(error, "apt-get cannot update its lists"))?;
        is_updated = true;
    }
}

fn simulate(missing: &[&str], context: &Context<'_>) -> Result<Plan, StepError> {
    let order = [&["install", "--simulate", "--"], missing].concat();
    let plan = parse_plan(&context.system.ask(&apt_get(&order).whole())?.stdout);
    if plan.goes.is_empty() {
        return Ok(plan);
    }
    Err(StepError::Failed {
        message: format!(
            "`{}` cannot be installed beside `{}`",
            missing.join("`, `"),
            plan.goes.join("`, `")
        ),
        help: Some(
            "garboard removes no package that it did not bring; remove it by hand if nobody needs it"
                .to_owned(),
        ),
    })
}

fn install(
    missing: &[&str],
    plan: &Plan,
    patience: &Patience<'_>,
    context: &Context<'_>,
) -> Result<(), StepError> {
    (context.progress)(&format!("apt-get installs {}", plan.comes.join(", ")));
    // All by name: apt would note the others as nobody's wish, and take them away at the next occasion.
    let mut names: Vec<&str> = missing.to_vec();
    names.extend(plan.comes.iter().map(String::as_str).filter(|name| !missing.contains(name)));
    let order = [&["install", "--no-remove", "--"], names.as_slice()].concat();
    let mut tell = |line: &str| {
        if line.starts_with("Unpacking ") || line.starts_with("Setting up ") {
            (context.progress)(line.trim_end_matches(" ..."));
        }
    };
    let installed = with_locks(context.system, patience, &apt_get(&order).timeout(INSTALLATION), &mut tell);
    let words = missing.join("`, `");
    installed.map(drop).map_err(|error| explain(error, &format!("apt-get could not install `{words}`")))
}

/// What apt itself says of a failure becomes its cause.
fn explain(error: StepError, message: &str) -> StepError {
    match error {
        StepError::Command(error @ (CommandError::Exit { .. } | CommandError::Timeout { .. })) => {
            StepError::Explained {
                message: message.to_owned(),
                help: Some("see what apt says of it, mend that on the host, then run again".to_owned()),
                evidence: Evidence::of([error.to_string()]),
            }
        }
        other => other,
    }
}
