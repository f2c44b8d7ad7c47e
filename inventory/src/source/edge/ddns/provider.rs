//! Who keeps the record of a name: one key, with what that provider needs.

use super::super::super::field::{Field, given};
use super::super::super::secret_reference;
use super::super::super::section::{Keys, Section, list};
use crate::fault::{Fault, Faults, Flaw, quote};
use crate::secret::SecretReference;
use crate::span::{Given, Spanned};
use crate::syntax;

/// A provider of [`KEYS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Rfc2136,
    Cloudflare,
    Duckdns,
    Desec,
    NoIp,
    Dynu,
    Ovh,
    HurricaneElectric,
    Dynv6,
    Dyndns2,
}

/// What the file says of one, whichever it is.
#[derive(Debug)]
pub(crate) struct Provider {
    pub(crate) kind: Spanned<Kind>,
    pub(crate) zone: Given<String>,
    pub(crate) server: Given<String>,
    pub(crate) username: Given<String>,
    pub(crate) key_name: Given<String>,
    pub(crate) ttl: Given<u32>,
    pub(crate) secret: Given<SecretReference>,
}

pub(in crate::source) static KEYS: Keys = Keys {
    example: "provider: { cloudflare: { token: { file: ~/.secrets/cloudflare } } }",
    known: &[
        "rfc2136",
        "cloudflare",
        "duckdns",
        "desec",
        "no_ip",
        "dynu",
        "ovh",
        "hurricane_electric",
        "dynv6",
        "dyndns2",
    ],
    later: &[],
    elsewhere: &[
        ("noip", "did you mean `no_ip`?"),
        ("he", "did you mean `hurricane_electric`?"),
        ("nsupdate", "did you mean `rfc2136`?"),
        ("dyn", "did you mean `dyndns2`?"),
    ],
};

const KINDS: [Kind; 10] = [
    Kind::Rfc2136,
    Kind::Cloudflare,
    Kind::Duckdns,
    Kind::Desec,
    Kind::NoIp,
    Kind::Dynu,
    Kind::Ovh,
    Kind::HurricaneElectric,
    Kind::Dynv6,
    Kind::Dyndns2,
];

pub(in crate::source) static RFC2136: Keys = Keys {
    example: "rfc2136: { server: ns1.example.org, zone: example.org, key: { name: home, secret: { file: PATH } } }",
    known: &["server", "zone", "key", "ttl"],
    later: &[],
    elsewhere: &[("secret", "it belongs under `key:`"), ("port", "write `server: HOST:PORT`")],
};

pub(in crate::source) static TSIG: Keys = Keys {
    example: "key: { name: home, secret: { file: ~/.secrets/tsig } }",
    known: &["name", "secret"],
    later: &[],
    elsewhere: &[("algorithm", "remove it: updates are signed with hmac-sha256")],
};

pub(in crate::source) static CLOUDFLARE: Keys = Keys {
    example: "cloudflare: { token: { file: ~/.secrets/cloudflare } }",
    known: &["zone", "token", "server"],
    later: &[],
    elsewhere: &[
        ("api_token", "did you mean `token`?"),
        ("email", "remove it: an API token is all that is needed"),
        ("api_key", "use an API token with the permissions Zone.Zone Read and Zone.DNS Edit, as `token`"),
        ("proxied", "remove it: a record keeps what its owner set"),
        ("ttl", "remove it: a record keeps what its owner set"),
    ],
};

pub(in crate::source) static TOKEN: Keys = Keys {
    example: "token: { file: ~/.secrets/token }",
    known: &["token", "server"],
    later: &[],
    elsewhere: &[("password", "did you mean `token`?")],
};

pub(in crate::source) static ACCOUNT: Keys = Keys {
    example: "username: me, password: { file: ~/.secrets/password }",
    known: &["username", "password", "server"],
    later: &[],
    elsewhere: &[
        ("user", "did you mean `username`?"),
        ("login", "did you mean `username`?"),
        ("token", "did you mean `password`?"),
    ],
};

