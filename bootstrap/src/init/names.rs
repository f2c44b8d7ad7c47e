//! Names for hosts that were given only an address.

use std::collections::BTreeSet;

use super::{Answers, Finding, Person, Whom};
use crate::problem::Ended;

/// Gives a name to every host that has none: the proposed one, unless a person says another.
///
/// # Errors
/// The person broke off.
pub async fn name_hosts(answers: &Answers, findings: &[Finding], whom: Whom<'_>) -> Result<Answers, Ended> {
    if let Whom::Person(person) = whom {
        return ask_names(answers, findings, person).await;
    }
    let mut named = answers.clone();
    for (host, name) in named.hosts.iter_mut().zip(proposed(answers, findings)) {
        host.name = Some(name);
    }
    Ok(named)
}

/// Asks a person for the names that nobody said; Enter takes what is proposed.
async fn ask_names(answers: &Answers, findings: &[Finding], person: &dyn Person) -> Result<Answers, Ended> {
    let mut asked = answers.clone();
    for index in 0..asked.hosts.len() {
        if asked.hosts[index].name.is_some() {
            continue;
        }
        let proposal = proposed(&asked, findings).swap_remove(index);
        let question = format!("Name of {} in the cluster", asked.hosts[index].address);
        loop {
            let answer = person.answer(&question, Some(&proposal)).await?;
            asked.hosts[index].name = Some(answer);
            let faults = asked.faults();
            if faults.is_empty() {
                break;
            }
            person.object(&faults);
        }
    }
    Ok(asked)
}

/// What was said; else the host's own name, if it may be one here and nobody else has it; else `node` and a number.
pub(super) fn proposed(answers: &Answers, findings: &[Finding]) -> Vec<String> {
    let said = |name: &str| answers.hosts.iter().any(|host| host.name.as_deref() == Some(name));
    let own: Vec<Option<String>> = (0..answers.hosts.len())
        .map(|index| own_name(findings.get(index)?).filter(|name| !said(name)))
        .collect();
    // Cards written from one image share their name: it tells none of them apart.
    let alone = |name: &String| own.iter().flatten().filter(|other| *other == name).count() == 1;
    let mut used: BTreeSet<String> = answers.hosts.iter().filter_map(|host| host.name.clone()).collect();
    used.extend(own.iter().flatten().cloned());
    let mut names = Vec::new();
    for (index, host) in answers.hosts.iter().enumerate() {
        let name = host.name.clone().or_else(|| own[index].clone().filter(alone));
        let name = name.unwrap_or_else(|| {
            // Of one number more than there are names in use, one is free.
            let mut numbered = (index + 1..=index + 1 + used.len()).map(|number| format!("node{number}"));
            numbered.find(|name| !used.contains(name)).unwrap_or_default()
        });
        used.insert(name.clone());
        names.push(name);
    }
    names
}

/// The first part of the host's own name, if the inventory's rules take it.
fn own_name(finding: &Finding) -> Option<String> {
    let name = finding.facts()?.hostname.split('.').next()?.to_lowercase();
    let mut sample = Answers::sample();
    sample.hosts[0].name = Some(name.clone());
    sample.faults().is_empty().then_some(name)
}
