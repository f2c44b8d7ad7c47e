//! The kinds that run on hosts.

use super::Reader;
use crate::artifact::{CARRIED, FILES, IMAGES};
use crate::diagnostic::Fault;
use crate::file::Spanned;
use crate::playbook::{HostStep, RebootReason};
use crate::template::Text;
use crate::yaml::{Fields, Node};

/// Longest `kubeadm init` may take: its own longest waits (4 minutes each for kubelet and control plane) and some more.
const INIT_SECONDS: u64 = 600;
/// Longest `kubeadm join` may take.
const JOIN_SECONDS: u64 = 420;
/// Longest others who install packages are waited for: unattended upgrades of a slow machine take minutes.
const PACKAGE_SECONDS: u64 = 600;

impl Reader<'_> {
    pub(crate) fn host_step(&mut self, kind: &str, node: &Node) -> Option<HostStep> {
        if kind == "swap" {
            return self.word(node, &["off"]).map(|_| HostStep::Swap);
        }
        if kind == "clock" {
            return self.word(node, &["right"]).map(|_| HostStep::Clock);
        }
        let what = format!("`{kind}`");
        let mut fields = Fields::of(node, &what, self.faults)?;
        let step = self.fields(kind, &mut fields);
        fields.finish(self.faults);
        step
    }

    fn fields(&mut self, kind: &str, fields: &mut Fields<'_>) -> Option<HostStep> {
        // Every field is read before the first `?`, so that all that is wrong is said and no key is left unknown.
        match kind {
            "directory" => {
                let (path, mode) = (self.path_field(fields, "path"), self.mode_field(fields, 0o755));
                Some(HostStep::Directory { path: path?, mode: mode? })
            }
            "file" => self.file(fields),
            "files" => {
                let (path, mode) = (self.path_field(fields, "path"), self.mode_field(fields, 0o644));
                let content = fields.required("template", self.faults).and_then(|node| self.template(node));
                Some(HostStep::Files { path: path?, content: content?, mode: mode? })
            }
            "artifact" => {
                let name = self.artifact_field(fields);
                let (path, mode) = (self.path_field(fields, "path"), self.mode_field(fields, 0o755));
                Some(HostStep::Artifact { name: name?, path: path?, mode: mode? })
            }
            "archive" => {
                let name = self.artifact_field(fields);
                let destination = self.path_field(fields, "destination");
                let mode = self.mode_field(fields, 0o755);
                let members = fields.required("members", self.faults).and_then(|node| self.members(node));
                Some(HostStep::Archive {
                    name: name?,
                    destination: destination?,
                    members: members?,
                    mode: mode?,
                })
            }
            "sysctl" => {
                let key = self.literal_field(fields, "key", "a dotted key");
                let value = self.inline_field(fields, "value", "the value as the kernel shows it");
                Some(HostStep::Sysctl { key: key?, value: value? })
            }
            "kernel_module" => {
                let name = self.literal_field(fields, "name", "the name of a kernel module");
                let optional = self.boolean_field(fields, "optional", false);
                Some(HostStep::KernelModule { name: name?.value, optional: optional? })
            }
            "package" => {
                let names = fields.required("names", self.faults).and_then(|node| self.packages(node));
                let wait_seconds = match fields.optional("wait_seconds") {
                    Some(node) => self.seconds(node),
                    None => Some(PACKAGE_SECONDS),
                };
                Some(HostStep::Package { names: names?, wait_seconds: wait_seconds? })
            }
            "unit" => self.unit(fields),
            "hostname" => {
                let name = self.inline_field(fields, "name", "a host name");
                Some(HostStep::Hostname { name: name? })
            }
            "hosts_entry" => {
                let address = self.inline_field(fields, "address", "an IP address");
                let names = fields.required("names", self.faults).and_then(|node| {
                    let items = node.list("a list of names", self.faults)?;
                    Some(items.iter().filter_map(|item| self.inline(item, "a name")).collect())
                });
                Some(HostStep::HostsEntry { address: address?, names: names? })
            }
            "image" => {
                let names = fields.required("names", self.faults).and_then(|node| {
                    let items = node.list("a list of images' names", self.faults)?;
                    Some(items.iter().filter_map(|item| self.artifact(item, "image", &IMAGES)).collect())
                });
                Some(HostStep::Image { names: names? })
            }
            "kubeadm_init" => {
                let (config, timeout_seconds) = self.kubeadm(fields, INIT_SECONDS);
                Some(HostStep::KubeadmInit { config: config?, timeout_seconds: timeout_seconds? })
            }
            "kubeadm_join" => {
                let (config, timeout_seconds) = self.kubeadm(fields, JOIN_SECONDS);
                Some(HostStep::KubeadmJoin { config: config?, timeout_seconds: timeout_seconds? })
            }
            "boot_config" => {
                let parameters = fields.required("kernel_parameters", self.faults);
                let parameters = parameters.and_then(|node| self.kernel_parameters(node));
                Some(HostStep::BootConfig { kernel_parameters: parameters? })
            }
            "reboot" => {
                let reasons = fields.required("if", self.faults).and_then(|node| self.reboot_reasons(node));
                Some(HostStep::Reboot { reasons: reasons? })
            }
            "nft" => {
                let table = self.literal_field(fields, "table", "a table's family and name");
                if let Some(table) = &table
                    && !is_table(&table.value)
                {
                    let message = format!("`{}` is no table of nftables", table.value);
                    let help = "family and name, such as `inet garboard_edge`";
                    self.faults.push(Fault::new(table.span, message).help(help));
                }
                let rules = fields.required("rules", self.faults).and_then(|node| self.template(node));
                let keep_sets = self.boolean_field(fields, "keep_sets", false);
                Some(HostStep::Nft { table: table?, rules: rules?, keep_sets: keep_sets? })
            }
            "sshd" => {
                let name = self.literal_field(fields, "name", "a file's name without its ending");
                if let Some(name) = &name
                    && !is_settings_file(&name.value)
                {
                    let message = format!("`{}` is no name for a file of settings", name.value);
                    let help = "small letters, digits and `-`, without the ending `.conf`";
                    self.faults.push(Fault::new(name.span, message).help(help));
                }
                let content = fields.required("template", self.faults).and_then(|node| self.template(node));
                Some(HostStep::Sshd { name: name?, content: content? })
            }
            // `crate::parse::step` lets only known kinds through; this one has no fields.
            _ => Some(HostStep::ClusterNote),
        }
    }

    fn file(&mut self, fields: &mut Fields<'_>) -> Option<HostStep> {
        let (path, mode) = (self.path_field(fields, "path"), self.mode_field(fields, 0o644));
        let secret = self.boolean_field(fields, "secret", false);
        let content = match (fields.optional("template"), fields.optional("content")) {
            (Some(template), None) => self.template(template),
            (None, Some(content)) => self.inline(content, "the file's text"),
            (Some(_), Some(content)) => {
                let fault = Fault::new(content.span, "a file has a `template` or a `content`, not both");
                self.faults.push(fault);
                None
            }
            (None, None) => {
                fields.required("template", self.faults);
                None
            }
        };
        Some(HostStep::File { path: path?, content: content?, mode: mode?, secret: secret? })
    }

    fn unit(&mut self, fields: &mut Fields<'_>) -> Option<HostStep> {
        let name = self.literal_field(fields, "name", "a unit's name");
        if let Some(name) = &name
            && !name.value.contains('.')
        {
            let message = format!("`{}` is no unit's name: its ending is missing", name.value);
            self.faults
                .push(Fault::new(name.span, message).help(format!("did you mean `{}.service`?", name.value)));
        }
        let (template, active) = (fields.optional("template"), fields.optional("active"));
        let (restart_on, enabled) =
            (fields.optional("restart_on"), self.boolean_field(fields, "enabled", true));
        let content = template.map(|node| self.template(node));
        let active = active.map(|node| node.boolean(self.faults));
        let restart_on = restart_on.map(|node| {
            let items = node.list("a list of paths", self.faults)?;
            Some(items.iter().filter_map(|item| self.path(item)).map(|path| path.value).collect())
        });
        Some(HostStep::Unit {
            name: name?,
            content: transpose(content)?,
            enabled: enabled?,
            active: transpose(active)?,
            restart_on: transpose(restart_on)?.unwrap_or_default(),
        })
    }

    fn kubeadm(&mut self, fields: &mut Fields<'_>, seconds: u64) -> (Option<Text>, Option<u64>) {
        let config = fields.required("config", self.faults).and_then(|node| self.template(node));
        let timeout = match fields.optional("timeout_seconds") {
            Some(node) => self.seconds(node),
            None => Some(seconds),
        };
        (config, timeout)
    }

    fn packages(&mut self, node: &Node) -> Option<Vec<String>> {
        let names = node.texts("a list of packages", self.faults)?;
        if names.is_empty() {
            self.faults.push(Fault::new(node.span, "at least one package is named"));
        }
        for name in &names {
            if !is_package(&name.value) {
                let fault = Fault::new(name.span, format!("`{}` is no package's name", name.value));
                self.faults.push(fault.help(
                    "small letters, digits, `+`, `-` and `.`; the version is the one that the host's sources have",
                ));
            }
        }
        Some(names.into_iter().map(|name| name.value).collect())
    }

    fn kernel_parameters(&mut self, node: &Node) -> Option<Vec<String>> {
        let parameters = node.texts("a list of kernel parameters", self.faults)?;
        if parameters.is_empty() {
            self.faults.push(Fault::new(node.span, "at least one kernel parameter is named"));
        }
        for parameter in &parameters {
            if !is_kernel_parameter(&parameter.value) {
                let message = format!("`{}` is no kernel parameter", parameter.value);
                let help =
                    "one word, as in `/proc/cmdline`: `NAME` or `NAME=VALUE`, without blanks and quotes";
                self.faults.push(Fault::new(parameter.span, message).help(help));
            }
        }
        Some(parameters.into_iter().map(|parameter| parameter.value).collect())
    }

    fn reboot_reasons(&mut self, node: &Node) -> Option<Vec<RebootReason>> {
        let items = node.list("a list of reasons", self.faults)?;
        if items.is_empty() {
            self.faults.push(
                Fault::new(node.span, "a reboot has at least one reason")
                    .help("`boot_config` or `required`: a host is never rebooted without one"),
            );
        }
        let reason = |word| match word {
            "boot_config" => RebootReason::BootConfig,
            _ => RebootReason::Required,
        };
        Some(
            items
                .iter()
                .filter_map(|item| self.word(item, &["boot_config", "required"]))
                .map(reason)
                .collect(),
        )
    }

    fn members(&mut self, node: &Node) -> Option<Vec<Spanned<String>>> {
        let members = node.texts("a list of names inside the archive", self.faults)?;
        for member in &members {
            if member.value.starts_with('/')
                || member.value.split('/').any(|part| matches!(part, "" | "." | ".."))
            {
                let message = format!("`{}` is not a plain relative name inside an archive", member.value);
                self.faults.push(Fault::new(member.span, message));
            }
        }
        Some(members)
    }

    fn path_field(&mut self, fields: &mut Fields<'_>, key: &'static str) -> Option<Spanned<String>> {
        fields.required(key, self.faults).and_then(|node| self.path(node))
    }

    fn literal_field(
        &mut self,
        fields: &mut Fields<'_>,
        key: &'static str,
        expected: &str,
    ) -> Option<Spanned<String>> {
        fields.required(key, self.faults).and_then(|node| self.literal(node, expected))
    }

    fn inline_field(&mut self, fields: &mut Fields<'_>, key: &'static str, expected: &str) -> Option<Text> {
        fields.required(key, self.faults).and_then(|node| self.inline(node, expected))
    }

    fn artifact_field(&mut self, fields: &mut Fields<'_>) -> Option<Spanned<String>> {
        let known: Vec<&str> =
            if self.own { FILES.into() } else { FILES.into_iter().chain(CARRIED).collect() };
        fields.required("name", self.faults).and_then(|node| self.artifact(node, "file", &known))
    }

    fn mode_field(&mut self, fields: &mut Fields<'_>, default: u32) -> Option<u32> {
        fields.optional("mode").map_or(Some(default), |node| node.mode(self.faults))
    }

    fn boolean_field(&mut self, fields: &mut Fields<'_>, key: &'static str, default: bool) -> Option<bool> {
        fields.optional(key).map_or(Some(default), |node| node.boolean(self.faults))
    }
}

