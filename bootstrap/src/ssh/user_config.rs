//! What `~/.ssh/config` says about a host, under the inventory: a [`Target`] with every question answered.

use std::io;
use std::path::{Path, PathBuf};

use garboard_inventory::{Jump, SecretReference};
use ssh2_config::{ParseRule, SshConfig};

use super::proxy_command::{self, Tokens};
use super::target::{PORT, USER};
use super::{SshError, Target};

/// Jump hosts on the way to one host; more are a mistake, such as a host that is its own jump host.
const MOST_HOPS: usize = 8;

/// Where and how to connect.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Destination {
    /// As the inventory names it.
    pub(super) address: String,
    /// Where the connection goes: `HostName`, or the address itself.
    pub(super) host: String,
    /// Names under which known-hosts files may hold the host.
    pub(super) names: Vec<String>,
    /// The only name is `HostKeyAlias`, which stands in such files without the port.
    pub(super) is_alias: bool,
    pub(super) port: u16,
    pub(super) user: String,
    /// Empty: the SSH agent and the usual files.
    pub(super) identity: Vec<PathBuf>,
    pub(super) passphrase: Option<SecretReference>,
    pub(super) password: Option<SecretReference>,
    /// The last host on the way there, with the one before it, and so on.
    pub(super) via: Option<Box<Destination>>,
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

/// What of this machine answers what the inventory leaves open.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Here<'a> {
    /// The folder above `.ssh`.
    pub(super) home: Option<&'a Path>,
    /// The user's own name: the login on jump hosts for which nothing names one, as for `ssh`.
    pub(super) user: Option<&'a str>,
}

/// Answers what `target` leaves open.
pub(super) fn resolve(target: &Target, here: Here<'_>) -> Result<Destination, SshError> {
    answer(target, here, USER, 0)
}

