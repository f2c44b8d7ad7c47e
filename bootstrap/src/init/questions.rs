//! The questions, in their order. What a flag answers is not asked; without a person all that is missing is said at once.

use garboard_inventory::{SecretReference, Zone};

use super::answers::read_reference;
use super::{Answers, FirstBoot, Gateway, HostAnswer, Login, Person, System, Whom};
use crate::problem::{Ended, Exit, Problem, Problems, none_of};

const NAME: &str = "homelab";
const SUDO: &str = "Where sudo's password is found: env NAME, file PATH or command PROGRAM ... (Enter: it needs none, or you are asked)";
const MAKE_SUDO: &str = "Where a password for sudo is found: env NAME, file PATH or command PROGRAM ... (Enter: sudo is to ask for none)";

/// What flags say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Given {
    /// The cluster's name.
    pub name: Option<String>,
    /// The Kubernetes version.
    pub kubernetes: String,
    /// `NAME=ADDRESS` or `ADDRESS`, in this order.
    pub hosts: Vec<String>,
    /// A host's name or address.
    pub control_plane: Option<String>,
    /// A host's name or address.
    pub edge: Option<String>,
    /// `HOST=ZONE`.
    pub zones: Vec<String>,
    /// `HOST=FINGERPRINT`.
    pub host_keys: Vec<String>,
    /// How hosts are reached.
    pub login: Login,
    /// Nothing says where `sudo`'s password is found, and nothing is to.
    pub no_sudo_password: bool,
    /// Whether the hosts may be looked at.
    pub look: Option<bool>,
    /// The hosts are blank cards yet, for this system.
    pub pi: Option<System>,
    /// The router behind which they have the addresses that are said here.
    pub gateway: Option<Gateway>,
}

/// All answers, each of them good by the inventory's rules.
///
/// # Errors
/// Flags that are faulty or missing, all at once; or the person broke off.
pub async fn answers(given: &Given, whom: Whom<'_>) -> Result<Answers, Ended> {
    let mut answers = from_flags(given)?;
    match whom {
        Whom::Person(person) => ask(given, &mut answers, person).await?,
        Whom::Defaults => {
            none_of(missing(given, true))?;
            answers.look = given.look.unwrap_or(given.pi.is_none());
        }
        Whom::Nobody => none_of(missing(given, false))?,
    }
    none_of(first_boot_faults(&answers))?;
    Ok(answers)
}

/// What the flags say, in place of the rest what nobody has anything against.
fn from_flags(given: &Given) -> Result<Answers, Problems> {
    let mut answers = Answers::sample();
    given.kubernetes.clone_into(&mut answers.kubernetes);
    answers.cluster = given.name.clone().unwrap_or_else(|| NAME.to_owned());
    answers.look = given.look.unwrap_or(false);
    answers.login = given.login.clone();
    answers.first_boot = given.pi.map(|system| FirstBoot { system, gateway: given.gateway });
    if !given.hosts.is_empty() {
        answers.hosts = given.hosts.iter().map(|host| HostAnswer::read(host)).collect();
        answers.control_plane = match &given.control_plane {
            Some(wanted) => called(&answers.hosts, wanted).ok_or_else(|| unknown(wanted, &answers.hosts))?,
            None => 0,
        };
        set_host_keys(&mut answers.hosts, &given.host_keys)?;
        set_tiers(&mut answers.hosts, given)?;
    }
    none_of(answers.faults())?;
    Ok(answers)
}

/// Which host faces the internet, and where each stands.
fn set_tiers(hosts: &mut [HostAnswer], given: &Given) -> Result<(), Problem> {
    if let Some(wanted) = &given.edge {
        let index = called(hosts, wanted).ok_or_else(|| unknown(wanted, hosts))?;
        hosts[index].edge = true;
    }
    for written in &given.zones {
        let help = "write it like `--zone db1=data`; zones are `public`, `private` and `data`";
        let Some((host, word)) = written.split_once('=') else {
            return Err(
                Problem::new(Exit::Usage, format!("`--zone {written}` names no host and zone")).help(help)
            );
        };
        let zone = Zone::ALL.into_iter().find(|zone| zone.word() == word);
        let zone =
            zone.ok_or_else(|| Problem::new(Exit::Usage, format!("`{word}` is no zone")).help(help))?;
        let index = called(hosts, host).ok_or_else(|| unknown(host, hosts))?;
        hosts[index].zone = Some(zone);
    }
    Ok(())
}

fn set_host_keys(hosts: &mut [HostAnswer], keys: &[String]) -> Result<(), Problem> {
    for written in keys {
        let Some((host, key)) = written.split_once('=') else {
            return Err(Problem::new(Exit::Usage, format!("`--host-key {written}` names no host"))
                .help("write it like `--host-key cp1=SHA256:…`"));
        };
        let index = called(hosts, host).ok_or_else(|| unknown(host, hosts))?;
        hosts[index].host_key = Some(key.to_owned());
    }
    Ok(())
}

