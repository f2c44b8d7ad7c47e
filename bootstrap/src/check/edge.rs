//! What the host that faces the internet has where the front door will be, and how one logs in to it.

use super::{Row, Subject};

/// Where websites are expected.
pub(super) const TCP_PORTS: [u16; 2] = [80, 443];
/// What a cluster's own ingress controller is called.
const INGRESS: &str = "traefik";

pub(super) fn rows(subject: &Subject<'_>, rows: &mut Vec<Row>) {
    if !subject.host.edge {
        return;
    }
    // An ingress of ours says for itself what stands in its way.
    if subject.inventory.ingress().is_none() {
        let held: Vec<Row> = TCP_PORTS.iter().filter_map(|port| held(subject, *port)).collect();
        if held.is_empty() {
            rows.push(subject.fine("front door", "80 and 443 are free, or held by this cluster"));
        }
        rows.extend(held);
    }
    if subject.host.ssh.password.is_some() {
        rows.push(subject.warning(
            "sshd",
            "the inventory logs in with a password, which stays possible from home",
            "with a key (`ssh.identity`) in place of `ssh.password`, sshd takes no passwords on this host at all",
        ));
    }
}

/// Somebody else is there already.
fn held(subject: &Subject<'_>, port: u16) -> Option<Row> {
    let mut holders = subject.facts.ports.iter();
    let holder = holders.find(|holder| holder.port == port && holder.protocol == "tcp")?;
    if subject.is_ours() && holder.process == INGRESS {
        return None;
    }
    let firewall = subject.inventory.edge.as_ref().map(|edge| &edge.firewall);
    let is_public = firewall.is_some_and(|firewall| firewall.public_tcp.contains(&port));
    let who = if holder.process.is_empty() {
        "a process that cannot be told".to_owned()
    } else {
        format!("`{}` (process {})", holder.process, holder.pid)
    };
    Some(if is_public {
        subject.warning(
            "port",
            format!("tcp {port} is held by {who}, and the internet will reach it"),
            format!(
                "if that is not meant, stop that program, or take {port} out of `edge.firewall.public_tcp`"
            ),
        )
    } else {
        subject.warning(
            "port",
            format!("tcp {port} is held by {who}: no website of the cluster can be there"),
            "stop that program, or let it listen elsewhere, before the cluster is to have websites",
        )
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use garboard_protocol::Facts;
    use garboard_protocol::facts::{GarboardState, PortHolder};

    use crate::check::{Row, Verdict, query, rows};
    use crate::facts_for_tests::facts;

    /// Rows about the front door, of the host that has it, which must be all of that kind.
    fn rows_of(facts: &Facts, ssh: &str) -> Vec<Row> {
        let text = format!(
            "cluster: {{ name: home, kubernetes: v1.36.3 }}\nhosts:\n  cp1: {{ address: 192.168.1.10, role: control_plane{ssh} }}\n  \
             dmz1: {{ address: 192.168.1.11, role: worker, edge: true{ssh} }}\nedge: {{ firewall: {{ public_tcp: [443] }} }}\n"
        );
        let inventory = garboard_inventory::parse("garboard.yaml", &text).unwrap();
        for host in &inventory.hosts {
            assert_eq!(query(host, None).tcp_ports.contains(&80), host.edge, "{} is asked for 80", host.name);
        }
        let all = BTreeMap::from([("cp1".to_owned(), facts.clone()), ("dmz1".to_owned(), facts.clone())]);
        let of_the_door = |row: &Row| ["front door", "sshd", "port"].contains(&row.check);
        let rows: Vec<Row> =
            rows(&inventory, &all, &BTreeMap::new()).into_iter().filter(of_the_door).collect();
        assert!(rows.iter().all(|row| row.host == "dmz1"), "{rows:?}");
        rows
    }

    fn held(port: u16, process: &str) -> PortHolder {
        PortHolder { port, protocol: "tcp".to_owned(), process: process.to_owned(), pid: 7 }
    }

    #[test]
    fn who_holds_the_ports_of_websites_on_the_edge_host_is_said_and_whether_the_internet_will_reach_it() {
        let free = rows_of(&facts(), "");
        assert_eq!((free.len(), free[0].verdict), (1, Verdict::Fine), "{free:?}");
        let both = Facts { ports: vec![held(80, "nginx"), held(443, "nginx")], ..facts() };
        let rows = rows_of(&both, "");
        assert_eq!(rows.len(), 2, "{rows:?}");
        assert!(rows.iter().all(|row| row.verdict == Verdict::Warning && row.text.contains("`nginx`")));
        assert!(rows[0].text.contains("no website") && rows[1].text.contains("the internet will reach it"));
    }

    #[test]
    fn the_clusters_own_ingress_controller_is_no_stranger() {
        let garboard = GarboardState { baseline: true, ..GarboardState::default() };
        let mut member = Facts { ports: vec![held(443, "traefik")], garboard, ..facts() };
        assert_eq!(rows_of(&member, "")[0].verdict, Verdict::Fine);
        member.garboard.baseline = false;
        assert_eq!(rows_of(&member, "")[0].verdict, Verdict::Warning, "somebody else's traefik");
    }

    #[test]
    fn a_login_by_password_is_said_of_the_edge_host_alone() {
        let rows = rows_of(&facts(), ", ssh: { user: pi, password: { env: PASSWORD } }");
        assert!(rows.iter().any(|row| row.check == "sshd" && row.text.contains("from home")), "{rows:?}");
    }
}
