//! The units of a host: their files and their states.

use super::{Fact, says};
use crate::{Lab, Result};

/// One fact a unit file and one a loaded unit.
pub(super) fn read(lab: &Lab, host: &str) -> Result<Vec<Fact>> {
    let files = list(lab, host, "list-unit-files")?;
    let units = list(lab, host, "list-units")?;
    let file = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        Some(Fact::new("unit-file", words.next()?, words.next()?))
    };
    let unit = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        let name = words.next()?;
        let states: Vec<&str> = words.take(3).collect();
        Some(Fact::new("unit", name, states.join(" ")))
    };
    Ok(files.lines().filter_map(file).chain(units.lines().filter_map(unit)).collect())
}

fn list(lab: &Lab, host: &str, what: &str) -> Result<String> {
    let argv = ["systemctl", what, "--all", "--full", "--plain", "--no-legend", "--no-pager"];
    says(&|argv| lab.exec(host, argv), &argv)
}
