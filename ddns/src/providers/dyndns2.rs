//! dyndns2: one GET, one word back, whatever the HTTP status is.
//!
//! The words and what they ask of a client: `help.dyn.com/return-codes` and `/guidelines`, No-IP's and Dynu's pages of the
//! same kind. Dyn: any refusal is fatal until the user acts; a client that goes on is blocked.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::{Client, Url};

use super::{Provider, excerpt, fatal, no_answer, not_understood, too_many, transient};
use crate::address::Addresses;
use crate::configuration::{self, DomainName};
use crate::http::{self, Clients, Reply};
use crate::machine::{Answer, Scope};
use crate::secret::Secret;

const HALF_AN_HOUR: Duration = Duration::from_mins(30);
const TEN_MINUTES: Duration = Duration::from_mins(10);
const FIVE_MINUTES: Duration = Duration::from_mins(5);

/// What the providers of this protocol differ in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Service {
    server: Option<&'static str>,
    parameters: Parameters,
    /// How long to wait after `911` and `dnserr`.
    trouble: Duration,
}

/// How addresses are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Parameters {
    /// `myip=V4,V6`.
    Together,
    /// `myip=V4&myipv6=V6`, `no` for a family that is to stay as it is.
    Apart,
    /// `system=dyndns` before `myip=`.
    System,
    /// A request for each family that changed.
    OneByOne,
}

pub(super) const NO_IP: Service = Service {
    server: Some("https://dynupdate.no-ip.com/nic/update"),
    parameters: Parameters::Together,
    trouble: HALF_AN_HOUR,
};
pub(super) const DYNU: Service = Service {
    server: Some("https://api.dynu.com/nic/update"),
    parameters: Parameters::Apart,
    trouble: TEN_MINUTES,
};
pub(super) const OVH: Service = Service {
    server: Some("https://www.ovh.com/nic/update"),
    parameters: Parameters::System,
    trouble: HALF_AN_HOUR,
};
pub(super) const HURRICANE_ELECTRIC: Service = Service {
    server: Some("https://dyn.dns.he.net/nic/update"),
    parameters: Parameters::OneByOne,
    trouble: HALF_AN_HOUR,
};
pub(super) const DYNV6: Service = Service {
    server: Some("https://dynv6.com/nic/update"),
    parameters: Parameters::Together,
    trouble: HALF_AN_HOUR,
};
pub(super) const ANY: Service =
    Service { server: None, parameters: Parameters::Together, trouble: HALF_AN_HOUR };

struct Dyndns2 {
    service: Service,
    url: Url,
    user: String,
    password: Secret,
    client: Client,
}

pub(super) fn boxed(
    service: Service,
    account: &configuration::Dyndns2,
    user: Option<String>,
    password: Secret,
    clients: &Clients,
) -> Result<Box<dyn Provider>, String> {
    let url = match (&account.server, service.server) {
        (Some(server), _) => server.url().clone(),
        (None, Some(server)) => server.parse().map_err(|error| format!("`{server}`: {error}"))?,
        (None, None) => return Err("`dyndns2` needs `server`".to_owned()),
    };
    let client = clients.get(None, None).map_err(|error| error.to_string())?;
    Ok(Box::new(Dyndns2 { service, url, user: user.unwrap_or_default(), password, client }))
}

#[async_trait]
impl Provider for Dyndns2 {
    async fn update(&self, name: &DomainName, all: &Addresses, changed: &Addresses) -> Answer {
        for url in self.urls(name, all, changed) {
            let request = self.client.get(url).basic_auth(&self.user, Some(self.password.expose()));
            let answer = match http::send(request).await {
                Ok(reply) => read(&reply, name, self.service.trouble),
                Err(error) => no_answer(&error),
            };
            if answer != Answer::Good {
                return answer;
            }
        }
        Answer::Good
    }
}

impl Dyndns2 {
    fn urls(&self, name: &DomainName, all: &Addresses, changed: &Addresses) -> Vec<Url> {
        let url = |pairs: &[(&str, String)]| {
            let mut url = self.url.clone();
            let mut query = url.query_pairs_mut();
            if self.service.parameters == Parameters::System {
                query.append_pair("system", "dyndns");
            }
            query.append_pair("hostname", name.as_str()).extend_pairs(pairs);
            drop(query);
            url
        };
        let text = |addresses: &Addresses| addresses.iter().map(|one| one.to_string()).collect::<Vec<_>>();
        match self.service.parameters {
            Parameters::Together | Parameters::System => vec![url(&[("myip", text(all).join(","))])],
            Parameters::Apart => {
                let word = |address: Option<String>| address.unwrap_or_else(|| "no".to_owned());
                vec![url(&[
                    ("myip", word(all.ipv4.map(|one| one.to_string()))),
                    ("myipv6", word(all.ipv6.map(|one| one.to_string()))),
                ])]
            }
            Parameters::OneByOne => text(changed).into_iter().map(|one| url(&[("myip", one)])).collect(),
        }
    }
}

