//! Dynamic DNS in a run: the program and the secrets that its host needs, and what the service there says.

use garboard_inventory::Ddns;
use garboard_playbooks::{CARRIED, DDNS, DdnsMaterial};

use super::{Reached, Run};
use crate::ddns::{CONTROL_SOCKET, Command, ControlError, Report, embedded};
use crate::lock::Supply;
use crate::output::text;
use crate::problem::{Ended, Exit, Problem};

impl Run {
    /// The names of the inventory.
    pub fn ddns(&self) -> Result<&Ddns, Problem> {
        self.inventory().ddns().map(|(_, ddns)| ddns).ok_or_else(|| {
            Problem::new(Exit::Usage, "the inventory has no names that follow the address")
                .help("add `edge: { ddns: [ { name: …, provider: … } ] }`; see docs/ddns.md")
        })
    }

    /// What the service needs of the laptop, where the inventory has one and its host was reached: the program, and the secrets
    /// of the providers, each found where the inventory says.
    pub(super) async fn supply_ddns(&self, reached: &Reached, supply: &mut Supply) -> Result<(), Ended> {
        let Some((edge, ddns)) = self.inventory().ddns() else { return Ok(()) };
        if !reached.hosts.contains_key(&edge.name) {
            return Ok(());
        }
        for program in embedded()? {
            supply.carry(CARRIED[0], program.architecture, program.blob, program.bytes.clone());
        }
        let mut secrets = Vec::new();
        for reference in DdnsMaterial::references(ddns) {
            let found = self.handle.secrets.get(Some(reference), "").await.map_err(|error| {
                let names = ddns.names.iter().filter(|name| name.provider.secret().0 == reference);
                let names: Vec<String> = names.map(|name| format!("`{}`", name.name)).collect();
                Problem::from_error(Exit::Usage, &error)
                    .cause(format!("the provider of {} needs it (`edge.ddns`)", names.join(", ")))
            })?;
            secrets.push((reference.clone(), garboard_protocol::Secret::new(found.expose())));
        }
        supply.ddns = Some(DdnsMaterial::new(secrets));
        Ok(())
    }

    /// Connects to the edge host.
    pub async fn reach_ddns(&self) -> Result<Reached, Ended> {
        self.ddns()?;
        self.reach_for(&self.shipped_alone(DDNS)?).await
    }

    /// Asks the running service.
    pub async fn ask_ddns(&self, reached: &Reached, command: &Command) -> Result<Report, Problem> {
        self.ddns()?;
        let edge = self.inventory().ddns().map(|(edge, _)| edge.name.clone()).unwrap_or_default();
        let silent = |cause: String| {
            Problem::new(Exit::Failed, "the service of dynamic DNS cannot be spoken with")
                .host(edge.clone())
                .cause(cause)
                .help("`garboard up` installs and starts it; on the host: `journalctl --unit garboard-ddns`")
        };
        let Some(host) = reached.hosts.get(&edge) else {
            return Err(silent("its host was not reached".to_owned()));
        };
        let pipe = host.session.pipe(&format!("unix:{CONTROL_SOCKET}")).await;
        let mut pipe = pipe.map_err(|error| error.problem(&edge))?;
        match crate::ddns::ask(&mut pipe, command).await {
            Ok(report) => Ok(report),
            // Nobody listens: what the host's end of the pipe says tells why.
            Err(ControlError::Stream(error)) => {
                let said = text::one_line(pipe.stderr().trim());
                Err(silent(if said.is_empty() { ControlError::Stream(error).to_string() } else { said }))
            }
            Err(error) => Err(silent(error.to_string())),
        }
    }
}