fn answer(target: &Target, here: Here<'_>, user: &str, hops: usize) -> Result<Destination, SshError> {
    let path = here.home.map(|home| home.join(".ssh/config"));
    let said = match (here.home, &path) {
        (Some(home), Some(path)) => match fs_err::read_to_string(path) {
            Ok(text) => read(path, &text, home, &target.address)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Said::default(),
            Err(error) => {
                return Err(SshError::UserConfig { path: path.clone(), cause: error.to_string() });
            }
        },
        _ => Said::default(),
    };
    let fault = |cause: String| SshError::UserConfig { path: path.clone().unwrap_or_default(), cause };
    let jumps = match (&said.proxy_jump, target.proxy_jump.is_empty() && target.proxy_command.is_none()) {
        (Some(jumps), true) => Jump::parse(jumps)
            .map_err(|cause| fault(format!("`ProxyJump {jumps}` of `{}`: {cause}", target.address)))?,
        _ => target.proxy_jump.clone(),
    };
    let via = match jumps.split_last() {
        None => None,
        Some(_) if hops == MOST_HOPS => {
            let cause = format!(
                "more than {MOST_HOPS} jump hosts stand one behind the other, `{}` among them",
                target.address
            );
            return Err(fault(cause));
        }
        Some((last, before)) => {
            let hop = Target {
                name: target.name.clone(),
                address: last.host.clone(),
                user: last.user.clone(),
                port: last.port,
                proxy_jump: before.to_vec(),
                ..Target::default()
            };
            Some(Box::new(answer(&hop, here, here.user.unwrap_or(USER), hops + 1)?))
        }
    };
    let host =
        said.host_name.map_or_else(|| target.address.clone(), |name| expand_host(&name, &target.address));
    let port = target.port.or(said.port).unwrap_or(PORT);
    let user = target.user.clone().or(said.user).unwrap_or_else(|| user.to_owned());
    // A jump host leaves no room for a command of the file, and the other way round.
    let command = target.proxy_command.clone().or(said.proxy_command.filter(|_| via.is_none()));
    let command = command.filter(|command| command != "none");
    let proxy_command = command
        .map(|command| {
            let tokens = Tokens { host: &host, original: &target.address, port, user: &user };
            proxy_command::expand(&command, &tokens).map_err(|token| {
                let source = io::Error::other(format!("`{token}` has no meaning in it"));
                SshError::Proxy { command, source }
            })
        })
        .transpose()?;
    let is_alias = said.host_key_alias.is_some();
    let mut names =
        said.host_key_alias.map_or_else(|| vec![host.clone(), target.address.clone()], |name| vec![name]);
    names.dedup();
    Ok(Destination {
        address: target.address.clone(),
        names,
        is_alias,
        port,
        identity: if target.identity.is_empty() { said.identity } else { target.identity.clone() },
        passphrase: target.passphrase.clone(),
        password: target.password.clone(),
        via,
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

    use garboard_inventory::Jump;

    use super::{Destination, Here, resolve};
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
    ProxyJump first,pi@second.lan:2022
Host first
    HostName first.example.org
    User keeper
    Port 2200
    ProxyJump outer
Host loop
    ProxyJump loop
Host *.include.lan
    Include included
Host *
    User fallback
"#;

    fn home(config: &str) -> tempfile::TempDir {
        let home = tempfile::tempdir().unwrap();
        fs_err::create_dir(home.path().join(".ssh")).unwrap();
        fs_err::write(home.path().join(".ssh/config"), config).unwrap();
        home
    }

    fn here(home: &Path) -> Here<'_> {
        Here { home: Some(home), user: Some("me") }
    }

    fn target(address: &str) -> Target {
        Target { address: address.to_owned(), ..Target::default() }
    }

    fn resolved(target: &Target, home: &Path) -> Destination {
        resolve(target, here(home)).unwrap_or_else(|error| panic!("{error}"))
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

    /// Login, host and port of each hop, the nearest to the host first.
    fn hops(destination: &Destination) -> Vec<(String, String, u16)> {
        let mut hops = Vec::new();
        let mut at = destination.via.as_deref();
        while let Some(hop) = at {
            hops.push((hop.user.clone(), hop.host.clone(), hop.port));
            at = hop.via.as_deref();
        }
        hops
    }

    fn hop(user: &str, host: &str, port: u16) -> (String, String, u16) {
        (user.to_owned(), host.to_owned(), port)
    }

    #[test]
    fn jump_hosts_have_blocks_and_jump_hosts_of_their_own() {
        let home = home(CONFIG);
        let found = resolved(&target("jumped"), home.path());
        let expected = [
            hop("pi", "second.lan", 2022),
            hop("keeper", "first.example.org", 2200),
            hop("fallback", "outer", 22),
        ];
        assert_eq!(hops(&found), expected);
        let direct = Target { proxy_command: Some("nc %h %p".to_owned()), ..target("jumped") };
        let found = resolved(&direct, home.path());
        assert_eq!((found.proxy_command.as_deref(), found.via), (Some("nc jumped 22"), None));
    }

    #[test]
    fn jump_hosts_of_the_inventory_win_and_their_login_is_the_users_own_name() {
        let empty = home("");
        let jumps = Jump::parse("gate").unwrap();
        let found = resolved(&Target { proxy_jump: jumps.clone(), ..target("jumped") }, empty.path());
        assert_eq!((hops(&found), found.user.as_str()), (vec![hop("me", "gate", 22)], "root"));
        let home = home(CONFIG);
        let found = resolved(&Target { proxy_jump: jumps, ..target("cp1.lan") }, home.path());
        assert_eq!((hops(&found).len(), found.proxy_command), (1, None));
    }

    #[test]
    fn a_host_that_is_its_own_jump_host_is_refused() {
        let home = home(CONFIG);
        let error = resolve(&target("loop"), here(home.path())).unwrap_err();
        assert!(error.to_string().contains("more than 8 jump hosts"), "{error}");
    }

    #[test]
    fn included_files_and_wildcards_count() {
        let home = home(CONFIG);
        fs_err::write(home.path().join(".ssh/included"), "Host a?.include.lan\n  User included\n").unwrap();
        assert_eq!(resolved(&target("a1.include.lan"), home.path()).user, "included");
        assert_eq!(resolved(&target("b.include.lan"), home.path()).user, "fallback");
    }

    #[test]
    fn without_a_home_the_defaults_hold() {
        let found = resolve(&target("10.0.0.1"), Here::default()).unwrap();
        assert_eq!((found.port, found.user.as_str(), found.names.len()), (22, "root", 1));
    }

    #[test]
    fn an_unknown_token_in_a_proxy_command_is_named() {
        let target = Target { proxy_command: Some("nc %C".to_owned()), ..target("x") };
        let error = resolve(&target, Here::default()).unwrap_err();
        assert!(matches!(error, SshError::Proxy { .. }));
    }
}
