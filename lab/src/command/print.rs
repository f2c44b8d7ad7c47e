//! Labs on standard output.

use std::io::Write as _;

use super::OutputFormat;
use crate::hash::State;
use crate::{Lab, Places, Result, Summary};

/// One lab.
pub(super) fn summary(summary: &Summary, output: OutputFormat) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match output {
        OutputFormat::Json => json(&mut out, summary),
        OutputFormat::Human => {
            writeln!(out, "lab {}", summary.name)?;
            for host in &summary.hosts {
                writeln!(
                    out,
                    "  {:<6} {:<14} {:<12} {}",
                    host.name,
                    host.role.as_str(),
                    host.address,
                    host.power
                )?;
            }
            if let Some(home) = &summary.home {
                writeln!(out, "  {:<6} {:<14} {}", "router", "public address", home.public)?;
                let server = format!("DNS server {} ({})", home.name_server, home.zone);
                writeln!(out, "  internet: client {}, {server}, key {}", home.client, home.key.display())?;
            }
            writeln!(out, "  inventory: {}", summary.inventory.display())?;
            if let Some(upstream) = &summary.upstream {
                writeln!(out, "  upstream:  {upstream}")?;
            }
            Ok(())
        }
    }
}

/// All labs of this user, and what crashed ones left.
pub(super) fn all(places: &Places, output: OutputFormat) -> Result<()> {
    let mut summaries = Vec::new();
    let mut remains = Vec::new();
    for name in Lab::names(places)? {
        match Lab::open(places, &name) {
            Ok(lab) => summaries.push(lab.summary()?),
            Err(_) => remains.push(name),
        }
    }
    let mut out = std::io::stdout().lock();
    if output == OutputFormat::Json {
        return json(&mut out, &serde_json::json!({ "labs": summaries, "remains": remains }));
    }
    drop(out);
    for one in &summaries {
        summary(one, output)?;
    }
    let mut out = std::io::stdout().lock();
    for name in &remains {
        writeln!(
            out,
            "lab {name}: only remains, or a lab of another user; remove it with `garboard lab down {name}`"
        )?;
    }
    if summaries.is_empty() && remains.is_empty() {
        writeln!(out, "no labs")?;
    }
    Ok(())
}

/// A host's state, or its digest.
pub(super) fn state(state: &State, list: bool, output: OutputFormat) -> Result<()> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    match (output, list) {
        (OutputFormat::Human, false) => writeln!(out, "{}", state.hash())?,
        (OutputFormat::Human, true) => state.lines.iter().try_for_each(|line| writeln!(out, "{line}"))?,
        (OutputFormat::Json, false) => json(&mut out, &serde_json::json!({ "hash": state.hash() }))?,
        (OutputFormat::Json, true) => {
            json(&mut out, &serde_json::json!({ "hash": state.hash(), "lines": state.lines }))?;
        }
    }
    Ok(out.flush()?)
}

/// One JSON document.
pub(super) fn json(out: &mut impl std::io::Write, value: &impl serde::Serialize) -> Result<()> {
    serde_json::to_writer_pretty(&mut *out, value).map_err(std::io::Error::from)?;
    Ok(writeln!(out)?)
}
