//! Certificates of servers inside the cluster, in a run.

use garboard_inventory::Addon;
use garboard_playbooks::{Certificate, ServingMaterial, node_address};
use jiff::Timestamp;

use super::{Reached, Run, Writing};
use crate::pki::ServerCertificate;
use crate::problem::{Ended, Exit, Problem};
use crate::serving::Server;

/// The name by which the API server calls it, and the longer ones that the cluster's DNS knows.
const METRICS_SERVER: &str = "metrics-server";
const METRICS_SERVER_NAMES: [&str; 3] =
    ["metrics-server", "metrics-server.kube-system", "metrics-server.kube-system.svc"];

impl Run {
    /// Certificates for the kubelets that were reached and for metrics-server, where that addon is wanted. Where writing is
    /// allowed they are kept; else they are those that would come.
    pub(super) fn serving_material(
        &self,
        reached: &Reached,
        writing: Writing,
    ) -> Result<Option<ServingMaterial>, Ended> {
        let inventory = self.inventory();
        if !inventory.addons.contains(&Addon::MetricsServer) {
            return Ok(None);
        }
        let failed = |error: &dyn std::error::Error| Problem::from_error(Exit::Failed, error);
        let mut servers = vec![Server {
            name: METRICS_SERVER.to_owned(),
            names: METRICS_SERVER_NAMES.map(str::to_owned).into(),
        }];
        for host in &inventory.hosts {
            let Some(seen) = reached.hosts.get(&host.name) else { continue };
            let address = node_address(host, &seen.facts, &inventory.cluster)
                .map_err(|error| Problem::from_error(Exit::Usage, &error))?;
            // A host may be called as the other server is.
            let name = format!("kubelet-{}", host.name);
            servers.push(Server { name, names: vec![host.name.clone(), address] });
        }
        let folder = self.state.serving();
        let keep = writing == Writing::Allowed;
        let mut signed = folder.sign(&servers, Timestamp::now(), keep).map_err(|error| failed(&error))?;
        if keep && signed.made {
            self.note(&format!(
                "metrics-server: made an authority for the kubelets' certificates in {}",
                folder.path().display()
            ));
        }
        let metrics_server = signed.servers.remove(METRICS_SERVER).map(pair);
        let metrics_server =
            metrics_server.ok_or_else(|| Problem::new(Exit::Failed, "metrics-server has no certificate"))?;
        let kubelets = signed.servers.into_iter().filter_map(|(name, certificate)| {
            Some((name.strip_prefix("kubelet-")?.to_owned(), pair(certificate)))
        });
        let kubelets = kubelets.collect();
        Ok(Some(ServingMaterial { authority: signed.authority, kubelets, metrics_server }))
    }
}

fn pair(certificate: ServerCertificate) -> Certificate {
    Certificate {
        certificate: certificate.certificate,
        key: garboard_protocol::Secret::new(certificate.key.expose()),
    }
}