/// As Debian Policy §5.6.7 has it, and without the `-` at the end that would have apt remove it.
fn is_package(name: &str) -> bool {
    let allowed = |one: u8| one.is_ascii_lowercase() || one.is_ascii_digit() || b"+-.".contains(&one);
    name.len() > 1
        && name.bytes().all(allowed)
        && name.as_bytes()[0].is_ascii_alphanumeric()
        && !name.ends_with('-')
}

/// `FAMILY NAME`, as nft(8) has them.
fn is_table(table: &str) -> bool {
    let Some((family, name)) = table.split_once(' ') else { return false };
    let named = |one: u8| one.is_ascii_alphanumeric() || one == b'_';
    ["ip", "ip6", "inet", "arp", "bridge", "netdev"].contains(&family)
        && name.starts_with(|one: char| one.is_ascii_alphabetic())
        && name.bytes().all(named)
}

/// A name that sorts as it reads, and leads nowhere else.
fn is_settings_file(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|one| one.is_ascii_lowercase() || one.is_ascii_digit() || one == b'-')
}

/// A word that cannot be taken for two, or for the end of the kernel's own parameters.
fn is_kernel_parameter(parameter: &str) -> bool {
    let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
    let named = |one: u8| one.is_ascii_alphanumeric() || b"_-.".contains(&one);
    name.starts_with(|one: char| one.is_ascii_alphanumeric())
        && name.bytes().all(named)
        && value.bytes().all(|one| one.is_ascii_graphic() && one != b'"')
}

/// From "left out, or wrong, or good" to "wrong, or left out, or good".
#[allow(clippy::option_option)]
fn transpose<T>(given: Option<Option<T>>) -> Option<Option<T>> {
    match given {
        None => Some(None),
        Some(None) => None,
        Some(good) => Some(good),
    }
}
