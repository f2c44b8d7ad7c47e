//! What the ingress promises can be kept: certificates have names, and a redirect leads somewhere.

use crate::fault::{Fault, Faults, quote};
use crate::source::{Challenge, Ingress, Inventory, Tls};
use crate::span::Given;

pub(super) fn check(inventory: &Inventory, faults: &mut Faults) {
    let Some(edge) = inventory.edge.as_ref() else { return };
    let Some(ingress) = edge.ingress.as_ref() else { return };
    names_of_certificates(ingress, faults);
    if let Some(redirect) = ingress.redirect.valid()
        && redirect.value
        && matches!(ingress.tls, Given::Absent)
    {
        faults.push(
            Fault::new(redirect.span, "`redirect` leads to HTTPS, and there is no `tls`")
                .help("add `tls: { acme: { email: you@example.org } }` or `tls: { secret: NAME }`, or remove `redirect`"),
        );
    }
}

/// Who signs needs names; by HTTP nobody gives a certificate for a wildcard.
fn names_of_certificates(ingress: &Ingress, faults: &mut Faults) {
    let Some(tls) = ingress.tls.valid() else { return };
    let hosts = match &ingress.hosts {
        Given::Faulty => return,
        Given::Absent => &[][..],
        Given::Valid(hosts) => hosts.value.as_slice(),
    };
    let (source, place) = match &tls.value {
        Tls::Secret(_) => return,
        Tls::Acme(acme) => ("acme", acme.key),
        Tls::OwnCa => ("own_ca", tls.span),
    };
    if hosts.is_empty() {
        faults.push(
            Fault::new(place, format!("`{source}` makes certificates for `hosts`, and there are none"))
                .related(ingress.key, "in this section")
                .help("add `hosts: [app1.example.org]`"),
        );
    }
    let Tls::Acme(acme) = &tls.value else { return };
    let by_http = match &acme.challenge {
        Given::Absent => true,
        Given::Faulty => false,
        Given::Valid(challenge) => matches!(challenge.value, Challenge::Http),
    };
    if !by_http {
        return;
    }
    for host in hosts.iter().filter(|host| host.value.starts_with("*.")) {
        faults.push(
            Fault::new(host.span, format!("no certificate for {} by HTTP", quote(&host.value)))
                .related(place, "an authority gives those only to who shows that the zone is theirs, by DNS")
                .help("write `challenge: dns`, name each host, or give a certificate from elsewhere: `tls: { secret: NAME }`"),
        );
    }
}