/// The flags without which nobody knows the answer.
fn missing(given: &Given, has_defaults: bool) -> Vec<Problem> {
    let mut flags = Vec::new();
    if given.name.is_none() && !has_defaults {
        flags.push("--name NAME");
    }
    if given.hosts.is_empty() {
        flags.push("--host NAME=ADDRESS (once for each host)");
    }
    if given.control_plane.is_none() && given.hosts.len() != 1 && !has_defaults {
        flags.push("--control-plane HOST");
    }
    if given.look.is_none() && given.pi.is_none() && !has_defaults {
        flags.push("--look or --no-look");
    }
    if flags.is_empty() {
        return Vec::new();
    }
    let message = format!("there is no terminal to ask at, and answers are missing: {}", flags.join(", "));
    let help = "say them as flags; `--yes` takes the default of each question that has one";
    vec![Problem::new(Exit::Usage, message).help(help)]
}

async fn ask(given: &Given, answers: &mut Answers, person: &dyn Person) -> Result<(), Ended> {
    if given.name.is_none() {
        let name = good(person, "Name of the cluster", Some(NAME), |answer| {
            faults_of(|sample| answer.clone_into(&mut sample.cluster))
        });
        answers.cluster = name.await?;
    }
    if given.hosts.is_empty() {
        answers.hosts = ask_hosts(person).await?;
        set_host_keys(&mut answers.hosts, &given.host_keys)?;
        answers.control_plane = 0;
        if let Some(wanted) = &given.control_plane {
            answers.control_plane =
                called(&answers.hosts, wanted).ok_or_else(|| unknown(wanted, &answers.hosts))?;
        }
        set_tiers(&mut answers.hosts, given)?;
    }
    if given.control_plane.is_none() && answers.hosts.len() > 1 {
        let hosts = answers.hosts.clone();
        let question = "Which host is the control plane";
        let wanted = good(person, question, Some(hosts[0].called()), |answer| {
            called(&hosts, answer).map_or_else(|| vec![unknown(answer, &hosts)], |_| Vec::new())
        });
        answers.control_plane = called(&hosts, &wanted.await?).unwrap_or(0);
    }
    // Rules about the control plane (its address, for one) are met only now.
    none_of(answers.faults())?;
    // Whoever names hosts by flags would have named this one, too.
    if given.edge.is_none() && given.hosts.is_empty() && answers.hosts.len() > 1 {
        ask_edge(answers, person).await?;
    }
    ask_login(given, answers, person).await?;
    none_of(answers.faults())?;
    if let Some(first_boot) = answers.first_boot {
        answers.first_boot = Some(ask_gateway(given, first_boot, answers, person).await?);
    } else if given.look.is_none() {
        let about = "Garboard can look at the hosts now, to write down their host keys and what they are. It leaves nothing there.";
        person.tell(about);
        answers.look = ask_yes(person, "Look at the hosts now?", true).await?;
    }
    Ok(())
}

/// Which of the workers faces the internet; the inventory's rules say which cannot.
async fn ask_edge(answers: &mut Answers, person: &dyn Person) -> Result<(), Ended> {
    let with = |answer: &str| -> Result<Answers, Problem> {
        let mut with = answers.clone();
        if !answer.is_empty() {
            let index = called(&with.hosts, answer).ok_or_else(|| unknown(answer, &with.hosts))?;
            with.hosts[index].edge = true;
        }
        Ok(with)
    };
    let question = "Which host faces the internet, with a packet filter of its own (Enter: none)";
    let wanted = good(person, question, None, |answer| match with(answer) {
        Ok(with) => with.faults(),
        Err(problem) => vec![problem],
    });
    let wanted = wanted.await?;
    *answers = with(&wanted)?;
    Ok(())
}

fn first_boot_faults(answers: &Answers) -> Vec<Problem> {
    answers.first_boot.map_or_else(Vec::new, |first_boot| first_boot.faults(answers))
}

/// Only where a host is to have an address of its own, and the system can be told one.
async fn ask_gateway(
    given: &Given,
    first_boot: FirstBoot,
    answers: &Answers,
    person: &dyn Person,
) -> Result<FirstBoot, Ended> {
    let has_address = answers.hosts.iter().any(|host| host.address.parse::<std::net::Ipv4Addr>().is_ok());
    if given.gateway.is_some() || !has_address || first_boot.system == System::Bookworm {
        return Ok(first_boot);
    }
    let with = |answer: &str| {
        let gateway = if answer.is_empty() { None } else { Some(answer.parse::<Gateway>()?) };
        Ok::<_, String>(FirstBoot { gateway, ..first_boot })
    };
    let question = "Their router, like 192.168.1.1/24, to give them these addresses for good (Enter: the router gives addresses)";
    let answer = good(person, question, None, |answer| match with(answer) {
        Ok(first_boot) => first_boot.faults(answers),
        Err(form) => vec![Problem::new(Exit::Usage, form)],
    });
    Ok(with(&answer.await?).unwrap_or(first_boot))
}

