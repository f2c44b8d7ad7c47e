//! The variables of templates. What each holds is told in `docs/playbooks.md`.

use std::collections::BTreeMap;

use garboard_inventory::{Cni, FlannelBackend, Host, Ingress, OpenVpn, Role, Zone};
use garboard_protocol::facts::Facts;
use ipnet::IpNet;
use serde_json::{Value, json};
use tera::Context;

use super::Scene;

/// Top-level variables of every template.
pub(crate) const EVERYWHERE: [&str; 8] =
    ["addons", "cluster", "edge", "hosts", "leader", "lock", "serving", "vars"];
/// Those of a host's templates.
pub(crate) const ON_HOSTS: [&str; 12] = [
    "addons", "cluster", "ddns", "edge", "facts", "host", "hosts", "leader", "lock", "openvpn", "serving",
    "vars",
];
/// Those of a text that is rendered when its step is sent.
pub(crate) const LATE: [&str; 10] =
    ["addons", "cluster", "ephemeral", "facts", "host", "hosts", "leader", "lock", "signals", "vars"];

impl Scene<'_> {
    /// For the cluster's templates.
    pub(crate) fn cluster_context(&self, vars: &Value) -> Context {
        let mut context = Context::new();
        context.insert("cluster", &self.cluster());
        context.insert("leader", &self.host(self.leader));
        let hosts: Vec<Value> = self.inputs.inventory.hosts.iter().map(|host| self.host(host)).collect();
        context.insert("hosts", &hosts);
        context.insert("edge", &self.edge());
        let addons: Vec<&str> = self.inputs.inventory.addons.iter().map(|addon| addon.word()).collect();
        context.insert("addons", &addons);
        context.insert("serving", &crate::serving::variable(self.inputs.serving, None));
        context.insert("lock", &self.lock());
        context.insert("vars", vars);
        context
    }

    /// For a host's templates.
    pub(crate) fn host_context(&self, vars: &Value, host: &Host, facts: &Facts) -> Context {
        let mut context = self.cluster_context(vars);
        context.insert("host", &self.host(host));
        context.insert("facts", facts);
        context.insert("serving", &crate::serving::variable(self.inputs.serving, Some(&host.name)));
        if let (Some((edge, openvpn)), Some(material)) =
            (self.inputs.inventory.openvpn(), self.inputs.openvpn)
            && edge.name == host.name
        {
            context.insert("openvpn", &material.variable(openvpn));
        }
        if let (Some((edge, ddns)), Some(material)) = (self.inputs.inventory.ddns(), self.inputs.ddns)
            && edge.name == host.name
        {
            context.insert("ddns", &material.variable(ddns));
        }
        context
    }

    fn node_address(&self, host: &Host) -> Option<&String> {
        self.node_addresses.get(host.name.as_str())
    }

    fn host(&self, host: &Host) -> Value {
        json!({
            "name": host.name,
            "address": host.address,
            "node_ip": self.node_address(host),
            "role": host.role.word(),
            "labels": host.labels,
            "keep_hostname": host.keep_hostname,
            "leader": host.name == self.leader.name,
            "zone": host.tier().word(),
            "edge": host.edge,
            "login": { "user": host.ssh.user, "password": host.ssh.password.is_some() },
            "filters_public": host.tier() != Zone::Public && self.public().next().is_some(),
        })
    }

    /// The hosts of the public tier.
    fn public(&self) -> impl Iterator<Item = &Host> {
        self.inputs.inventory.hosts.iter().filter(|host| host.tier() == Zone::Public)
    }

    /// What packets are filtered by. Everything but the default of `lan` and the edge host's own router follows from the
    /// inventory alone: a host that is away changes no rule of others.
    fn edge(&self) -> Value {
        let firewall =
            self.inputs.inventory.edge.as_ref().map(|edge| edge.firewall.clone()).unwrap_or_default();
        let lan = firewall.lan.unwrap_or_else(|| self.leader_networks());
        let of = |networks: &[IpNet], ipv4: bool| -> Vec<String> {
            networks.iter().filter(|net| net.addr().is_ipv4() == ipv4).map(ToString::to_string).collect()
        };
        let addresses = |take: &dyn Fn(&Host) -> bool| -> Vec<String> {
            let taken = self.inputs.inventory.hosts.iter().filter(|host| take(host));
            taken.filter_map(Host::known_node_ip).map(|address| address.to_string()).collect()
        };
        let ingress = self.inputs.inventory.ingress();
        let mut public_tcp = firewall.public_tcp;
        if ingress.is_some() {
            public_tcp.extend(Ingress::PORTS);
            public_tcp.sort_unstable();
            public_tcp.dedup();
        }
        json!({
            "lan4": of(&lan, true),
            "lan6": of(&lan, false),
            "reach4": of(&firewall.reach, true),
            "reach6": of(&firewall.reach, false),
            "public_tcp": public_tcp,
            "public_udp": firewall.public_udp,
            "nodes": addresses(&|host| !host.edge),
            "control_planes": addresses(&|host| host.role == Role::ControlPlane),
            "public": addresses(&|host| host.tier() == Zone::Public),
            "hosts": addresses(&|host| host.edge),
            "ddns": self.filter_of_ddns(),
            "ingress": crate::ingress::variable(ingress, self.inputs.ingress),
            "openvpn": self.inputs.inventory.openvpn().map(|(_, openvpn)| json!({
                "device": OpenVpn::DEVICE,
                "port": openvpn.port,
                "network": openvpn.network.to_string(),
                "routes": openvpn.routes.iter().map(ToString::to_string).collect::<Vec<_>>(),
            })),
        })
    }

    fn filter_of_ddns(&self) -> Value {
        let (host, ddns) = self.inputs.inventory.ddns().unzip();
        let challenge = self.inputs.inventory.ingress().and_then(|(_, ingress)| ingress.by_dns());
        crate::ddns::filter(ddns, challenge, host.and_then(|host| self.inputs.facts.get(&host.name)))
    }

    /// The network in which the leader's node address is.
    fn leader_networks(&self) -> Vec<IpNet> {
        let (Some(address), Some(facts)) =
            (self.node_address(self.leader), self.inputs.facts.get(self.inputs.leader))
        else {
            return Vec::new();
        };
        let found = facts.addresses.iter().filter(|found| found.address == *address);
        found
            .filter_map(|found| {
                let address = found.address.parse().ok()?;
                Some(IpNet::new(address, found.prefix).ok()?.trunc())
            })
            .collect()
    }

    fn cluster(&self) -> Value {
        let cluster = &self.inputs.inventory.cluster;
        let Cni::Flannel { backend: FlannelBackend::Vxlan } = cluster.cni;
        json!({
            "name": cluster.name,
            "kubernetes": cluster.kubernetes_tag(),
            "endpoint": {
                "host": cluster.endpoint.host,
                "port": cluster.endpoint.port,
                "own": cluster.endpoint.own,
                "authority": cluster.endpoint.to_string(),
            },
            "pod_cidr": cluster.pod_cidr.to_string(),
            "service_cidr": cluster.service_cidr.to_string(),
            "cni": { "flannel": { "backend": "vxlan" } },
            "allow_cgroup_v1": cluster.allow_cgroup_v1,
            "swap": cluster.swap.word(),
            "patience": self.patience(),
            "certificate_names": self.certificate_names(),
            "conntrack_writable": self.reached().all(|(_, facts)| facts.conntrack_writable),
        })
    }

    /// Every name and address by which someone may speak to an API server, each once.
    fn certificate_names(&self) -> Vec<String> {
        let mut names = vec![self.inputs.inventory.cluster.endpoint.host.clone()];
        for host in self.inputs.inventory.hosts.iter().filter(|host| host.role == Role::ControlPlane) {
            names.push(host.name.clone());
            names.push(host.address.clone());
            names.extend(self.node_address(host).cloned());
        }
        names.extend(["localhost".to_owned(), "127.0.0.1".to_owned()]);
        let mut once: Vec<String> = Vec::new();
        for name in names {
            if !once.contains(&name) {
                once.push(name);
            }
        }
        once
    }

    fn lock(&self) -> Value {
        let images: BTreeMap<&String, Value> = self
            .inputs
            .artifacts
            .images
            .iter()
            .filter_map(|(name, platforms)| {
                let image = platforms.values().next()?;
                Some((name, json!({ "reference": image.reference })))
            })
            .collect();
        json!({ "images": images })
    }
}
