//! A look at the hosts, with consent: their host keys first, then, once these are right, what the hosts say of themselves.
//!
//! It is how `check` looks: the agent comes, tells its facts and goes, and nothing of it stays.

use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt as _, join_all};
use garboard_inventory::{Host, Inventory};

use super::host_keys::{Judged, judge};
use super::interrupt::{Interrupt, broken_off};
use super::names::proposed;
use super::{Answers, Finding, HostKey, Person, Seen, Whom};
use crate::invocation::Global;
use crate::output::{Event, Events, Format, Listener, human::Human, json::Json};
use crate::person::Person as PersonAtTerminal;
use crate::problem::{Ended, Exit, Problem};
use crate::run::Handle;
use crate::ssh::{Target, Transports};
use crate::state;

/// What a look at all hosts found.
#[derive(Debug, Default)]
pub struct Looked {
    /// One for each host of the answers, or none at all where nobody looked.
    pub findings: Vec<Finding>,
    problems: Vec<Problem>,
}

impl Looked {
    /// How the command ends after all hosts were told of: never with 0 where one was left out.
    pub fn exit(&self) -> Exit {
        self.problems.iter().map(|problem| problem.exit).max().unwrap_or(Exit::Done)
    }
}

/// Looks at all hosts at once. Whom it cannot look at it says, and goes on.
///
/// # Errors
/// The person broke off.
pub async fn look(
    global: &Global,
    answers: &Answers,
    whom: Whom<'_>,
    interrupt: &Interrupt,
) -> Result<Looked, Ended> {
    let look = Look::begin(global, answers)?;
    let mut looked = or_broken_off(look.host_keys(answers).boxed(), &look.handle, interrupt).await?;
    look.handle.events.rest();
    if let Whom::Person(person) = whom {
        agree(answers, &mut looked, person).await?;
    }
    look.say_unagreed(answers, &mut looked);
    let facts = look.facts(&global.inventory, answers, &looked)?;
    let seen = or_broken_off(facts.boxed(), &look.handle, interrupt).await?;
    for (index, seen) in seen {
        match seen {
            Ok(facts) => looked.findings[index].seen = Seen::Facts(facts),
            Err(problem) => look.left_out(&mut looked, index, problem),
        }
    }
    look.handle.events.rest();
    Ok(looked)
}

struct Look {
    inventory: Inventory,
    transports: Arc<Transports>,
    handle: Handle,
}

type Facts = Result<Box<garboard_protocol::Facts>, Problem>;

impl Look {
    fn begin(global: &Global, answers: &Answers) -> Result<Self, Ended> {
        let inventory = in_memory(&global.inventory, answers)?;
        let own = state::known_hosts_of(global.state.as_deref(), &answers.cluster).unwrap_or_default();
        let listener: Box<dyn Listener> = match global.output {
            Format::Json => Box::new(Json::of_failures(std::io::stdout())),
            Format::Human => Box::new(Human::new(global.verbose > 0, global.terminal())),
        };
        let events = Events::new(vec![listener]);
        let person = PersonAtTerminal::at_own_terminal(events.clone()).map(Arc::new);
        let run = state::new_run().map_err(|error| Problem::from_error(Exit::Failed, &error))?;
        let handle = Handle::without_memory(run.clone(), events, person.clone(), global.patience);
        let transports = Transports::of_this_machine(own, person.as_ref(), &handle.secrets)
            .map_err(|error| Problem::from_error(Exit::Failed, &error))?;
        handle.events.send(&Event::RunStarted {
            run,
            command: "init".to_owned(),
            cluster: answers.cluster.clone(),
            hosts: proposed(answers, &[]),
        });
        Ok(Self { inventory, transports: Arc::new(transports), handle })
    }

    /// Which keys the hosts show, and which of them are known to be right.
    async fn host_keys(&self, answers: &Answers) -> Looked {
        let asked = self.inventory.hosts.iter().map(|host| async {
            let connecting = Event::HostConnecting { host: host.name.clone(), address: host.address.clone() };
            self.handle.events.send(&connecting);
            let target = Target::of(host);
            let offered = self.transports.of(host).host_keys(&target).await?;
            judge(&target, offered, self.transports.files())
        });
        let judged = join_all(asked).await;
        let mut looked = Looked { findings: vec![Finding::default(); judged.len()], problems: Vec::new() };
        for (index, judged) in judged.into_iter().enumerate() {
            match judged {
                Ok(Judged::Right(key)) => looked.findings[index].host_key = key,
                Ok(Judged::Unknown(keys)) => looked.findings[index].offered = keys,
                Err(error) => {
                    let problem = error.problem(answers.hosts[index].called());
                    self.left_out(&mut looked, index, problem);
                }
            }
        }
        looked
    }

