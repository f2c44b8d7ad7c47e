//! The real difference between inventory and hosts, and its text: what `plan` prints and `up` removes.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use garboard_playbooks::{PlannedStep, Rendered};
use garboard_protocol::{Change, Field, Observation, Step, StepId};
use serde::Serialize;

use crate::output::difference::{Sign, lines};
use crate::output::text;

/// Everything `up` would do.
#[derive(Debug, Clone, Default)]
pub struct Difference {
    /// For each reached host its chain, each step with what its probe saw.
    pub hosts: BTreeMap<String, Vec<(PlannedStep, Observation)>>,
    /// The cluster's own steps, by id, with what would change. `None`: not known before there is a cluster.
    pub cluster: Vec<ClusterDifference>,
}

/// One cluster step and what it would change.
#[derive(Debug, Clone, Serialize)]
pub struct ClusterDifference {
    /// `PLAYBOOK/NUMBER`.
    pub id: StepId,
    /// What it does.
    pub doing: String,
    /// What differs; `None`: known only once the API is there.
    pub changes: Option<Vec<Change>>,
}

impl Difference {
    /// Joins the rendered chains with what the probes of each host saw.
    pub fn of(rendered: &Rendered, mut observed: BTreeMap<String, Vec<(StepId, Observation)>>) -> Self {
        let hosts = rendered
            .hosts
            .iter()
            .filter_map(|(host, steps)| {
                let seen: BTreeMap<StepId, Observation> = observed.remove(host)?.into_iter().collect();
                let chain = steps
                    .iter()
                    .map(|step| {
                        let unseen =
                            || Observation::Unknown { because: "the agent did not answer for it".to_owned() };
                        (step.clone(), seen.get(&step.id).cloned().unwrap_or_else(unseen))
                    })
                    .collect();
                Some((host.clone(), super::restart::foresee(chain)))
            })
            .collect();
        Self { hosts, cluster: Vec::new() }
    }

    /// Whether the host has to reboot, or may have to.
    pub(super) fn reboots(&self, host: &str) -> bool {
        let is_one = |step: &PlannedStep| matches!(step.step, Step::Reboot(_));
        let chain = self.hosts.get(host);
        chain.is_some_and(|chain| chain.iter().any(|(step, seen)| is_one(step) && !seen.is_converged()))
    }

    /// Steps that differ, or cannot be told yet, on all hosts and in the cluster.
    pub fn pending(&self) -> usize {
        let hosts: usize = self.hosts.values().map(|chain| pending(chain)).sum();
        hosts + self.cluster.iter().filter(|step| step.is_pending()).count()
    }
}

impl ClusterDifference {
    /// Whether it would change something, as far as is known.
    pub fn is_pending(&self) -> bool {
        self.changes.as_ref().is_none_or(|changes| !changes.is_empty())
    }
}

/// Steps of one chain that are not converged.
pub fn pending(chain: &[(PlannedStep, Observation)]) -> usize {
    chain.iter().filter(|(_, observation)| !observation.is_converged()).count()
}

