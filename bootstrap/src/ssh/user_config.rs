//! What `~/.ssh/config` says about a host, under the inventory: a [`Target`] with every question answered.

use std::io;
use std::path::{Path, PathBuf};

use garboard_inventory::SecretReference;
use ssh2_config::{ParseRule, SshConfig};

use super::proxy_command::{self, Tokens};
use super::target::{PORT, USER};
use super::{SshError, Target};

/// Where and how to connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Destination {
    /// As the inventory names it.
    pub(super) address: String,
    /// Where the connection goes: `HostName`, or the address itself.
    pub(super) host: String,
    /// Names under which known-hosts files may hold the host.
    pub(super) names: Vec<String>,
    pub(super) port: u16,
    pub(super) user: String,
    /// Empty: the SSH agent and the usual files.
    pub(super) identity: Vec<PathBuf>,
    pub(super) passphrase: Option<SecretReference>,
    /// With all tokens replaced.
    pub(super) proxy_command: Option<String>,
    pub(super) host_key: Option<String>,
}

/// What the file says about one host.
#[derive(Debug, Default)]
struct Said {
    host_name: Option<String>,
    host_key_alias: Option<String>,
    user: Option<String>,
    port: Option<u16>,
    identity: Vec<PathBuf>,
    proxy_command: Option<String>,
    proxy_jump: Option<String>,
}

/// Answers what `target` leaves open. `home` is the folder above `.ssh`.
pub(super) fn resolve(target: &Target, home: Option<&Path>) -> Result<Destination, SshError> {
    let path = home.map(|home| home.join(".ssh/config"));
    let said = match (home, &path) {
        (Some(home), Some(path)) => match fs_err::read_to_string(path) {
            Ok(text) => read(path, &text, home, &target.address)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Said::default(),
            Err(error) => {
                return Err(SshError::UserConfig { path: path.clone(), cause: error.to_string() });
            }
        },
        _ => Said::default(),
    };
    if let (Some(jump), None, Some(path)) = (&said.proxy_jump, &target.proxy_command, &path) {
        let cause = format!(
            "it leads to `{}` by `ProxyJump {jump}`, which is not in this version; put into the inventory's `ssh:` \
             `proxy_command: \"ssh -W %h:%p {jump}\"`",
            target.address
        );
        return Err(SshError::UserConfig { path: path.clone(), cause });
    }
    let host =
        said.host_name.map_or_else(|| target.address.clone(), |name| expand_host(&name, &target.address));
    let port = target.port.or(said.port).unwrap_or(PORT);
    let user = target.user.clone().or(said.user).unwrap_or_else(|| USER.to_owned());
    let command = target.proxy_command.clone().or(said.proxy_command).filter(|command| command != "none");
    let proxy_command = command
        .map(|command| {
            let tokens = Tokens { host: &host, original: &target.address, port, user: &user };
            proxy_command::expand(&command, &tokens).map_err(|token| {
                let source = io::Error::other(format!("`{token}` has no meaning in it"));
                SshError::Proxy { command, source }
            })
        })
        .transpose()?;
    let mut names =
        said.host_key_alias.map_or_else(|| vec![host.clone(), target.address.clone()], |name| vec![name]);
    names.dedup();
    Ok(Destination {
        address: target.address.clone(),
        names,
        port,
        identity: if target.identity.is_empty() { said.identity } else { target.identity.clone() },
        passphrase: target.passphrase.clone(),
        proxy_command,
        host_key: target.host_key.clone(),
        user,
        host,
    })
}

/// `%h` in `HostName` is the name as given.
fn expand_host(name: &str, original: &str) -> String {
    name.replace("%h", original).replace("%%", "%")
}

/// `Match` blocks are left out: what they ask for (a command's result, the local user…) is not evaluated here.
fn read(path: &Path, text: &str, home: &Path, address: &str) -> Result<Said, SshError> {
    let fault = |cause: String| SshError::UserConfig { path: path.to_owned(), cause };
    let mut reader = io::Cursor::new(without_match_blocks(path, text));
    let rules = ParseRule::ALLOW_UNKNOWN_FIELDS | ParseRule::ALLOW_UNSUPPORTED_FIELDS;
    let config = SshConfig::default()
        .home_dir(home)
        .parse(&mut reader, rules)
        .map_err(|error| fault(error.to_string()))?;
    let found = config.query(address);
    if found.ignored_fields.keys().any(|field| field.eq_ignore_ascii_case("match")) {
        let cause = "a file it includes has `Match` blocks, which are not understood; say `user`, `port`, `identity` or \
                     `proxy_command` in the inventory's `ssh:` and keep the host out of that file";
        return Err(fault(cause.to_owned()));
    }
    let unsupported = |field: &str| {
        let words = found.unsupported_fields.get(field)?;
        (!words.is_empty()).then(|| words.join(" "))
    };
    let proxy_jump = found.proxy_jump.as_ref().map(|jumps| jumps.join(","));
    Ok(Said {
        host_key_alias: unsupported("hostkeyalias"),
        proxy_command: unsupported("proxycommand"),
        proxy_jump: proxy_jump.filter(|jump| !jump.eq_ignore_ascii_case("none")),
        host_name: found.host_name,
        user: found.user,
        port: found.port,
        identity: found.identity_file.unwrap_or_default(),
    })
}

