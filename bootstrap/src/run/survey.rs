//! What the facts say: rows of preflight, and who belongs to which cluster.

use super::{Reached, Run};
use crate::check::Verdict;
use crate::check::{Row, refusals, rows, same_host_keys};
use crate::membership::{Membership, decide};
use crate::output::text;
use crate::problem::{Ended, Exit, Problem, Problems, none_of};

impl Run {
    /// All rows of all reached hosts.
    pub fn rows(&self, reached: &Reached) -> Vec<Row> {
        let mut rows = rows(self.inventory(), &reached.facts(), &reached.clocks());
        rows.extend(same_host_keys(self.inventory(), &reached.host_keys()));
        rows
    }

    /// Refuses on a blocking row of a host's own; warnings are said.
    pub fn preflight(&self, reached: &Reached) -> Result<(), Ended> {
        // A warning about what `up` has dealt with already is no news.
        let is_ours =
            |row: &Row| reached.hosts.get(&row.host).is_some_and(|host| host.facts.garboard.baseline);
        self.refuse(&self.rows(reached), |row| !is_ours(row))
    }

    /// Refuses on a blocking row about the ways between hosts; warnings are said.
    pub fn refuse_ways(&self, mesh: &[Row]) -> Result<(), Ended> {
        self.refuse(mesh, |_| true)
    }

    pub(super) fn refuse(&self, rows: &[Row], is_news: impl Fn(&Row) -> bool) -> Result<(), Ended> {
        for row in rows.iter().filter(|row| row.verdict == Verdict::Warning && is_news(row)) {
            self.note(&format!("warning: {}: {}: {}", row.host, row.check, text::one_line(&row.text)));
        }
        none_of(refusals(rows)).map_err(Ended::from)
    }

    /// Decides who leads, or says why nobody can.
    pub fn membership(&self, reached: &Reached) -> Result<Membership, Ended> {
        let known = self.known_cluster()?;
        decide(self.inventory(), &reached.facts(), &reached.unreached, known.as_ref())
            .map_err(|problems| Problems(problems).into())
    }

    /// Before hosts are given back: none of them may carry another cluster than this inventory's.
    pub fn refuse_other_clusters(&self, reached: &Reached) -> Result<(), Ended> {
        let name = &self.inventory().cluster.name;
        let problems = reached
            .hosts
            .iter()
            .filter_map(|(host, reached)| {
                let note = reached.facts.garboard.cluster.as_ref()?;
                (&note.name != name).then(|| {
                    Problem::new(
                        Exit::NeedsPerson,
                        format!("carries cluster `{}`, the inventory is about `{name}`", note.name),
                    )
                    .host(host)
                    .help("reset it with the inventory of its own cluster")
                })
            })
            .collect();
        none_of(problems).map_err(Ended::from)
    }
}
