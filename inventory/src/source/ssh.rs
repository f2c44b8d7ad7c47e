//! `ssh:`, at the top and under a host.

use schemars::JsonSchema;

use super::field::{Field, given};
use super::path::path;
use super::secret_reference;
use super::section::Keys;
use crate::fault::{Fault, Faults, Flaw, quote};
use crate::secret::SecretReference;
use crate::span::{Given, Spanned};
use crate::ssh::SshTransport;
use crate::syntax::{self, Jump};
use crate::yaml::Value;

/// How a host is reached.
#[derive(Debug, Clone, Default, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Ssh {
    /// The login. It is root, or may become root with `sudo`. Without it: what `~/.ssh/config` says, else `root`.
    #[schemars(default)]
    pub(crate) user: Given<String>,
    /// The port of sshd. Without it: what `~/.ssh/config` says, else 22.
    #[schemars(default, with = "u16", extend("minimum" = 1))]
    pub(crate) port: Given<u16>,
    /// Private key files, tried in this order. `~/` is the home folder; other relative paths start at the
    /// inventory's folder. Without it, the SSH agent and the usual keys in `~/.ssh` are tried.
    #[schemars(default, with = "Identities")]
    pub(crate) identity: Given<Vec<Spanned<String>>>,
    /// The passphrase of the private keys: a reference, never the text itself.
    #[schemars(default, with = "secret_reference::Shape")]
    pub(crate) passphrase: Given<SecretReference>,
    /// The password of the login, where sshd wants one instead of a key: a reference, never the text itself.
    #[schemars(default, with = "secret_reference::Shape")]
    pub(crate) password: Given<SecretReference>,
    /// Hosts to pass on the way, as `ProxyJump` in `ssh_config(5)`: `user@gate.lan:22`, several with `,` between them.
    #[schemars(default, with = "String")]
    pub(crate) proxy_jump: Given<Vec<Jump>>,
    /// A program whose standard input and output lead to the host's sshd, as in `ssh_config(5)`: `%h` is the
    /// address, `%p` the port.
    #[schemars(default)]
    pub(crate) proxy_command: Given<String>,
    /// How the login becomes root with `sudo`.
    #[schemars(default, with = "SudoShape", rename = "sudo")]
    pub(crate) sudo_password: Given<SecretReference>,
    /// Who speaks SSH: Garboard itself (`russh`), or your `ssh` program (`openssh`), which can do what no library does.
    #[schemars(default, extend("default" = "russh"))]
    pub(crate) transport: Given<SshTransport>,
}

/// How a login becomes root.
#[derive(JsonSchema)]
#[schemars(rename = "Sudo", deny_unknown_fields)]
#[expect(dead_code, reason = "the shape of a value for the schema")]
struct SudoShape {
    /// The password `sudo` asks for: a reference, never the text itself.
    password: secret_reference::Shape,
}