/// What an answer means. The body counts, not the status: a `911` comes with status 500.
fn read(reply: &Reply, name: &DomainName, trouble: Duration) -> Answer {
    let line = reply.body.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let mut words = line.split_whitespace();
    let code = words.next().unwrap_or_default().to_ascii_lowercase();
    let of_account = |text: &str| fatal(format!("`{code}`: {text}"), Scope::Account);
    let of_name = |text: &str| fatal(format!("`{code}`: {text}"), Scope::Name);
    match code.as_str() {
        "good" if words.next() == Some("127.0.0.1") => of_account(
            "`good 127.0.0.1` means that the update was ignored, because this program is not let in; ask the provider",
        ),
        "good" | "nochg" => Answer::Good,
        "badauth" => of_account("user and password are not accepted; correct them in the configuration"),
        "!donator" => of_account("the account may not use what was asked for; see the provider's site"),
        "badagent" => of_account("the provider has blocked this program; ask the provider"),
        "abuse" => {
            of_account("the provider has blocked updates for abuse; unblock it on the provider's site")
        }
        "notfqdn" => of_name(&format!("the provider does not take `{name}` for a whole name")),
        "nohost" => of_name(&format!("`{name}` is not in this account; create it on the provider's site")),
        "!yours" => of_name(&format!("`{name}` belongs to another account")),
        "numhost" => of_name("the provider counts too many names in one update"),
        "!active" => of_name(&format!("`{name}` is not active; confirm it on the provider's site")),
        "badsys" => of_name("the provider knows no such kind of update"),
        "911" | "dnserr" | "servererror" | "unknown" => Answer::Transient {
            reason: format!("`{code}`: the provider has trouble of its own (HTTP status {})", reply.status),
            at_least: Some(trouble),
            retry_after: reply.retry_after,
            scope: Scope::Account,
        },
        _ => match reply.status {
            429 => too_many(reply, FIVE_MINUTES),
            401 | 403 => fatal(
                format!(
                    "HTTP status {}: the provider lets this account not in: {}",
                    reply.status,
                    excerpt(&reply.body)
                ),
                Scope::Account,
            ),
            404 | 410 => transient(format!(
                "HTTP status {}: no dyndns2 at this URL: {}",
                reply.status,
                excerpt(&reply.body)
            )),
            _ => not_understood(reply),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(status: u16, body: &str) -> Answer {
        let reply = Reply { status, retry_after: None, body: body.to_owned() };
        read(&reply, &DomainName::new("home.example.org").unwrap(), HALF_AN_HOUR)
    }

    #[test]
    fn every_return_code_has_its_class() {
        for body in ["good 84.20.10.1", "good", "nochg 84.20.10.1", "\r\nGOOD 84.20.10.1\r\n"] {
            assert_eq!(said(200, body), Answer::Good, "{body}");
        }
        for code in ["badauth", "!donator", "badagent", "abuse", "good 127.0.0.1"] {
            let Answer::Fatal { scope, reason } = said(200, code) else { panic!("{code}") };
            assert_eq!(scope, Scope::Account, "{code}");
            assert!(reason.contains(code), "{reason}");
        }
        for code in ["notfqdn", "nohost", "!yours", "numhost", "!active", "badsys"] {
            assert!(matches!(said(200, code), Answer::Fatal { scope: Scope::Name, .. }), "{code}");
        }
        for code in ["911", "dnserr", "servererror", "unknown"] {
            assert!(
                matches!(said(500, code), Answer::Transient { at_least: Some(HALF_AN_HOUR), .. }),
                "{code}"
            );
        }
    }

    #[test]
    fn the_body_counts_whatever_the_status_is() {
        assert_eq!(said(500, "good 84.20.10.1"), Answer::Good);
        assert!(matches!(said(401, "badauth"), Answer::Fatal { scope: Scope::Account, .. }));
        assert!(matches!(said(401, "<html>"), Answer::Fatal { scope: Scope::Account, .. }));
        assert!(matches!(
            said(200, "<html>log in to this hotel</html>"),
            Answer::Transient { at_least: None, .. }
        ));
        assert!(matches!(said(503, ""), Answer::Transient { at_least: None, .. }));
        assert!(matches!(said(200, ""), Answer::Transient { .. }));
    }

    #[test]
    fn addresses_are_written_as_each_provider_wants_them() {
        let name = DomainName::new("home.example.org").unwrap();
        let both =
            Addresses { ipv4: Some([84, 20, 10, 1].into()), ipv6: Some("2a01:4f8::1".parse().unwrap()) };
        let only = Addresses { ipv4: None, ipv6: both.ipv6 };
        let urls = |service: Service, all: Addresses, changed: Addresses| {
            let one = Dyndns2 {
                service,
                url: "https://x/nic/update".parse().unwrap(),
                user: String::new(),
                password: Secret::new("p"),
                client: Clients::default().get(None, None).unwrap(),
            };
            one.urls(&name, &all, &changed)
                .iter()
                .map(|url| url.query().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            urls(NO_IP, both, both),
            ["hostname=home.example.org&myip=84.20.10.1%2C2a01%3A4f8%3A%3A1"]
        );
        assert_eq!(urls(DYNU, only, only), ["hostname=home.example.org&myip=no&myipv6=2a01%3A4f8%3A%3A1"]);
        let only = Addresses { ipv4: both.ipv4, ipv6: None };
        assert_eq!(urls(OVH, only, only), ["system=dyndns&hostname=home.example.org&myip=84.20.10.1"]);
        assert_eq!(urls(HURRICANE_ELECTRIC, both, both).len(), 2);
        assert_eq!(urls(HURRICANE_ELECTRIC, both, only), ["hostname=home.example.org&myip=84.20.10.1"]);
    }
}
