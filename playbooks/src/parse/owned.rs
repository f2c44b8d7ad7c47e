//! The `owns:` of a playbook.

use garboard_protocol::Owned;

use super::Reader;
use crate::diagnostic::{Fault, suggestion};
use crate::file::Spanned;
use crate::yaml::{Fields, Node};

/// The kinds, as in [`Owned`].
const KINDS: [&str; 10] = [
    "path",
    "data",
    "link",
    "network_namespace",
    "nft_table",
    "iptables_chains",
    "kernel_modules",
    "cgroup",
    "sysctl",
    "mounts",
];

impl Reader<'_> {
    pub(crate) fn owns(&mut self, node: &Node) -> Vec<Spanned<Owned>> {
        let Some(items) = node.list("a list such as `- path: /var/lib/etcd`", self.faults) else {
            return Vec::new();
        };
        items.iter().filter_map(|item| self.owned(item)).collect()
    }

    fn owned(&mut self, node: &Node) -> Option<Spanned<Owned>> {
        let fields = Fields::of(node, "an entry of `owns`", self.faults)?;
        let entries: Vec<_> = fields.rest().collect();
        let [(kind, value)] = entries.as_slice() else {
            self.faults.push(Fault::new(node.span, "an entry of `owns` has exactly one key"));
            return None;
        };
        let (value, owned): (Spanned<String>, fn(String) -> Owned) = match kind.value.as_str() {
            "path" => (self.path(value)?, Owned::Path),
            "data" => (self.path(value)?, Owned::Data),
            "mounts" => (self.path(value)?, Owned::Mounts),
            "link" => (self.literal(value, "the name of a network link")?, Owned::Link),
            "network_namespace" => {
                (self.literal(value, "the name of a network namespace")?, Owned::NetworkNamespace)
            }
            "nft_table" => (self.nft_table(value)?, Owned::NftTable),
            "iptables_chains" => (self.literal(value, "how names of chains begin")?, Owned::IptablesChains),
            "kernel_modules" => (self.kernel_modules(value)?, Owned::KernelModules),
            "cgroup" => (self.literal(value, "a cgroup below the root")?, Owned::Cgroup),
            "sysctl" => (self.literal(value, "the dotted key of a sysctl")?, Owned::Sysctl),
            other => {
                let mut fault = Fault::new(kind.span, format!("`owns` knows no kind `{other}`"));
                if let Some(help) = suggestion(other, KINDS) {
                    fault = fault.help(help);
                }
                self.faults.push(fault);
                return None;
            }
        };
        Some(Spanned { value: owned(value.value), span: value.span })
    }

    fn kernel_modules(&mut self, node: &Node) -> Option<Spanned<String>> {
        let prefix = self.literal(node, "how names of kernel modules begin")?;
        let is_of_names = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if !prefix.value.bytes().all(is_of_names) {
            let message = format!(
                "`{}` begins no name of a kernel module: they have letters, digits, `_`",
                prefix.value
            );
            self.faults.push(Fault::new(prefix.span, message).help("for example `nft_`"));
            return None;
        }
        Some(prefix)
    }

    fn nft_table(&mut self, node: &Node) -> Option<Spanned<String>> {
        const FAMILIES: [&str; 6] = ["ip", "ip6", "inet", "arp", "bridge", "netdev"];
        let table = self.literal(node, "an nft table: its family and its name")?;
        let well_formed = table.value.split_once(' ').is_some_and(|(family, name)| {
            FAMILIES.contains(&family) && !name.is_empty() && !name.contains(' ')
        });
        if !well_formed {
            let message = format!("`{}` is no nft table: expected a family and a name", table.value);
            self.faults.push(Fault::new(table.span, message).help("for example `ip kube-proxy`"));
            return None;
        }
        Some(table)
    }
}
