//! Names of hosts and clusters: RFC 1123 labels, since they become node names and parts of DNS names.

use crate::fault::{Flaw, quote};

/// The longest label of RFC 1123.
const LONGEST: usize = 63;
/// Words a playbook's `hosts:` understands; a host of that name could never be meant.
const PLAYBOOK_WORDS: [&str; 5] = ["all", "cluster", "edge", "leader", "worker"];

/// A host's name.
pub(crate) fn host_name(text: &str) -> Result<String, Flaw> {
    let name = label(text)?;
    if name == "localhost" {
        return Err(Flaw::new("every machine calls itself so").help("choose another name, such as `cp1`"));
    }
    if PLAYBOOK_WORDS.contains(&name.as_str()) {
        let help = format!("choose another name, such as `{name}1`");
        return Err(Flaw::new("the word has a meaning of its own in playbooks").help(help));
    }
    Ok(name)
}

/// A cluster's name.
pub(crate) fn cluster_name(text: &str) -> Result<String, Flaw> {
    label(text).map_err(|flaw| Flaw {
        message: format!("{} cannot be a cluster's name: {}", quote(text), flaw.message),
        ..flaw
    })
}

/// The name of a user of the VPN: it becomes the name of a certificate and of files.
pub(crate) fn user_name(text: &str) -> Result<String, Flaw> {
    label(text).map_err(|flaw| Flaw {
        message: format!("{} cannot be a user's name: {}", quote(text), flaw.message),
        ..flaw
    })
}

/// The name of a namespace.
pub(crate) fn namespace(text: &str) -> Result<String, Flaw> {
    let name = label(text).map_err(|flaw| Flaw {
        message: format!("{} cannot be a namespace: {}", quote(text), flaw.message),
        ..flaw
    })?;
    if name.starts_with("kube-") || name == "traefik" {
        return Err(Flaw::new(format!("{} is the cluster's own", quote(text)))
            .help("a controller that faces the internet reads no Secrets there; name a namespace of your applications"));
    }
    Ok(name)
}

/// A name that leads to the edge host from outside, or `*.` and a name: every one that is one level below.
pub(crate) fn public_name(text: &str) -> Result<String, Flaw> {
    let example = "write it like `app1.example.org`, or `*.example.org` for every name below it";
    if text.parse::<std::net::IpAddr>().is_ok() {
        return Err(Flaw::new(format!("{} is an address, and names are meant", quote(text))).help(example));
    }
    let name = text.strip_prefix("*.").unwrap_or(text);
    if name.chars().any(|character| character.is_ascii_uppercase()) {
        return Err(Flaw::new(format!("{} has upper case letters", quote(text)))
            .help(format!("write `{}`", text.to_lowercase())));
    }
    let numeric = name.rsplit('.').next().is_some_and(|last| last.chars().all(|one| one.is_ascii_digit()));
    if name.is_empty() || name.ends_with('.') || !is_domain(name) || !name.contains('.') || numeric {
        return Err(Flaw::new(format!("{} is no full DNS name", quote(text))).help(example));
    }
    Ok(text.to_owned())
}

fn label(text: &str) -> Result<String, Flaw> {
    let reason = if text.is_empty() {
        "it is empty".to_owned()
    } else if text.chars().any(|character| character.is_ascii_uppercase()) {
        "upper case letters are not allowed".to_owned()
    } else if let Some(bad) = text.chars().find(|character| !allowed(*character)) {
        format!("{} is not allowed in it", quote(&bad.to_string()))
    } else if text.starts_with('-') || text.ends_with('-') {
        "it must begin and end with a letter or digit".to_owned()
    } else if text.len() > LONGEST {
        format!("it has {} characters, at most {LONGEST} are allowed", text.len())
    } else {
        return Ok(text.to_owned());
    };
    let flaw = Flaw::new(reason);
    Err(match corrected(text) {
        Some(name) => flaw.help(format!("write `{name}`")),
        None => flaw.help("use lower case letters, digits and `-` (RFC 1123)"),
    })
}

fn allowed(character: char) -> bool {
    character.is_ascii_lowercase() || character.is_ascii_digit() || character == '-'
}

/// The nearest name that is allowed.
fn corrected(text: &str) -> Option<String> {
    let name: String = text
        .trim()
        .to_lowercase()
        .chars()
        .map(|character| if allowed(character) { character } else { '-' })
        .take(LONGEST)
        .collect();
    let name = name.trim_matches('-');
    (!name.is_empty()).then(|| name.to_owned())
}

/// Whether this is a DNS name: labels joined by dots, 253 characters at most; case does not matter.
pub(crate) fn is_domain(text: &str) -> bool {
    let text = text.strip_suffix('.').unwrap_or(text).to_lowercase();
    text.len() <= 253 && text.split('.').all(|part| label(part).is_ok())
}

#[cfg(test)]
mod tests {
    use super::host_name;

    #[test]
    fn a_bad_name_comes_with_the_nearest_good_one() {
        let help = |name: &str| host_name(name).unwrap_err().help.unwrap();
        assert_eq!(help("Node_1"), "write `node-1`");
        assert_eq!(help("rack.pi"), "write `rack-pi`");
        assert_eq!(help("-w1-"), "write `w1`");
        assert_eq!(help(&"a".repeat(64)), format!("write `{}`", "a".repeat(63)));
        assert_eq!(help("worker"), "choose another name, such as `worker1`");
        assert!(host_name(&"a".repeat(63)).is_ok());
        assert!(host_name("1").is_ok());
    }
}
