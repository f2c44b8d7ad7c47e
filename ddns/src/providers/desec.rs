//! deSEC (`desec.readthedocs.io`, "IP Update"): both families always, `preserve` for the one that is not ours: a family left
//! out would be filled from the connection's address. Updates that change nothing are against its terms.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::AUTHORIZATION;
use reqwest::{Client, Url};

use super::{Provider, excerpt, fatal, no_answer, not_understood, too_many};
use crate::address::Addresses;
use crate::configuration::{DomainName, ServerUrl};
use crate::http::{self, Clients, Reply};
use crate::machine::{Answer, Scope};
use crate::secret::Secret;

const SERVER: &str = "https://update.dedyn.io/";
/// Two updates in two minutes are allowed for a domain.
const TWO_MINUTES: Duration = Duration::from_mins(2);

pub(super) struct Desec {
    url: Url,
    token: Secret,
    client: Client,
}

impl Desec {
    pub(super) fn new(server: Option<&ServerUrl>, token: Secret, clients: &Clients) -> Result<Self, String> {
        let url = match server {
            Some(server) => server.url().clone(),
            None => SERVER.parse().map_err(|error| format!("`{SERVER}`: {error}"))?,
        };
        Ok(Self { url, token, client: clients.get(None, None).map_err(|error| error.to_string())? })
    }
}

#[async_trait]
impl Provider for Desec {
    async fn update(&self, name: &DomainName, all: &Addresses, _changed: &Addresses) -> Answer {
        let word = |address: Option<String>| address.unwrap_or_else(|| "preserve".to_owned());
        let mut url = self.url.clone();
        url.query_pairs_mut()
            .append_pair("hostname", name.as_str())
            .append_pair("myipv4", &word(all.ipv4.map(|one| one.to_string())))
            .append_pair("myipv6", &word(all.ipv6.map(|one| one.to_string())));
        let token = zeroize::Zeroizing::new(format!("Token {}", self.token.expose()));
        match http::send(self.client.get(url).header(AUTHORIZATION, token.as_str())).await {
            Ok(reply) => read(&reply, name),
            Err(error) => no_answer(&error),
        }
    }
}

fn read(reply: &Reply, name: &DomainName) -> Answer {
    let said = || excerpt(&reply.body);
    match reply.status {
        200 if reply.body.trim_start().starts_with("good") => Answer::Good,
        400 => fatal(format!("deSEC does not understand the update of `{name}`: {}", said()), Scope::Name),
        401 | 403 => {
            fatal(format!("deSEC does not accept the token for `{name}`: {}", said()), Scope::Account)
        }
        404 => fatal(format!("`{name}` is no domain of this account at deSEC: {}", said()), Scope::Name),
        429 => too_many(reply, TWO_MINUTES),
        _ => not_understood(reply),
    }
}
