//! The front door as `garboard status` shows it: the packet filters of all hosts, and the VPN.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use garboard_playbooks::PlannedStep;
use garboard_protocol::change::Field;
use garboard_protocol::{Observation, Step};
use jiff::Timestamp;
use serde::Serialize;

use crate::output::text;
use crate::problem::Ended;
use crate::run::{Reached, Run};
use crate::vpn::List;
use crate::vpn::management::Connected;

/// What faces the internet.
#[derive(Debug, Serialize)]
pub(super) struct EdgeStatus {
    /// The edge host.
    host: String,
    filters: Vec<Filter>,
    openvpn: Option<Vpn>,
}

/// A table of ours on a host that was reached.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Filter {
    host: String,
    table: String,
    state: FilterState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum FilterState {
    /// As the inventory says.
    Loaded,
    /// It is there, and not as it was loaded.
    Edited,
    /// It is there as an earlier inventory said.
    Outdated,
    /// It is not there.
    NotLoaded,
    /// It could not be looked at.
    Unknown,
}

#[derive(Debug, Serialize)]
struct Vpn {
    port: u16,
    #[serde(flatten)]
    list: List,
}

impl EdgeStatus {
    /// Nothing where no host faces the internet.
    pub(super) async fn of(
        run: &Run,
        reached: &Reached,
        chains: &BTreeMap<String, Vec<(PlannedStep, Observation)>>,
    ) -> Result<Option<Self>, Ended> {
        let Some(edge) = run.inventory().hosts.iter().find(|host| host.edge) else { return Ok(None) };
        let openvpn = match run.inventory().openvpn() {
            None => None,
            Some((_, openvpn)) => {
                let (record, connected) = (run.vpn_record()?, connected(run, reached).await);
                let (until, now) = (run.vpn_server_until()?, Timestamp::now());
                let list = List::of(openvpn, &record, connected.as_deref(), until, now);
                Some(Vpn { port: openvpn.port, list })
            }
        };
        Ok(Some(Self { host: edge.name.clone(), filters: filters(chains), openvpn }))
    }

    /// For a person.
    pub(super) fn human(&self, now: Timestamp) -> String {
        let mut rows = vec![["FILTER OF", "TABLE", "STATE"].map(str::to_owned)];
        let of =
            |filter: &Filter| [filter.host.clone(), filter.table.clone(), filter.state.words().to_owned()];
        rows.extend(self.filters.iter().map(of));
        let mut shown = format!("\nedge host {}\n{}", self.host, text::table(&rows));
        if let Some(vpn) = &self.openvpn {
            // Into a String: that cannot fail.
            let _ = write!(shown, "\nVPN on udp {}\n{}", vpn.port, vpn.list.human(now));
        }
        shown
    }
}

/// Who is connected; nothing where the server does not answer, which the list says.
async fn connected(run: &Run, reached: &Reached) -> Option<Vec<Connected>> {
    match run.vpn_server(reached).await {
        Ok(server) => server?.connected().await.ok(),
        Err(problem) => {
            tracing::debug!("the VPN's server: {}", problem.message);
            None
        }
    }
}

fn filters(chains: &BTreeMap<String, Vec<(PlannedStep, Observation)>>) -> Vec<Filter> {
    let steps = chains.iter().flat_map(|(host, chain)| chain.iter().map(move |seen| (host, seen)));
    let tables = steps.filter_map(|(host, (planned, seen))| match &planned.step {
        Step::Nft(nft) => {
            Some(Filter { host: host.clone(), table: nft.table.clone(), state: FilterState::of(seen) })
        }
        _ => None,
    });
    tables.collect()
}

impl FilterState {
    fn of(seen: &Observation) -> Self {
        match seen {
            Observation::Converged { .. } => Self::Loaded,
            Observation::Unknown { .. } => Self::Unknown,
            Observation::Differs { changes } => {
                match changes.iter().find(|change| change.field == Field::Loaded) {
                    Some(change) if change.before.is_none() => Self::NotLoaded,
                    Some(_) => Self::Edited,
                    None => Self::Outdated,
                }
            }
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Loaded => "loaded, as it should be",
            Self::Edited => "edited by somebody: `garboard up` loads ours again",
            Self::Outdated => "loaded, but the inventory says something else: `garboard up`",
            Self::NotLoaded => "NOT LOADED: `garboard up` loads it",
            Self::Unknown => "not known",
        }
    }
}

#[cfg(test)]
mod tests {
    use garboard_protocol::{Change, Observation, change::Field};

    use super::FilterState;

    fn seen(changes: &[(Field, Option<&str>)]) -> FilterState {
        let change = |(field, before): &(Field, Option<&str>)| {
            Change::new("inet garboard_edge", *field, before.map(str::to_owned), Some("after".to_owned()))
        };
        FilterState::of(&Observation::from_changes(changes.iter().map(change).collect()))
    }

    #[test]
    fn a_table_that_is_gone_edited_or_of_an_earlier_inventory_is_told_apart() {
        assert_eq!(seen(&[]), FilterState::Loaded);
        assert_eq!(seen(&[(Field::Loaded, None)]), FilterState::NotLoaded);
        assert_eq!(seen(&[(Field::Content, None), (Field::Loaded, None)]), FilterState::NotLoaded);
        assert_eq!(seen(&[(Field::Loaded, Some("loaded, but not as it was"))]), FilterState::Edited);
        assert_eq!(seen(&[(Field::Content, Some("rules"))]), FilterState::Outdated);
        assert_eq!(FilterState::of(&Observation::Unknown { because: String::new() }), FilterState::Unknown);
    }
}
