//! Checks against an inventory, before any connection: every template is rendered with made-up facts.

use std::collections::BTreeMap;

use garboard_inventory::{Inventory, Role};
use garboard_protocol::Secret;

use super::sample;
use crate::Diagnostics;
use crate::diagnostic::{Fault, Faults, suggestion};
use crate::lacking::AllLacking;
use crate::late::{Ephemeral, Signals};
use crate::playbook::{HostStep, Kind, Selector};
use crate::render::{Inputs, RenderError, Scene};
use crate::{CLUSTER_SIGNAL, Site};

impl Site {
    /// Checks the playbooks against an inventory: hosts that are named exist, and every template renders, with facts
    /// of a plain host and of a container that may do little.
    ///
    /// # Errors
    /// Every violation found, each with its place.
    pub fn check(&self, inventory: &Inventory) -> Result<(), Diagnostics> {
        let mut faults = Faults::default();
        for playbook in &self.playbooks {
            if let Selector::Host(name) = &playbook.hosts
                && inventory.host(name).is_none()
            {
                let known = inventory.hosts.iter().map(|host| host.name.as_str()).chain(Selector::WORDS);
                let mut fault =
                    Fault::new(playbook.hosts_span, format!("the inventory has no host `{name}`"));
                if let Some(help) = suggestion(name, known) {
                    fault = fault.help(help);
                }
                faults.push(fault);
            }
        }
        let (artifacts, openvpn, ingress) = (sample::artifacts(), sample::openvpn(), sample::ingress());
        let (serving, ddns) = (sample::serving(), sample::ddns(inventory));
        let (signals, ephemeral) =
            (self.sample_signals(), Ephemeral { token: Some(Secret::new(sample::TOKEN)) });
        let leader = inventory.hosts.iter().find(|host| host.role == Role::ControlPlane);
        for facts in leader.into_iter().flat_map(|_| sample::facts()) {
            let facts: BTreeMap<_, _> =
                inventory.hosts.iter().map(|host| (host.name.clone(), sample::at(&facts, host))).collect();
            let name = leader.map_or("", |host| host.name.as_str());
            let inputs = Inputs {
                inventory,
                facts: &facts,
                artifacts: &artifacts,
                leader: name,
                clocks: &BTreeMap::new(),
                openvpn: Some(&openvpn),
                ddns: ddns.as_ref(),
                ingress: Some(&ingress),
                serving: Some(&serving),
            };
            // The sample's addresses are those of the inventory: its scene cannot fail.
            let Ok::<_, RenderError>(scene) = Scene::new(inputs) else { continue };
            self.check_conditions(&scene, &mut faults);
            // The sample's lock holds everything.
            let rendered = self.render_scene(&scene, &mut faults, &mut AllLacking::default());
            for late in rendered.hosts.values().flatten().filter_map(|step| step.late.as_ref()) {
                if let Err(fault) = late.try_render(&signals, &ephemeral) {
                    faults.push_first(fault);
                }
            }
        }
        faults.or(&self.files, ())
    }

    fn check_conditions(&self, scene: &Scene<'_>, faults: &mut Faults) {
        for playbook in &self.playbooks {
            let context = match (&playbook.hosts, scene.reached().next()) {
                (Selector::Cluster, _) | (_, None) => scene.cluster_context(&playbook.vars),
                (_, Some((host, facts))) => scene.host_context(&playbook.vars, host, facts),
            };
            for (text, _) in playbook.steps.iter().flat_map(crate::playbook::SourceStep::texts) {
                self.templates.check_conditions(text, &context, faults);
            }
        }
    }

    /// Every signal, with the outputs it will have.
    fn sample_signals(&self) -> Signals {
        let mut signals = Signals::new();
        let output = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        signals.give(CLUSTER_SIGNAL, [output("ca_hash", sample::CA_HASH), output("uid", sample::UID)].into());
        for step in self.playbooks.iter().flat_map(|playbook| &playbook.steps) {
            if let Some(signal) = &step.gives {
                let outputs = match step.kind {
                    Kind::Host(HostStep::KubeadmInit { .. }) => [output("ca_hash", sample::CA_HASH)].into(),
                    _ => BTreeMap::new(),
                };
                signals.give(signal.value.clone(), outputs);
            }
        }
        signals
    }
}