/// The difference for a person. `contents` also shows how files change, line by line.
pub fn human(difference: &Difference, contents: bool) -> String {
    let mut out = String::new();
    for (host, chain) in &difference.hosts {
        let pending = pending(chain);
        let _ = writeln!(out, "{host}: {pending} of {} steps differ", chain.len());
        let mut rebooted = None;
        for (step, observation) in chain {
            let is_reboot = matches!(step.step, Step::Reboot(_));
            let later = match &rebooted {
                Some(reboot) if step.of_facts => format!(", known after {reboot}"),
                _ => String::new(),
            };
            match observation {
                Observation::Converged { .. } => {}
                Observation::Unknown { because } => {
                    let _ = writeln!(out, "  ? {}{later} ({})", line(step), text::one_line(because));
                }
                Observation::Differs { changes } => {
                    let _ = writeln!(out, "  + {}{later}", line(step));
                    for change in changes {
                        write_change(&mut out, change, contents);
                    }
                }
            }
            if is_reboot && !observation.is_converged() {
                let _ = writeln!(
                    out,
                    "      the host reboots once; it is looked at again then, and what follows is planned anew"
                );
                rebooted = Some(step.id.clone());
            }
        }
    }
    if difference.cluster.is_empty() {
        return out;
    }
    let waiting = difference.cluster.iter().filter(|step| step.is_pending()).count();
    let _ = writeln!(out, "cluster: {waiting} of {} steps differ", difference.cluster.len());
    for step in difference.cluster.iter().filter(|step| step.is_pending()) {
        match &step.changes {
            None => {
                let _ = writeln!(out, "  ? {} {} (known after `api`)", step.id, step.doing);
            }
            Some(changes) => {
                let _ = writeln!(out, "  + {} {}", step.id, step.doing);
                for change in changes {
                    write_change(&mut out, change, contents);
                }
            }
        }
    }
    out
}

/// The difference as a JSON document.
pub fn document(difference: &Difference) -> serde_json::Value {
    let hosts: BTreeMap<&String, Vec<serde_json::Value>> = difference
        .hosts
        .iter()
        .map(|(host, chain)| {
            let steps = chain.iter().map(|(step, observation)| {
                serde_json::json!({
                    "step": step.id,
                    "kind": step.step.kind(),
                    "target": step.step.target(),
                    "waits": step.waits,
                    "observation": observation,
                })
            });
            (host, steps.collect())
        })
        .collect();
    serde_json::json!({ "hosts": hosts, "cluster": difference.cluster, "pending": difference.pending() })
}

fn line(step: &PlannedStep) -> String {
    let after =
        if step.waits.is_empty() { String::new() } else { format!(", after `{}`", step.waits.join("`, `")) };
    format!("{} {} {}{after}", step.id, step.step.kind(), text::one_line(&step.step.target()))
}

fn write_change(out: &mut String, change: &Change, contents: bool) {
    let show = |value: &Option<String>| value.as_deref().map_or("nothing".to_owned(), short);
    let subject = text::one_line(&change.subject);
    let field = serde_json::to_value(change.field).ok();
    let field = field.as_ref().and_then(|field| field.as_str()).unwrap_or_default();
    let _ = writeln!(out, "      {subject} {field}: {} -> {}", show(&change.before), show(&change.after));
    if contents && change.field == Field::Content {
        let (before, after) = (change.before.as_deref(), change.after.as_deref());
        for (sign, line) in lines(before.unwrap_or_default(), after.unwrap_or_default()) {
            let sign = match sign {
                Sign::Same => " ",
                Sign::Removed => "-",
                Sign::Added => "+",
                Sign::Gap => "...",
            };
            let _ = writeln!(out, "{}", format!("      {sign} {}", text::one_line(&line)).trim_end());
        }
    }
}

/// A value on one line: contents are told by their size.
fn short(value: &str) -> String {
    if value.contains('\n') || value.len() > 80 {
        format!("{} lines, {}", value.lines().count(), text::bytes(value.len() as u64))
    } else {
        format!("`{}`", text::one_line(value))
    }
}

#[cfg(test)]
mod tests {
    use garboard_protocol::{Change, Field};

    #[test]
    fn a_changed_file_is_shown_by_the_lines_that_differ() {
        let before = "one\ntwo\nthree\n".to_owned();
        let after = before.replace("two", "2\u{1b}[2J");
        let mut out = String::new();
        let change = Change::new("/etc/x", Field::Content, Some(before), Some(after));
        super::write_change(&mut out, &change, true);
        let shown = "      /etc/x content: 3 lines, 14 B -> 3 lines, 16 B\n        one\n      - two\n      + 2\\u{1b}[2J\n        three\n";
        assert_eq!(out, shown);
    }
}
