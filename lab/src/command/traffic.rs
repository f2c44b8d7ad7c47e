//! `garboard lab traffic`: what reached what, for a person or a program.

use std::io::Write as _;
use std::process::ExitCode;

use super::{OutputFormat, print, progress};
use crate::traffic::{Attempt, send};
use crate::{Lab, Result};

/// Succeeds only if every attempt arrived.
pub(super) fn run(lab: &Lab, output: OutputFormat) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let traffic = runtime.block_on(send(lab, &progress))?;
    let mut out = std::io::stdout().lock();
    match output {
        OutputFormat::Json => print::json(&mut out, &traffic)?,
        OutputFormat::Human => {
            for attempt in &traffic.attempts {
                writeln!(out, "{}", line(attempt))?;
            }
        }
    }
    Ok(if traffic.reached { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn line(attempt: &Attempt) -> String {
    let Attempt { from, to, by, address, reached, detail } = attempt;
    let end = if *reached { "reached".to_owned() } else { format!("NOT REACHED: {detail}") };
    format!("pod on {from} → pod on {to} by {:<18} {address:<50} {end}", by.as_str())
}
