//! The public halves of the keys you log in with: from `.pub` files or the SSH agent. No private key is read.

use std::io;
use std::path::{Path, PathBuf};

use russh::keys::PublicKey;
use russh::keys::agent::client::AgentClient;

use crate::problem::{Exit, Problem};

/// The usual files, as `ssh` tries them.
const USUAL: [&str; 3] = ["id_ed25519", "id_ecdsa", "id_rsa"];

/// One line each, as in `authorized_keys`. `identity` as written in the inventory at this path; where it is empty, the usual
/// files count, and without any of these the agent's keys.
pub(super) async fn all(identity: &[String], inventory: &Path) -> Result<Vec<String>, Problem> {
    if !identity.is_empty() {
        return identity.iter().map(|written| of_identity(&place(written, inventory))).collect();
    }
    let home = std::env::home_dir();
    let usual = home.iter().flat_map(|home| USUAL.map(|name| home.join(".ssh").join(name)));
    let mut keys = Vec::new();
    for path in usual.filter(|path| beside(path).is_file()) {
        keys.push(of_identity(&path)?);
    }
    if keys.is_empty() {
        keys = of_agent().await;
    }
    if keys.is_empty() {
        let message =
            "there is no public key in ~/.ssh and none in an SSH agent: nobody could log in to the hosts";
        return Err(Problem::new(Exit::Usage, message)
            .help("make one with `ssh-keygen -t ed25519`, or name one with `--identity FILE`"));
    }
    Ok(keys)
}

fn of_identity(path: &Path) -> Result<String, Problem> {
    let public = beside(path);
    let failed = |cause: String| {
        let message = format!("cannot read the public key `{}`", public.display());
        let make = format!("ssh-keygen -y -f {0} > {0}.pub", path.display());
        Problem::new(Exit::Usage, message)
            .cause(cause)
            .help(format!("`{make}` makes it from the private one"))
    };
    let text = fs_err::read_to_string(&public).map_err(|error: io::Error| failed(error.to_string()))?;
    let key = PublicKey::from_openssh(text.trim()).map_err(|error| failed(error.to_string()))?;
    line(&key).ok_or_else(|| failed("it cannot be written again".to_owned()))
}

async fn of_agent() -> Vec<String> {
    let asked = async {
        let mut agent = AgentClient::connect_env().await.ok()?;
        agent.request_identities().await.ok()
    };
    let held = asked.await.unwrap_or_default();
    held.iter().filter_map(|key| line(&key.public_key())).collect()
}

/// Without its comment if that is more than a plain word: it comes from anywhere, and goes into files of three formats.
fn line(key: &PublicKey) -> Option<String> {
    let mut key = key.clone();
    let comment = key.comment().to_string();
    let plain = |character: char| character.is_ascii_alphanumeric() || "@._-".contains(character);
    if !comment.chars().all(plain) {
        key.set_comment("");
    }
    Some(key.to_openssh().ok()?.trim_end().to_owned())
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".pub");
    PathBuf::from(name)
}

/// `~/` is the home folder; other relative paths start at the inventory's.
fn place(written: &str, inventory: &Path) -> PathBuf {
    let folder = inventory.parent().unwrap_or(Path::new(""));
    match (written.strip_prefix("~/"), std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => folder.join(written),
    }
}

#[cfg(test)]
mod tests {
    use super::line;
    use russh::keys::PublicKey;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";

    #[test]
    fn a_comment_that_is_more_than_a_word_stays_behind() {
        let of = |comment: &str| {
            let mut key = PublicKey::from_openssh(KEY).unwrap();
            key.set_comment(comment);
            line(&key).unwrap()
        };
        assert_eq!(of("ada@laptop.lan"), format!("{KEY} ada@laptop.lan"));
        for hostile in ["my key", "x\"]\nruncmd: [reboot]", "\u{1b}[2J", "\u{9b}", "ü", "'", "#"] {
            assert_eq!(of(hostile), KEY, "{hostile:?}");
        }
    }
}
