//! Addons.

use garboard_protocol::Owned;

use crate::chains::{text_of, text_of_cluster};
use crate::support::{debian, facts, folder, golden, inventory};
use crate::{TIERS, render};

/// What addons come to: on hosts and in the cluster; on the edge host nothing but the kubelet's certificate.
#[test]
fn addons_come_to_the_hosts_that_may_run_them() {
    let inventory = inventory(&(TIERS.to_owned() + "addons: [metrics-server, local-path-storage]\n"));
    let rendered = render(&inventory, &facts(&inventory, debian));
    let is_meant = |playbook: &str| {
        ["addons", "serving-certificate", "metrics-server", "local-path-storage"].contains(&playbook)
    };
    for host in ["cp1", "w1", "dmz1"] {
        let steps = rendered.hosts[host].iter().filter(|step| is_meant(&step.playbook));
        let text = text_of(&steps.cloned().collect::<Vec<_>>());
        golden(&folder("rendered/addons").join(format!("{host}.txt")), &text);
    }
    let steps = rendered.cluster.iter().filter(|step| is_meant(&step.playbook));
    golden(&folder("rendered/addons/cluster.txt"), &text_of_cluster(&steps.cloned().collect::<Vec<_>>()));
    let data = Owned::Data("/var/lib/local-path-storage".to_owned());
    assert!(rendered.owns.values().all(|owned| owned.contains(&data)));
}

#[test]
fn without_addons_nothing_of_them_is_there() {
    let inventory = inventory(TIERS);
    let rendered = render(&inventory, &facts(&inventory, debian));
    let playbooks = rendered.hosts.values().flatten().map(|step| step.playbook.as_str());
    let playbooks = playbooks.chain(rendered.cluster.iter().map(|step| step.playbook.as_str()));
    for playbook in playbooks {
        assert!(
            !["addons", "serving-certificate", "metrics-server", "local-path-storage"].contains(&playbook)
        );
    }
}