/// The library would take the lines of a `Match` block for lines of the `Host` block before it.
fn without_match_blocks(path: &Path, text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut inside = false;
    for (index, line) in text.lines().enumerate() {
        let keyword =
            line.trim_start().split(|character: char| character.is_whitespace() || character == '=').next();
        match keyword.unwrap_or_default().to_ascii_lowercase().as_str() {
            "match" => {
                tracing::debug!(path = %path.display(), line = index + 1, "`Match` block left out");
                inside = true;
            }
            "host" => inside = false,
            _ => {}
        }
        if !inside {
            kept.push_str(line);
        }
        kept.push('\n');
    }
    kept
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::{Destination, resolve};
    use crate::ssh::{SshError, Target};

    const CONFIG: &str = r#"
Host cp1.lan
    HostName 192.168.1.11
    User pi
    Port 2222
    IdentityFile ~/.ssh/pi
    ProxyCommand sh -c "nc %h %p" '%r'
Match exec "true"
    User nobody
Host jumped
    ProxyJump gate.lan
Host *
    User fallback
"#;

    fn home(config: &str) -> tempfile::TempDir {
        let home = tempfile::tempdir().unwrap();
        fs_err::create_dir(home.path().join(".ssh")).unwrap();
        fs_err::write(home.path().join(".ssh/config"), config).unwrap();
        home
    }

    fn target(address: &str) -> Target {
        Target { address: address.to_owned(), ..Target::default() }
    }

    fn resolved(target: &Target, home: &Path) -> Destination {
        resolve(target, Some(home)).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn the_users_ssh_config_answers_what_the_inventory_leaves_open() {
        let home = home(CONFIG);
        let found = resolved(&target("cp1.lan"), home.path());
        assert_eq!((found.host.as_str(), found.port, found.user.as_str()), ("192.168.1.11", 2222, "pi"));
        assert_eq!(found.identity, [home.path().join(".ssh/pi")]);
        assert_eq!(found.names, ["192.168.1.11", "cp1.lan"]);
        assert_eq!(found.proxy_command.as_deref(), Some(r#"sh -c "nc 192.168.1.11 2222" 'pi'"#));
    }

    #[test]
    fn the_inventory_wins_over_the_users_ssh_config() {
        let home = home(CONFIG);
        let target = Target {
            user: Some("admin".to_owned()),
            port: Some(2022),
            identity: vec![PathBuf::from("/keys/mine")],
            proxy_command: Some("none".to_owned()),
            ..target("cp1.lan")
        };
        let found = resolved(&target, home.path());
        assert_eq!((found.port, found.user.as_str()), (2022, "admin"));
        assert_eq!(found.identity, [PathBuf::from("/keys/mine")]);
        assert_eq!(found.proxy_command, None);
    }

    #[test]
    fn match_blocks_do_not_leak_into_the_host_before_them() {
        let home = home(CONFIG);
        assert_eq!(resolved(&target("other"), home.path()).user, "fallback");
        assert_eq!(resolved(&target("cp1.lan"), home.path()).user, "pi");
    }

    #[test]
    fn a_jump_host_is_refused_with_the_way_out() {
        let home = home(CONFIG);
        let error = resolve(&target("jumped"), Some(home.path())).unwrap_err();
        assert!(error.to_string().contains("ssh -W %h:%p gate.lan"), "{error}");
        let direct = Target { proxy_command: Some("nc %h %p".to_owned()), ..target("jumped") };
        assert_eq!(resolved(&direct, home.path()).proxy_command.as_deref(), Some("nc jumped 22"));
    }

    #[test]
    fn without_a_home_the_defaults_hold() {
        let found = resolve(&target("10.0.0.1"), None).unwrap();
        assert_eq!((found.port, found.user.as_str(), found.names.len()), (22, "root", 1));
    }

    #[test]
    fn an_unknown_token_in_a_proxy_command_is_named() {
        let target = Target { proxy_command: Some("nc %C".to_owned()), ..target("x") };
        let error = resolve(&target, None).unwrap_err();
        assert!(matches!(error, SshError::Proxy { .. }));
    }
}