    /// Hosts whose key nobody knows are not logged in to.
    fn say_unagreed(&self, answers: &Answers, looked: &mut Looked) {
        for (index, host) in answers.hosts.iter().enumerate() {
            let finding = &mut looked.findings[index];
            let Some(shown) = finding.offered.first().filter(|_| finding.host_key == HostKey::Unknown) else {
                continue;
            };
            let key = shown.fingerprint.clone();
            let problem = Problem::new(
                Exit::Refused,
                format!("nobody agreed to its host key, so it was not looked at: it shows {} `{key}`", shown.algorithm),
            )
            .host(host.called())
            .help(format!(
                "compare it on the host's own console; then uncomment its `host_key` in the inventory, or say \
                 `--host-key {}={key}`",
                host.called()
            ));
            finding.host_key = HostKey::Shown(key);
            self.left_out(looked, index, problem);
        }
    }

    /// Logs in to the hosts with the right key; each is left again as soon as it has told its facts.
    fn facts<'a>(
        &'a self,
        path: &std::path::Path,
        answers: &'a Answers,
        looked: &Looked,
    ) -> Result<impl Future<Output = Vec<(usize, Facts)>> + use<'a>, Ended> {
        let mut pinned = answers.clone();
        let mut chosen = Vec::new();
        for (index, finding) in looked.findings.iter().enumerate() {
            if let Some(key) = finding.host_key.pinned() {
                pinned.hosts[index].host_key = Some(key.to_owned());
                chosen.push(index);
            }
        }
        let hosts = in_memory(path, &pinned)?.hosts;
        let visits = chosen.into_iter().map(move |index| {
            let (host, called) = (hosts[index].clone(), answers.hosts[index].called());
            async move { (index, self.visit(&host).await.map_err(|problem| problem.host(called))) }
        });
        Ok(join_all(visits))
    }

    async fn visit(&self, host: &Host) -> Facts {
        let reached = self.handle.reach_host(&self.transports, host, None).await?;
        // One that is gone already has left.
        if let Err(error) = reached.session.end().await {
            tracing::debug!("an agent did not say goodbye: {error}");
        }
        let finished = Event::HostFinished { host: host.name.clone(), changed: 0, steps: 0, bytes_sent: 0 };
        self.handle.events.send(&finished);
        Ok(Box::new(reached.facts))
    }

    /// Tells of it, and keeps why.
    fn left_out(&self, looked: &mut Looked, index: usize, problem: Problem) {
        let mut why = problem.message.clone();
        if !problem.causes.is_empty() {
            why = format!("{why} ({})", problem.causes.join(": "));
        }
        looked.findings[index].seen = Seen::Unreached(why);
        self.handle.events.send(&Event::Failed { problem: problem.clone() });
        looked.problems.push(problem);
    }
}

/// The inventory that these answers would give, read as if it were in its file.
fn in_memory(path: &std::path::Path, answers: &Answers) -> Result<Inventory, Ended> {
    Ok(super::proof(path, &super::inventory(answers, &[]))?)
}

/// Shows the keys that nobody knows, and asks which are right.
async fn agree(answers: &Answers, looked: &mut Looked, person: &dyn Person) -> Result<(), Ended> {
    for (host, finding) in answers.hosts.iter().zip(&mut looked.findings) {
        if finding.offered.is_empty() {
            continue;
        }
        let mut shown = format!(
            "{} ({}) shows SSH host keys that this machine does not know:",
            host.called(),
            host.address
        );
        for key in &finding.offered {
            shown = format!("{shown}\n  {} {}", key.fingerprint, key.algorithm);
        }
        shown.push_str("\nOn its own console this prints them: for key in /etc/ssh/ssh_host_*_key.pub; do ssh-keygen -lf $key; done");
        person.tell(&shown);
        let question = format!("Is this {}?", host.called());
        if super::questions::ask_yes(person, &question, false).await? {
            finding.host_key = HostKey::Agreed(finding.offered[0].fingerprint.clone());
        }
    }
    Ok(())
}

/// Ctrl-C lets the hosts be left in good order; a second one does not wait for that.
async fn or_broken_off<T>(
    work: BoxFuture<'_, T>,
    handle: &Handle,
    interrupt: &Interrupt,
) -> Result<T, Ended> {
    let mut work = work;
    tokio::select! {
        done = &mut work => return Ok(done),
        () = interrupt.pressed() => {}
    }
    handle.secrets.give_up();
    handle.events.note("stopping: each host is left as soon as it answers (Ctrl-C again does not wait)");
    tokio::select! {
        _ = work => {}
        () = interrupt.pressed() => {}
    }
    handle.secrets.restore_terminal();
    handle.events.rest();
    Err(broken_off().into())
}
