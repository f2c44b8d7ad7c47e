//! Asking the sources: the nearest first, and no more of them than are needed.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::journal::{Level, say};
use crate::address::{Addresses, Family};
use crate::configuration::Configuration;
use crate::http::Clients;
use crate::quorum::{self, Reading};
use crate::sources::{self, INTERFACE, ROUTER, Source};

/// What is seen of each family.
pub(super) type Sighting = BTreeMap<Family, Vec<Reading>>;

/// The sources, and what they said last.
pub(super) struct Looking {
    router: Vec<Box<dyn Source>>,
    echoes: Vec<Box<dyn Source>>,
    /// With whom the next round begins, so that each is asked in turn.
    first: usize,
    /// What router and interface said.
    nearby: BTreeMap<Family, IpAddr>,
    /// What the services said, until they are asked again.
    far: BTreeMap<Family, Vec<Reading>>,
    /// What was said about each source, so that it is said once.
    problems: BTreeMap<String, String>,
}

impl Looking {
    pub(super) fn new(configuration: &Configuration, clients: &Arc<Clients>) -> Self {
        Self {
            router: sources::router(&configuration.sources, clients),
            echoes: sources::echoes(&configuration.sources, clients),
            first: 0,
            nearby: BTreeMap::new(),
            far: BTreeMap::new(),
            problems: BTreeMap::new(),
        }
    }

    /// Asks what is near, and the services if it is their time or what is near has changed. `published` are the addresses of
    /// the names that want a family, `None` for one that has none.
    pub(super) async fn look(
        &mut self,
        configuration: &Configuration,
        with_echoes: bool,
        published: impl Fn(Family) -> Vec<Option<IpAddr>>,
    ) -> Sighting {
        let mut sighting = Sighting::new();
        let families: Vec<Family> = configuration.families().collect();
        for family in families {
            let published = published(family);
            let near = self.near(configuration, family, &published).await;
            let mut readings: Vec<Reading> = near.reading.into_iter().collect();
            let address = readings.first().map(|reading| reading.address);
            let changed = address.is_some() && address != self.nearby.get(&family).copied();
            if let Some(address) = address {
                self.nearby.insert(family, address);
            }
            if with_echoes || changed {
                let settled = |readings: &[Reading]| {
                    let verdict =
                        |one: &Option<IpAddr>| quorum::decide(readings, family, *one, &configuration.allow);
                    published.iter().all(|one| verdict(one).is_settled())
                };
                let far = self.far(family, near.from, &near.temporary, &readings, settled).await;
                self.far.insert(family, far);
            }
            readings.extend(self.far.get(&family).into_iter().flatten().cloned());
            sighting.insert(family, readings);
        }
        if with_echoes {
            self.first += 1;
        }
        sighting
    }

    async fn near(
        &mut self,
        configuration: &Configuration,
        family: Family,
        published: &[Option<IpAddr>],
    ) -> Near {
        match family {
            Family::Ipv4 => {
                let mut problems = Vec::new();
                for source in &self.router {
                    match source.look(family, None).await {
                        Ok(address) => {
                            self.note(ROUTER, None);
                            let reading = Reading { operator: ROUTER.to_owned(), is_router: true, address };
                            return Near { reading: Some(reading), ..Near::default() };
                        }
                        Err(problem) => problems.push(problem),
                    }
                }
                if !problems.is_empty() {
                    self.note(ROUTER, Some(problems.join("; ")));
                }
                Near::default()
            }
            Family::Ipv6 => {
                let interface = configuration.sources.interface.as_deref();
                match sources::interface_addresses(interface, &configuration.allow) {
                    Ok(found) => {
                        let published =
                            found.stable.iter().find(|one| published.contains(&Some(IpAddr::V6(**one))));
                        let chosen = published.or(found.stable.first()).copied().map(IpAddr::V6);
                        let problem =
                            chosen.is_none().then(|| "it has no lasting public IPv6 address".to_owned());
                        self.note(INTERFACE, problem);
                        Near {
                            reading: chosen.map(|address| Reading {
                                operator: INTERFACE.to_owned(),
                                is_router: false,
                                address,
                            }),
                            from: chosen,
                            temporary: found.temporary.into_iter().map(IpAddr::V6).collect(),
                        }
                    }
                    Err(error) => {
                        self.note(INTERFACE, Some(error.to_string()));
                        Near::default()
                    }
                }
            }
        }
    }

    async fn far(
        &mut self,
        family: Family,
        from: Option<IpAddr>,
        temporary: &[IpAddr],
        near: &[Reading],
        settled: impl Fn(&[Reading]) -> bool,
    ) -> Vec<Reading> {
        let mut readings = near.to_vec();
        let count = self.echoes.len();
        for index in 0..count {
            let echo = &self.echoes[(self.first + index) % count];
            if !echo.speaks(family) {
                continue;
            }
            let operator = echo.operator().to_owned();
            let seen = echo.look(family, from).await;
            let problem = match seen {
                Ok(address) if temporary.contains(&address) => {
                    Some(format!("it saw a temporary address, {address}"))
                }
                Ok(address) => {
                    readings.push(Reading { operator: operator.clone(), is_router: false, address });
                    None
                }
                Err(problem) => Some(problem),
            };
            self.note(&operator, problem.map(|problem| format!("{family}: {problem}")));
            if readings.len() > near.len() && settled(&readings) {
                break;
            }
        }
        readings.split_off(near.len())
    }

    /// Says a source's problem when it begins, and that it is over.
    fn note(&mut self, operator: &str, problem: Option<String>) {
        match problem {
            Some(problem) if self.problems.get(operator) != Some(&problem) => {
                say(Level::Information, &format!("{operator} says no address: {problem}"));
                self.problems.insert(operator.to_owned(), problem);
            }
            None if self.problems.remove(operator).is_some() => {
                say(Level::Information, &format!("{operator} says an address again"));
            }
            _ => {}
        }
    }
}

/// What router or interface said.
#[derive(Default)]
struct Near {
    reading: Option<Reading>,
    /// From where the services are asked, so that they see the address that is to be published.
    from: Option<IpAddr>,
    temporary: Vec<IpAddr>,
}

/// Those that no name of these has.
pub(super) fn wanted(published: &Addresses, in_doubt: bool, family: Family) -> Option<IpAddr> {
    // What is in doubt speaks for nothing.
    if in_doubt { None } else { published.get(family) }
}
