//! `garboard-ddns run`.

use std::process::ExitCode;

use super::block_on;
use crate::service::{self, Places};

pub(super) fn run(places: &Places) -> anyhow::Result<ExitCode> {
    block_on(service::run(places))?;
    Ok(ExitCode::SUCCESS)
}