impl Provider {
    /// Reads the one key; `None` where there is none, or several.
    pub(super) fn read(field: &Field<'_>, faults: &mut Faults) -> Option<Self> {
        let section = field.section(&KEYS, faults)?;
        let named: Vec<(Kind, Field<'_>)> = KEYS
            .known
            .iter()
            .zip(KINDS)
            .filter_map(|(word, kind)| Some((kind, section.get(word)?)))
            .collect();
        let [(kind, one)] = named.as_slice() else {
            if !(named.is_empty() && section.has_unknown()) {
                faults.push(
                    Fault::new(field.key, format!("{} must name exactly one provider", quote(&field.path)))
                        .help(format!("one of {}", list(KEYS.known))),
                );
            }
            return None;
        };
        let section = one.section(kind.keys(), faults)?;
        let mut provider = Self {
            kind: Spanned::new(*kind, one.key),
            zone: Given::Absent,
            server: Given::Absent,
            username: Given::Absent,
            key_name: Given::Absent,
            ttl: Given::Absent,
            secret: Given::Faulty,
        };
        match kind {
            Kind::Rfc2136 => provider.read_rfc2136(&section, faults),
            Kind::Cloudflare => {
                provider.zone = given(section.get("zone"), |field| field.parsed(syntax::domain_name, faults));
                provider
                    .read_secret(section.require("token", "token: { file: PATH }", faults).as_ref(), faults);
                provider.server =
                    given(section.get("server"), |field| field.parsed(syntax::server_url, faults));
            }
            Kind::Duckdns | Kind::Desec => {
                provider
                    .read_secret(section.require("token", "token: { file: PATH }", faults).as_ref(), faults);
                provider.server =
                    given(section.get("server"), |field| field.parsed(syntax::server_url, faults));
            }
            _ => {
                provider.username = given(section.get("username"), |field| field.parsed(word, faults));
                let password = section.require("password", "password: { file: PATH }", faults);
                provider.read_secret(password.as_ref(), faults);
                provider.server =
                    given(section.get("server"), |field| field.parsed(syntax::server_url, faults));
            }
        }
        Some(provider)
    }

    fn read_rfc2136(&mut self, section: &Section<'_>, faults: &mut Faults) {
        let required =
            |field: Option<Field<'_>>, parse: fn(&str) -> Result<String, Flaw>, faults: &mut Faults| {
                field.map_or(Given::Faulty, |field| field.parsed(parse, faults).into())
            };
        let place = section.require("server", "server: ns1.example.org", faults);
        self.server = required(place, name_server, faults);
        let zone = section.require("zone", "zone: example.org", faults);
        self.zone = required(zone, syntax::domain_name, faults);
        self.ttl = given(section.get("ttl"), |field| field.parsed(ttl, faults));
        self.key_name = Given::Faulty;
        let key = section.require("key", TSIG.example, faults);
        let Some(key) = key.and_then(|field| field.section(&TSIG, faults)) else { return };
        self.key_name = required(key.require("name", "name: home", faults), word, faults);
        self.read_secret(key.require("secret", "secret: { file: PATH }", faults).as_ref(), faults);
    }

    fn read_secret(&mut self, field: Option<&Field<'_>>, faults: &mut Faults) {
        self.secret = field.and_then(|field| secret_reference::read(field, faults)).into();
    }
}

impl Kind {
    fn keys(self) -> &'static Keys {
        match self {
            Self::Rfc2136 => &RFC2136,
            Self::Cloudflare => &CLOUDFLARE,
            Self::Duckdns | Self::Desec => &TOKEN,
            _ => &ACCOUNT,
        }
    }
}

fn word(text: &str) -> Result<String, Flaw> {
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err(Flaw::new("this is empty, or has control characters").help("write one line of text"));
    }
    Ok(text.to_owned())
}

fn name_server(text: &str) -> Result<String, Flaw> {
    let flaw = || {
        Flaw::new(format!("{} is neither an address nor a name of a server", quote(text)))
            .help("write it like `ns1.example.org`, `192.0.2.53:5353` or `[2001:db8::53]`")
    };
    // What a URL would have between `//` and the path.
    let url = format!("dns://{text}");
    let host = syntax::url_host(&url).ok_or_else(flaw)?;
    let is_address = host.parse::<std::net::IpAddr>().is_ok();
    if text.contains(['/', '?', '#', '@']) || !(is_address || syntax::address(host).is_ok()) {
        return Err(flaw());
    }
    Ok(text.to_owned())
}

fn ttl(text: &str) -> Result<u32, Flaw> {
    // RFC 2181, section 8.
    match text.parse::<u32>() {
        Ok(seconds) if (1..=0x7fff_ffff).contains(&seconds) => Ok(seconds),
        _ => Err(Flaw::new(format!("{} is no number of seconds", quote(text))).help("write it like `60`")),
    }
}
