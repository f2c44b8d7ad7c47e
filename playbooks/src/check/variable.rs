//! Top-level variables of templates, also in branches that no rendering reaches.

use crate::Site;
use crate::diagnostic::{Fault, Faults};
use crate::playbook::Selector;
use crate::render::context::{EVERYWHERE, LATE, ON_HOSTS};

pub(super) fn check(site: &Site, faults: &mut Faults) {
    for playbook in &site.playbooks {
        for (text, late) in playbook.steps.iter().flat_map(|step| step.texts()) {
            let early: &[&str] = if playbook.hosts == Selector::Cluster { &EVERYWHERE } else { &ON_HOSTS };
            if late {
                site.templates.check_variables(text, &LATE, &site.files, faults);
                continue;
            }
            let mut too_early = false;
            for name in ["signals", "ephemeral"].into_iter().filter(|name| site.templates.uses(text, name)) {
                too_early = true;
                let fault = Fault::new(text.span, format!("`{name}` is known only when a step is sent"));
                faults.push(
                    fault.help(
                        "in this version only the `config` of `kubeadm_init` and `kubeadm_join` has it",
                    ),
                );
            }
            if !too_early {
                site.templates.check_variables(text, early, &site.files, faults);
            }
        }
    }
}