/// One a line, until an empty one.
async fn ask_hosts(person: &dyn Person) -> Result<Vec<HostAnswer>, Ended> {
    person.tell("The hosts, one a line: NAME=ADDRESS, or an address alone (a name is proposed later). An empty line ends them.");
    let mut hosts: Vec<HostAnswer> = Vec::new();
    loop {
        let answer = person.answer(&format!("Host {}", hosts.len() + 1), None).await?;
        if answer.is_empty() {
            if !hosts.is_empty() {
                return Ok(hosts);
            }
            person
                .object(&[Problem::new(Exit::Usage, "a cluster needs a host")
                    .help("write it like `cp1=192.168.1.11`")]);
            continue;
        }
        let mut more = hosts.clone();
        more.push(HostAnswer::read(&answer));
        let faults = faults_of(|sample| more.clone_into(&mut sample.hosts));
        if faults.is_empty() {
            hosts = more;
        }
        person.object(&faults);
    }
}

async fn ask_login(given: &Given, answers: &mut Answers, person: &dyn Person) -> Result<(), Ended> {
    if given.login.user.is_none() && answers.first_boot.is_some() {
        let question = "User to make on the hosts, who may use sudo";
        let user = good(person, question, Some("pi"), |answer| {
            let faults = faults_of(|sample| sample.login.user = some(answer));
            let first_boot = answers.first_boot.filter(|_| faults.is_empty());
            faults.into_iter().chain(first_boot.and_then(|_| FirstBoot::login_fault(answer))).collect()
        });
        answers.login.user = some(&user.await?);
    } else if given.login.user.is_none() {
        let question = "User to log in as (Enter: what ~/.ssh/config says, else root)";
        let user =
            good(person, question, None, |answer| faults_of(|sample| sample.login.user = some(answer)));
        answers.login.user = some(&user.await?);
    }
    if given.login.identity.is_empty() {
        let question = "Private key (Enter: your SSH agent and the usual files in ~/.ssh)";
        let identity = good(person, question, None, |answer| {
            faults_of(|sample| sample.login.identity = some(answer).into_iter().collect())
        });
        answers.login.identity = some(&identity.await?).into_iter().collect();
    }
    let is_root = answers.login.user.as_deref() == Some("root");
    if given.login.sudo.is_none() && !given.no_sudo_password && !is_root {
        let question = if answers.first_boot.is_some() { MAKE_SUDO } else { SUDO };
        answers.login.sudo = ask_sudo(person, question).await?;
    }
    Ok(())
}

/// Where it is found; what is typed by mistake is not repeated.
async fn ask_sudo(person: &dyn Person, question: &str) -> Result<Option<SecretReference>, Ended> {
    let read = good(person, question, None, |answer| {
        if answer.is_empty() {
            return Vec::new();
        }
        match read_reference(answer) {
            Some(reference) => faults_of(|sample| sample.login.sudo = Some(reference)),
            None => vec![Problem::new(Exit::Usage, "this says not where the password is found").help(
                "write `env NAME`, `file PATH` or `command PROGRAM ARGUMENT ...`, never the password itself",
            )],
        }
    });
    Ok(read_reference(&read.await?))
}

/// Asks until nothing is wrong with the answer.
async fn good(
    person: &dyn Person,
    question: &str,
    default: Option<&str>,
    faults: impl Fn(&str) -> Vec<Problem> + Send,
) -> Result<String, Ended> {
    loop {
        let answer = person.answer(question, default).await?;
        let faults = faults(&answer);
        if faults.is_empty() {
            return Ok(answer);
        }
        person.object(&faults);
    }
}

/// Asks until the answer is yes or no.
pub(super) async fn ask_yes(person: &dyn Person, question: &str, default: bool) -> Result<bool, Ended> {
    let shown = if default { "yes" } else { "no" };
    let answer = good(person, question, Some(shown), |answer| match is_yes(answer) {
        Some(_) => Vec::new(),
        None => vec![Problem::new(Exit::Usage, "say `yes` or `no`")],
    });
    Ok(is_yes(&answer.await?).unwrap_or(default))
}

fn is_yes(answer: &str) -> Option<bool> {
    match answer.to_lowercase().as_str() {
        "y" | "yes" => Some(true),
        "n" | "no" => Some(false),
        _ => None,
    }
}

/// What the inventory's rules say of one answer alone.
fn faults_of(answer: impl FnOnce(&mut Answers)) -> Vec<Problem> {
    let mut sample = Answers::sample();
    answer(&mut sample);
    sample.faults()
}

fn some(answer: &str) -> Option<String> {
    (!answer.is_empty()).then(|| answer.to_owned())
}

pub(super) fn called(hosts: &[HostAnswer], wanted: &str) -> Option<usize> {
    hosts.iter().position(|host| host.is_called(wanted))
}

fn unknown(wanted: &str, hosts: &[HostAnswer]) -> Problem {
    let known: Vec<&str> = hosts.iter().map(HostAnswer::called).collect();
    Problem::new(Exit::Usage, format!("there is no host `{wanted}`"))
        .help(format!("the hosts are {}", known.join(", ")))
}
