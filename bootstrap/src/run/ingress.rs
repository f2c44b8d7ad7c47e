//! The front door in a run: what the ingress needs of the laptop, and what a router has to let through.

use garboard_inventory::{DnsChallenge, Ingress, Inventory, Tls};
use garboard_playbooks::{Certificate, IngressMaterial};
use garboard_protocol::Secret;
use jiff::Timestamp;

use super::{Run, Writing};
use crate::cluster::Cluster;
use crate::output::{Event, Forward};
use crate::problem::{Exit, Problem};
use crate::serving::Server;

/// What the certificate of the laptop's own authority is kept as.
const INGRESS: &str = "ingress";

impl Run {
    /// What the ingress needs beside the inventory, where there is one.
    pub(super) async fn ingress_material(
        &self,
        writing: Writing,
    ) -> Result<Option<IngressMaterial>, Problem> {
        let Some((_, ingress)) = self.inventory().ingress() else { return Ok(None) };
        let trusted = match &ingress.tls {
            Some(Tls::Acme(acme)) => acme.ca.as_deref().map(certificates).transpose()?,
            _ => None,
        };
        let certificate = match &ingress.tls {
            Some(Tls::OwnCa) => Some(self.own_certificate(ingress, writing)?),
            _ => None,
        };
        let provider_secret = match ingress.by_dns() {
            Some(challenge) => Some(self.provider_secret(challenge).await?),
            None => None,
        };
        Ok(Some(IngressMaterial { trusted, certificate, provider_secret }))
    }

    /// What the provider knows its user by, found where `edge.ddns` says.
    async fn provider_secret(&self, challenge: &DnsChallenge) -> Result<Secret, Problem> {
        let (reference, _) = challenge.provider.secret();
        let found = self.handle.secrets.get(Some(reference), "").await.map_err(|error| {
            Problem::from_error(Exit::Usage, &error).cause(
                "the ingress shows with it that its names are yours (`edge.ingress.tls.acme.challenge`)",
            )
        })?;
        Ok(Secret::new(found.expose()))
    }

    /// A certificate of the laptop's own authority, for all names.
    fn own_certificate(&self, ingress: &Ingress, writing: Writing) -> Result<Certificate, Problem> {
        let folder = self.state.ingress_authority();
        let server = Server { name: INGRESS.to_owned(), names: ingress.hosts.clone() };
        let signed = folder.sign(&[server], Timestamp::now(), writing == Writing::Allowed);
        let mut signed = signed.map_err(|error| Problem::from_error(Exit::Failed, &error))?;
        let certificate = signed.servers.remove(INGRESS);
        let certificate =
            certificate.ok_or_else(|| Problem::new(Exit::Failed, "the ingress has no certificate"))?;
        Ok(Certificate { certificate: certificate.certificate, key: Secret::new(certificate.key.expose()) })
    }

    /// Warns of `Ingress` objects that nobody answers for, where there was a cluster already.
    pub async fn tell_unheeded(&self, cluster: Option<&Cluster>) -> Result<(), Problem> {
        let (Some((_, ingress)), Some(cluster)) = (self.inventory().ingress(), cluster) else {
            return Ok(());
        };
        let unheeded = cluster.unheeded_ingresses(Ingress::CLASS, &ingress.namespaces).await;
        for (namespace, name) in unheeded.map_err(|error| Problem::from_error(Exit::Failed, &error))? {
            self.note(&format!(
                "warning: the Ingress `{namespace}/{name}` is not answered: `edge.ingress.namespaces` does not name `{namespace}`"
            ));
        }
        Ok(())
    }

    /// Says where the cluster is found from outside, and what the router has to let through for it.
    pub fn tell_front_door(&self) {
        let inventory = self.inventory();
        let forwards = forwards(inventory);
        let Some(edge) = inventory.hosts.iter().find(|host| host.edge) else { return };
        if forwards.is_empty() {
            return;
        }
        let address =
            edge.known_node_ip().map_or_else(|| edge.address.clone(), |address| address.to_string());
        self.events().send(&Event::FrontDoor {
            host: edge.name.clone(),
            address,
            urls: urls(inventory),
            forwards,
            authority: self.trusted_file(),
        });
    }
}

impl Run {
    /// The certificate that devices have to be told to trust.
    fn trusted_file(&self) -> Option<String> {
        let (_, ingress) = self.inventory().ingress()?;
        let folder = self.state.ingress_authority();
        matches!(ingress.tls, Some(Tls::OwnCa)).then(|| folder.authority_file().display().to_string())
    }
}

