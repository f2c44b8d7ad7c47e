//! `garboard lab`: throw-away hosts; on Linux alone, whose kernel they share.

use std::process::ExitCode;

pub(super) use garboard_lab::command::Lab;
use garboard_lab::command::{self, OutputFormat};

use crate::output::{Format, text};
use crate::problem::Exit;

pub(super) fn run(lab: Lab, output: Format) -> ExitCode {
    let format = match output {
        Format::Human => OutputFormat::Human,
        Format::Json => OutputFormat::Json,
    };
    match command::run(lab, format) {
        Ok(code) => code,
        Err(error) => super::complain(&text::harmless(&format!("error: {error:#}")), Exit::Failed),
    }
}
