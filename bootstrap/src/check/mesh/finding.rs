//! What the answers say about one way.

use std::collections::{BTreeMap, BTreeSet};

use garboard_protocol::mesh::{Answer, Heard, Listener, ListenerState, Protocol};

use super::{Answers, Mesh, Way};

/// Something to be said about a way.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Finding {
    /// Nothing came back, and the other end heard nothing that it could tell of.
    Blocked,
    /// The asking host's own firewall let nothing out.
    Withheld,
    /// The other end heard it, its answer was lost: the way back is blocked.
    AnswerLost,
    /// It was turned away.
    Refused {
        /// The kernel's word for it.
        why: String,
    },
    /// Another host answered, or something that is none.
    WrongHost {
        /// A host of the mesh.
        host: Option<String>,
    },
    /// The asking host could not ask.
    NotAsked {
        /// Why.
        why: String,
    },
    /// The port could not be opened.
    NotOpened {
        /// Why.
        why: String,
    },
    /// A member's port that nothing serves now.
    Vacant,
    /// Somebody else's port, and what comes to it cannot be heard.
    Unheard {
        /// Who holds it.
        holder: String,
    },
}

/// Whether there is something to ask at the other end.
pub(super) fn can_be_probed(listener: Result<&Listener, &str>) -> bool {
    listener.is_ok_and(|listener| unprobed(listener).is_none())
}

/// Why a port is not probed.
fn unprobed(listener: &Listener) -> Option<Finding> {
    match (&listener.state, listener.port.protocol) {
        (ListenerState::Open, _) | (ListenerState::Served { .. }, Protocol::Tcp) => None,
        (ListenerState::Failed { why }, _) => Some(Finding::NotOpened { why: why.clone() }),
        (ListenerState::Vacant | ListenerState::Served { .. }, Protocol::Udp) if listener.hears => None,
        (ListenerState::Vacant, _) => Some(Finding::Vacant),
        (ListenerState::Served { process, pid }, Protocol::Udp) => {
            let holder = if process.is_empty() {
                "the kernel".to_owned()
            } else {
                format!("`{process}` (process {pid})")
            };
            Some(Finding::Unheard { holder })
        }
    }
}

impl<'a> Mesh<'a> {
    /// All findings, in the order of the ways. Ways to and from a host that gave no answer have none: that host has a row.
    pub(super) fn findings(&self, answers: &Answers) -> Vec<(Way<'a>, Finding)> {
        let answered = self.answered(answers);
        let mut found: Vec<(Way<'a>, Finding)> = Vec::new();
        for way in &self.ways {
            let Ok(listener) = way.listener(answers) else { continue };
            if let Some(finding) = unprobed(listener) {
                found.push((*way, finding));
            } else if let Some(answer) = answered.get(way) {
                found.extend(self.finding(*way, listener, answer, answers).map(|finding| (*way, finding)));
            }
        }
        // Where the way there is known to be blocked by itself, a lost answer says the same once more.
        let blocked: BTreeSet<Way<'a>> = found
            .iter()
            .filter(|(_, finding)| matches!(finding, Finding::Blocked | Finding::Withheld))
            .map(|(way, _)| *way)
            .collect();
        found.retain(|(way, finding)| {
            let back = Way { from: way.to, to: way.from, port: way.port };
            *finding != Finding::AnswerLost || !blocked.contains(&back)
        });
        found
    }

    /// What came back on each way that was probed.
    fn answered<'b>(&self, answers: &'b Answers) -> BTreeMap<Way<'a>, &'b Answer> {
        let of_host = |host: &'a str| {
            let answers_of_host = answers.probed.get(host).and_then(|probed| probed.as_ref().ok());
            self.probed_from(host, answers).into_iter().zip(answers_of_host.into_iter().flatten())
        };
        self.hosts().into_iter().flat_map(of_host).collect()
    }

    fn finding(
        &self,
        way: Way<'_>,
        listener: &Listener,
        answer: &Answer,
        answers: &Answers,
    ) -> Option<Finding> {
        let is_udp = way.port.port.protocol == Protocol::Udp;
        let is_heard = self.is_heard(way, answers);
        // What VXLAN needs is each way by itself; the way back is another way of this mesh.
        if is_udp && is_heard {
            return None;
        }
        match answer {
            Answer::Reached => None,
            Answer::Silent if is_heard => Some(Finding::AnswerLost),
            Answer::Silent => Some(match self.wrong_ear(way, answers) {
                Some(host) => Finding::WrongHost { host: Some(host) },
                None => Finding::Blocked,
            }),
            Answer::Withheld => Some(Finding::Withheld),
            // What served the port has stopped since it was looked at.
            Answer::Refused { .. } if listener.state != ListenerState::Open && way.is_vacant_now(answers) => {
                Some(Finding::Vacant)
            }
            Answer::Refused { why } => Some(Finding::Refused { why: why.clone() }),
            // On a member the sample may be a service's own port; something behind it was reached.
            Answer::Other { host: None } if !way.port.has_owner && self.nodes.get(way.to)?.is_member => None,
            Answer::Other { host } => Some(Finding::WrongHost { host: host.clone() }),
            Answer::Failed { why } => Some(Finding::NotAsked { why: why.clone() }),
        }
    }

    /// Whether the other end has heard this one.
    fn is_heard(&self, way: Way<'_>, answers: &Answers) -> bool {
        heard_at(way.to, answers).any(|heard| {
            heard.port == way.port.port
                && match &heard.said {
                    Some(said) => said.from == way.from && said.to == way.to,
                    None => {
                        self.nodes.get(way.from).is_some_and(|node| node.addresses.contains(&heard.address))
                    }
                }
        })
    }

    /// Another host that has heard what was meant for this one.
    fn wrong_ear(&self, way: Way<'_>, answers: &Answers) -> Option<String> {
        let hears = |host: &&&str| {
            **host != way.to
                && heard_at(host, answers).any(|heard| {
                    let is_this = |from: &str, to: &str| (from, to) == (way.from, way.to);
                    heard.port == way.port.port
                        && heard.said.as_ref().is_some_and(|said| is_this(&said.from, &said.to))
                })
        };
        self.nodes.keys().find(hears).map(|host| (*host).to_owned())
    }
}

impl Way<'_> {
    fn is_vacant_now(&self, answers: &Answers) -> bool {
        let Some(Ok((_, served))) = answers.closed.get(self.to) else { return false };
        served.iter().any(|now| now.port == self.port.port && now.state == ListenerState::Vacant)
    }
}

fn heard_at<'b>(host: &str, answers: &'b Answers) -> impl Iterator<Item = &'b Heard> {
    answers.closed.get(host).and_then(|closed| closed.as_ref().ok()).into_iter().flat_map(|(heard, _)| heard)
}
