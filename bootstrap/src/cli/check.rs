//! `garboard check`: what stands in the way, on all hosts at once and between them. It leaves nothing behind.

use std::fmt::Write as _;

use serde_json::json;

use crate::check::{Row, Verdict, refusals};
use crate::invocation::Global;
use crate::output::{Format, text};
use crate::problem::{Ended, Exit};
use crate::run::{Run, Ways};

pub(super) async fn run(global: &Global) -> Result<Exit, Ended> {
    let run = Run::begin(global, "check")?;
    run.conduct(work(&run, global)).await
}

async fn work(run: &Run, global: &Global) -> Result<u64, Ended> {
    run.site()?;
    let reached = run.reach().await?;
    let mut rows = run.rows(&reached);
    let (router, mesh) = tokio::join!(run.router_row(&reached), run.mesh(&reached, Ways::All));
    rows.extend(router);
    rows.extend(mesh?);
    match global.output {
        Format::Human => run.print(&human(&rows)),
        Format::Json => run.print_json(&json!({ "rows": rows })),
    }
    let refused = refusals(&rows);
    let ended = run.end(reached, 0).await;
    // A host that did not answer does not hide what blocks the others: the highest code wins.
    if refused.is_empty() { ended } else { Err(Ended::Said(Exit::Refused)) }
}

fn human(rows: &[Row]) -> String {
    let width = |of: fn(&Row) -> usize| rows.iter().map(of).max().unwrap_or(0);
    let (hosts, checks) = (width(|row| row.host.len()), width(|row| row.check.len()));
    let mut out = String::new();
    for row in rows {
        let verdict = match row.verdict {
            Verdict::Fine => "ok     ",
            Verdict::Warning => "warning",
            Verdict::Blocking => "BLOCKS ",
        };
        let line =
            format!("{:hosts$}  {verdict}  {:checks$}  {}", row.host, row.check, text::one_line(&row.text));
        out.push_str(line.trim_end());
        out.push('\n');
        if let (Some(help), true) = (&row.help, row.verdict != Verdict::Fine) {
            let _ = writeln!(out, "{:hosts$}           {:checks$}  help: {}", "", "", text::one_line(help));
        }
    }
    out
}