/// The text of a file that must hold certificates.
fn certificates(path: &std::path::Path) -> Result<String, Problem> {
    let problem = |cause: String| {
        Problem::new(Exit::Usage, format!("cannot use `{}`, which `edge.ingress.tls.acme.ca` names", path.display()))
            .cause(cause)
            .help("name a file with the ACME server's certificates, as text between `-----BEGIN CERTIFICATE-----` lines (PEM)")
    };
    let text = fs_err::read_to_string(path).map_err(|error| problem(error.to_string()))?;
    let mut found = 0;
    for block in x509_parser::pem::Pem::iter_from_buffer(text.as_bytes()) {
        let block = block.map_err(|error| problem(error.to_string()))?;
        if block.label != "CERTIFICATE" {
            return Err(problem(format!("it holds a `{}`: only certificates belong there", block.label)));
        }
        block.parse_x509().map_err(|error| problem(error.to_string()))?;
        found += 1;
    }
    if found == 0 { Err(problem("it holds no certificate".to_owned())) } else { Ok(text) }
}

/// What can be opened in a browser. A wildcard is no place to go to.
fn urls(inventory: &Inventory) -> Vec<String> {
    let Some((_, ingress)) = inventory.ingress() else { return Vec::new() };
    let scheme = if ingress.tls.is_some() { "https" } else { "http" };
    let names = ingress.hosts.iter().filter(|name| !name.starts_with("*."));
    names.map(|name| format!("{scheme}://{name}/")).collect()
}

/// The ports of the edge host that are open to everybody, each with what it is for.
fn forwards(inventory: &Inventory) -> Vec<Forward> {
    let Some(edge) = &inventory.edge else { return Vec::new() };
    let mut forwards = Vec::new();
    let mut add = |protocol: &str, port: u16, what: &str| {
        if !forwards.iter().any(|known: &Forward| known.protocol == protocol && known.port == port) {
            forwards.push(Forward { protocol: protocol.to_owned(), port, what: what.to_owned() });
        }
    };
    if edge.ingress.is_some() {
        for (port, what) in Ingress::PORTS.into_iter().zip(["HTTP", "HTTPS"]) {
            add("tcp", port, what);
        }
    }
    if let Some(openvpn) = &edge.openvpn {
        add("udp", openvpn.port, "the VPN");
    }
    for port in &edge.firewall.public_tcp {
        add("tcp", *port, "edge.firewall.public_tcp");
    }
    for port in &edge.firewall.public_udp {
        add("udp", *port, "edge.firewall.public_udp");
    }
    forwards
}

#[cfg(test)]
mod tests {
    use garboard_inventory::Inventory;

    use super::{certificates, forwards, urls};
    use crate::pki::Authority;

    fn inventory(edge: &str) -> Inventory {
        let text = format!(
            "cluster: {{ name: home, kubernetes: v1.36.3 }}\nhosts:\n  cp1: {{ address: 192.168.1.11, role: control_plane }}\n  dmz1: {{ address: 192.168.0.10, role: worker, edge: true }}\nedge: {edge}\n"
        );
        garboard_inventory::parse("garboard.yaml", &text).unwrap()
    }

    fn told(edge: &str) -> Vec<String> {
        let forwards = forwards(&inventory(edge));
        forwards
            .iter()
            .map(|forward| format!("{}/{} {}", forward.port, forward.protocol, forward.what))
            .collect()
    }

    #[test]
    fn a_router_lets_through_what_the_inventory_offers_and_each_port_once() {
        assert_eq!(told("{}"), [""; 0]);
        let all = "{ ingress: { hosts: [app1.example.org] }, openvpn: { remote: home.example.org, routes: [192.168.1.0/24], users: [alice] }, firewall: { public_tcp: [443, 8443], public_udp: [3478] } }";
        let expected = [
            "80/tcp HTTP",
            "443/tcp HTTPS",
            "1194/udp the VPN",
            "8443/tcp edge.firewall.public_tcp",
            "3478/udp edge.firewall.public_udp",
        ];
        assert_eq!(told(all), expected);
    }

    #[test]
    fn a_name_is_a_url_with_or_without_tls_and_a_wildcard_is_none() {
        let of = |section: &str| urls(&inventory(&format!("{{ ingress: {section} }}")));
        assert_eq!(of("{ hosts: [app1.example.org] }"), ["http://app1.example.org/"]);
        let secret = "{ hosts: [app1.example.org, '*.example.org'], tls: { secret: wildcard } }";
        assert_eq!(of(secret), ["https://app1.example.org/"]);
    }

    #[test]
    fn only_certificates_are_taken_for_those_of_an_acme_server() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        let cause = |text: &str| {
            fs_err::write(&path, text).unwrap();
            certificates(&path).map(|_| ()).map_err(|problem| problem.causes.join("; "))
        };
        let authority = Authority::make("acme", "2026-11-21T12:00:00Z".parse().unwrap()).unwrap();
        assert_eq!(cause(authority.certificate()), Ok(()));
        assert_eq!(cause("nothing of the kind"), Err("it holds no certificate".to_owned()));
        let with_key = format!("{}{}", authority.certificate(), authority.key().expose());
        assert!(cause(&with_key).unwrap_err().contains("only certificates"));
        fs_err::remove_file(&path).unwrap();
        assert!(certificates(&path).is_err());
    }
}
