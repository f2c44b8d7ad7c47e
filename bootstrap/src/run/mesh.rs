//! The port mesh: every host opens its ports, probes the others', closes its own.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;
use garboard_protocol::Facts;
use garboard_protocol::limits::MESH_TARGETS;
use garboard_protocol::mesh::{Answer, Listen, Probe, Target};
use tokio::time::timeout;

use super::{Reached, Run};
use crate::check::Row;
use crate::check::mesh::{ANSWERING_SECONDS, Answers, Mesh, OPENING_SECONDS, WINDOW_MILLISECONDS, unreached};
use crate::problem::{Ended, Exit, Problem};
use crate::session::{Session, SessionError};

/// Which ways are probed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ways {
    /// Between all hosts.
    All,
    /// Those from and to a host that is no member yet.
    OfNewcomers,
}

impl Run {
    /// Probes the ways that touch a host of this run. Gives what stands in the way; nothing is written on any host.
    pub async fn mesh(&self, reached: &Reached, ways: Ways) -> Result<Vec<Row>, Ended> {
        let facts = reached.facts();
        let concerns = |host: &str, facts: &Facts| {
            self.may_change(host) && (ways == Ways::All || !facts.kubernetes.kubelet_conf)
        };
        let mesh = Mesh::of(self.inventory(), &facts, concerns);
        let absent = reached.problems.iter().filter_map(|problem| problem.host.as_deref());
        let mut rows = if ways == Ways::All { unreached(absent) } else { Vec::new() };
        if !mesh.is_empty() {
            self.note(&format!(
                "probing {} ways between {} hosts; ports are open for {} s at most",
                mesh.ways(),
                mesh.hosts().len(),
                mesh.open_seconds(),
            ));
        }
        rows.extend(mesh.rows(&self.answers(reached, &mesh).await?));
        Ok(rows)
    }

    async fn answers(&self, reached: &Reached, mesh: &Mesh<'_>) -> Result<Answers, Ended> {
        let nonce = nonce().map_err(|error| Problem::from_error(Exit::Failed, &error))?;
        let mut answers = Answers::default();
        let listens = mesh.listens(&nonce);
        answers.listeners =
            of_each(reached, listens, OPENING_SECONDS, |session, listen: Listen| async move {
                session.mesh_listen(listen).await
            })
            .await;
        let targets = mesh.targets(&answers);
        let probes = targets.into_iter().map(|(host, targets)| {
            let probe = (host.clone(), nonce.clone(), targets);
            (host, probe)
        });
        answers.probed = of_each(reached, probes.collect(), mesh.open_seconds(), probe).await;
        let opened = answers.listeners.keys().map(|host| (host.clone(), ())).collect();
        answers.closed =
            of_each(
                reached,
                opened,
                ANSWERING_SECONDS,
                |session, ()| async move { session.mesh_close().await },
            )
            .await;
        Ok(answers)
    }
}

/// Asks all hosts at once; one that takes longer than `seconds` has given no answer.
async fn of_each<Question, Answer, Asked>(
    reached: &Reached,
    questions: BTreeMap<String, Question>,
    seconds: u64,
    ask: impl Fn(Session, Question) -> Asked,
) -> BTreeMap<String, Result<Answer, String>>
where
    Asked: Future<Output = Result<Answer, SessionError>>,
{
    let asked = questions.into_iter().filter_map(|(host, question)| {
        let session = reached.hosts.get(&host)?.session.clone();
        let asking = timeout(Duration::from_secs(seconds), ask(session, question));
        Some(async move {
            let answer = match asking.await {
                Ok(answer) => answer.map_err(|error| error.to_string()),
                Err(_) => Err(format!("nothing came within {seconds} s")),
            };
            (host, answer)
        })
    });
    join_all(asked).await.into_iter().collect()
}

/// As many targets at a time as an agent takes.
async fn probe(
    session: Session,
    (host, nonce, targets): (String, String, Vec<Target>),
) -> Result<Vec<Answer>, SessionError> {
    let mut answers = Vec::with_capacity(targets.len());
    for targets in targets.chunks(MESH_TARGETS) {
        let probe = Probe {
            nonce: nonce.clone(),
            host: host.clone(),
            targets: targets.to_vec(),
            milliseconds: WINDOW_MILLISECONDS,
        };
        answers.extend(session.mesh_probe(probe).await?);
    }
    Ok(answers)
}

/// 32 hex digits nobody else knows.
fn nonce() -> std::io::Result<String> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|error| std::io::Error::other(error.to_string()))?;
    Ok(garboard_protocol::Digest::of(&random).hex()[..32].to_owned())
}
