//! The inventory as the user wrote it: every field with its place, nothing filled in.
//!
//! Each file holds one section: its type (which also gives the JSON Schema), its keys, its reader.

mod addons;
mod cluster;
mod edge;
mod field;
mod host;
mod inventory;
mod path;
mod playbooks;
mod secret_reference;
mod section;
mod ssh;

pub(crate) use cluster::Cluster;
pub(crate) use edge::{Challenge, Edge, Ingress, OpenVpn, Tls, ddns};
pub(crate) use host::Host;
pub(crate) use inventory::Inventory;
pub(crate) use ssh::Ssh;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{cluster, edge, host, inventory, secret_reference, section::Keys, ssh};

    /// The keys a part of the schema knows; alternatives are joined.
    fn in_schema(part: &serde_json::Value) -> BTreeSet<&str> {
        let own = part
            .get("properties")
            .and_then(serde_json::Value::as_object)
            .into_iter()
            .flat_map(|map| map.keys());
        let alternatives = part.get("oneOf").and_then(serde_json::Value::as_array).into_iter().flatten();
        own.map(String::as_str).chain(alternatives.flat_map(in_schema)).collect()
    }

    #[test]
    fn readers_and_schema_know_the_same_keys() {
        let schema = crate::schema::schema();
        let sections: [(&str, &Keys); 26] = [
            ("", &inventory::KEYS),
            ("/$defs/Cluster", &cluster::KEYS),
            ("/$defs/Cni", &cluster::CNI_KEYS),
            ("/$defs/Flannel", &cluster::FLANNEL_KEYS),
            ("/$defs/Ssh", &ssh::KEYS),
            ("/$defs/Host", &host::KEYS),
            ("/$defs/SecretReference", &secret_reference::KEYS),
            ("/$defs/Edge", &edge::KEYS),
            ("/$defs/Firewall", &edge::firewall::KEYS),
            ("/$defs/Ingress", &edge::ingress::KEYS),
            ("/$defs/Acme", &edge::tls::ACME_KEYS),
            ("/$defs/DnsChallenge", &edge::challenge::KEYS),
            ("/$defs/OpenVpn", &edge::openvpn::KEYS),
            ("/$defs/DdnsService", &edge::ddns::KEYS),
            ("/$defs/DdnsIntervals", &edge::ddns::INTERVAL_KEYS),
            ("/$defs/DdnsName", &edge::ddns::NAME_KEYS),
            ("/$defs/DdnsProvider", &edge::ddns::PROVIDER_KEYS),
            ("/$defs/Rfc2136", &edge::ddns::RFC2136),
            ("/$defs/TsigKey", &edge::ddns::TSIG),
            ("/$defs/Cloudflare", &edge::ddns::CLOUDFLARE),
            ("/$defs/DdnsToken", &edge::ddns::TOKEN),
            ("/$defs/DdnsAccount", &edge::ddns::ACCOUNT),
            ("/$defs/DdnsSources", &edge::ddns::SOURCES_KEYS),
            ("/$defs/DdnsGateway", &edge::ddns::GATEWAY_KEYS),
            ("/$defs/OtherHttps", &edge::ddns::HTTPS),
            ("/$defs/OtherDns", &edge::ddns::DNS),
        ];
        for (pointer, keys) in sections {
            let part = schema.pointer(pointer).unwrap();
            assert_eq!(in_schema(part), keys.known.iter().copied().collect(), "at `{pointer}`");
            for (word, _) in keys.later.iter().chain(keys.elsewhere) {
                assert!(!keys.known.contains(word), "`{word}` is known and refused");
            }
        }
    }
}
