//! Bearer tokens: random, short-lived, good for pulling from the repositories they were asked for.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The tokens given out.
pub(super) struct Tokens {
    life: Duration,
    issued: Mutex<HashMap<String, Grant>>,
}

struct Grant {
    repositories: BTreeSet<String>,
    until: Instant,
}

/// Why a request is not let in; the text goes into the challenge. RFC 6750 §3.1.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub(super) enum Denied {
    /// It carries no token.
    Absent,
    /// It carries one that is unknown or no longer good.
    Invalid,
    /// Its token is for something else.
    OutOfScope,
}

impl Tokens {
    pub(super) fn new(life: Duration) -> Self {
        Self { life, issued: Mutex::default() }
    }

    /// How long a token is good for.
    pub(super) fn life(&self) -> Duration {
        self.life
    }

    /// A new token for what the scopes ask (`repository:NAME:pull`); other actions are not granted.
    pub(super) fn issue<'a>(
        &self,
        scopes: impl Iterator<Item = &'a str>,
    ) -> Result<String, getrandom::Error> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        let token = super::link::hex(&bytes);
        let repositories = scopes.flat_map(str::split_whitespace).filter_map(pulled).collect();
        let now = Instant::now();
        let mut issued = self.issued.lock().unwrap_or_else(PoisonError::into_inner);
        issued.retain(|_, grant| grant.until > now);
        issued.insert(token.clone(), Grant { repositories, until: now + self.life });
        Ok(token)
    }

    /// Whether the `Authorization` header lets its bearer pull from `repository` (`None`: just speak to the registry).
    pub(super) fn check(&self, header: Option<&str>, repository: Option<&str>) -> Result<(), Denied> {
        let header = header.ok_or(Denied::Absent)?;
        let (scheme, token) = header.split_once(' ').ok_or(Denied::Invalid)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Denied::Invalid);
        }
        let issued = self.issued.lock().unwrap_or_else(PoisonError::into_inner);
        let grant = issued.get(token).filter(|grant| grant.until > Instant::now()).ok_or(Denied::Invalid)?;
        match repository {
            Some(name) if !grant.repositories.contains(name) => Err(Denied::OutOfScope),
            _ => Ok(()),
        }
    }
}

/// The repository of a scope that includes pulling.
fn pulled(scope: &str) -> Option<String> {
    let (name, actions) = scope.strip_prefix("repository:")?.rsplit_once(':')?;
    actions.split(',').any(|action| action == "pull").then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(tokens: &Tokens, scope: &str) -> String {
        format!("Bearer {}", tokens.issue([scope].into_iter()).unwrap())
    }

    #[test]
    fn a_token_opens_what_it_was_asked_for_and_nothing_else() {
        let tokens = Tokens::new(Duration::from_mins(1));
        let header = header(&tokens, "repository:registry.k8s.io/pause:pull,push");
        assert_eq!(tokens.check(Some(&header), Some("registry.k8s.io/pause")), Ok(()));
        assert_eq!(tokens.check(Some(&header), None), Ok(()));
        assert_eq!(tokens.check(Some(&header), Some("registry.k8s.io/etcd")), Err(Denied::OutOfScope));
        assert_eq!(tokens.check(Some("Bearer wrong"), None), Err(Denied::Invalid));
        assert_eq!(tokens.check(None, None), Err(Denied::Absent));
    }

    #[test]
    fn a_token_grows_old() {
        let tokens = Tokens::new(Duration::ZERO);
        let header = header(&tokens, "repository:registry.k8s.io/pause:pull");
        assert_eq!(tokens.check(Some(&header), Some("registry.k8s.io/pause")), Err(Denied::Invalid));
    }

    #[test]
    fn a_scope_without_pull_grants_nothing() {
        assert_eq!(pulled("repository:a/b:push"), None);
        assert_eq!(pulled("registry:catalog:*"), None);
        assert_eq!(pulled("repository:localhost:5000/b:pull"), Some("localhost:5000/b".to_owned()));
    }
}