/// The path of a private key, or a list of them.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "the shape of a value for the schema")]
enum Identities {
    One(String),
    Several(#[schemars(length(min = 1))] Vec<String>),
}

pub(super) static KEYS: Keys = Keys {
    example: "ssh: { user: pi, identity: ~/.ssh/id_ed25519 }",
    known: &[
        "user",
        "port",
        "identity",
        "passphrase",
        "password",
        "proxy_jump",
        "proxy_command",
        "sudo",
        "transport",
    ],
    later: &[],
    elsewhere: &[
        ("key", "did you mean `identity`?"),
        ("identity_file", "did you mean `identity`?"),
        ("private_key", "did you mean `identity`?"),
        ("jump", "did you mean `proxy_jump`?"),
        ("bastion", "did you mean `proxy_jump`?"),
        ("host_key", "it belongs under the host itself"),
        ("address", "it belongs under the host itself"),
        ("become", "did you mean `sudo`? A login that is not root becomes root with it by itself"),
        ("sudo_password", "write `sudo: { password: { env: SUDO_PASSWORD } }`"),
        ("become_password", "write `sudo: { password: { env: SUDO_PASSWORD } }`"),
    ],
};

pub(super) static SUDO_KEYS: Keys = Keys {
    example: "sudo: { password: { env: SUDO_PASSWORD } }",
    known: &["password"],
    later: &[],
    elsewhere: &[
        ("user", "it is always root that is needed; the login is `ssh.user`"),
        ("env", "write `sudo: { password: { env: NAME } }`"),
        ("file", "write `sudo: { password: { file: PATH } }`"),
        ("command", "write `sudo: { password: { command: [PROGRAM, …] } }`"),
    ],
};

impl Ssh {
    /// Reads the section; what is wrong in it is faulty, what is not there absent.
    pub(super) fn read(field: &Field<'_>, faults: &mut Faults) -> Self {
        let Some(section) = field.section(&KEYS, faults) else {
            return Self {
                user: Given::Faulty,
                port: Given::Faulty,
                identity: Given::Faulty,
                passphrase: Given::Faulty,
                password: Given::Faulty,
                proxy_jump: Given::Faulty,
                proxy_command: Given::Faulty,
                sudo_password: Given::Faulty,
                transport: Given::Faulty,
            };
        };
        let ssh = Self {
            user: given(section.get("user"), |field| field.parsed(syntax::login, faults)),
            port: given(section.get("port"), |field| field.parsed(syntax::port, faults)),
            identity: given(section.get("identity"), |field| identities(field, faults)),
            passphrase: given(section.get("passphrase"), |field| secret_reference::read(field, faults)),
            password: given(section.get("password"), |field| secret_reference::read(field, faults)),
            proxy_jump: given(section.get("proxy_jump"), |field| field.parsed(syntax::jumps, faults)),
            proxy_command: given(section.get("proxy_command"), |field| field.parsed(proxy_command, faults)),
            sudo_password: given(section.get("sudo"), |field| sudo(field, faults)),
            transport: given(section.get("transport"), |field| field.parsed(transport, faults)),
        };
        if let (Some(jump), Some(command)) = (ssh.proxy_jump.valid(), ssh.proxy_command.valid()) {
            let message = format!("{} has two ways to its hosts", quote(&field.path));
            faults.push(
                Fault::new(command.span, message)
                    .related(jump.span, "the other one")
                    .help("keep one of `proxy_jump` and `proxy_command`"),
            );
        }
        ssh
    }
}

/// Nothing but the password is to be said about sudo.
fn sudo(field: &Field<'_>, faults: &mut Faults) -> Option<Spanned<SecretReference>> {
    if matches!(field.node.value, Value::Scalar { .. }) && !field.node.is_null() {
        // What was written is not repeated: it may be the password.
        let message = format!("{} must be a mapping with `password`", quote(&field.path));
        faults.push(Fault::new(field.key, message).help(format!("write it like `{}`", SUDO_KEYS.example)));
        return None;
    }
    let section = field.section(&SUDO_KEYS, faults)?;
    let password = section.require("password", "password: { env: SUDO_PASSWORD }", faults)?;
    secret_reference::read(&password, faults)
}

fn transport(text: &str) -> Result<SshTransport, Flaw> {
    match text {
        "russh" => Ok(SshTransport::Russh),
        "openssh" => Ok(SshTransport::Openssh),
        _ => Err(Flaw::new(format!("{} is no transport", quote(text)))
            .help("write `russh` (the default) or `openssh` (your `ssh` program)")),
    }
}

fn proxy_command(text: &str) -> Result<String, Flaw> {
    if text.trim().is_empty() {
        return Err(Flaw::new("the command is empty").help("remove the key to connect directly"));
    }
    Ok(text.to_owned())
}

fn identities(field: &Field<'_>, faults: &mut Faults) -> Option<Spanned<Vec<Spanned<String>>>> {
    let Value::Sequence(items) = &field.node.value else {
        let one = field.parsed(path, faults)?;
        let span = one.span;
        return Some(Spanned::new(vec![one], span));
    };
    if items.is_empty() {
        faults.push(
            Fault::new(field.span(), format!("{} is an empty list", quote(&field.path)))
                .help("name a private key file, or remove the key"),
        );
        return None;
    }
    let paths: Vec<_> = items
        .iter()
        .enumerate()
        .map(|(index, item)| {
            let item =
                Field { path: format!("{}[{index}]", field.path), key: field.key, node: item.as_ref() };
            item.parsed(path, faults)
        })
        .collect();
    Some(Spanned::new(paths.into_iter().collect::<Option<Vec<_>>>()?, field.span()))
}
