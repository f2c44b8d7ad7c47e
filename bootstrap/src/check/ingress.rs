//! The ports of the ingress: nobody else's.

use garboard_inventory::Ingress;

use super::{Row, Subject};

pub(super) fn rows(subject: &Subject<'_>, rows: &mut Vec<Row>) {
    let Some((edge, _)) = subject.inventory.ingress() else { return };
    if edge.name != subject.host.name {
        return;
    }
    for port in Ingress::PORTS {
        let mut holders = subject.facts.ports.iter();
        let holder = holders.find(|holder| holder.port == port && holder.protocol == "tcp");
        let Some(holder) = holder.filter(|holder| !subject.is_ours() || holder.process != "traefik") else {
            continue;
        };
        let text =
            format!("tcp {port} for the ingress is held by `{}` (process {})", holder.process, holder.pid);
        let help = "stop that program (`systemctl disable --now …`), or make another worker the edge host";
        rows.push(subject.blocking("port", text, help));
    }
}
