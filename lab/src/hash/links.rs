//! The links of a host, their addresses, routes and rules.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Fact, Run, says};
use crate::process::look_again_after;
use crate::{Error, Result};

/// Duplicate address detection of IPv6 takes a second or two after a link came up; routes appear with its end.
const SETTLED: Duration = Duration::from_secs(5);
/// How often we look whether it has ended.
const LOOK: Duration = Duration::from_millis(100);

/// One fact a link, address, route and rule.
pub(super) fn read(run: &Run) -> Result<Vec<Fact>> {
    wait_settled(run)?;
    let mut facts = Vec::new();
    for link in list(run, &["-details", "address", "show"])? {
        let name = text(&link, "ifname");
        let kind = text(&link["linkinfo"], "info_kind");
        let value = format!(
            "{kind} {} mtu {} {} master {} {}",
            text(&link, "address"),
            link["mtu"],
            link["flags"],
            text(&link, "master"),
            link["linkinfo"]["info_data"]
        );
        facts.push(Fact::new("link", name, value));
        for address in link["addr_info"].as_array().into_iter().flatten() {
            let value =
                format!("{}/{} {}", text(address, "local"), address["prefixlen"], text(address, "scope"));
            facts.push(Fact::new("address", name, value));
        }
    }
    for family in ["-4", "-6"] {
        for route in list(run, &[family, "route", "show", "table", "all"])? {
            let value = ["type", "gateway", "dev", "table", "protocol", "scope", "prefsrc", "metric"]
                .map(|field| format!("{field} {}", route[field]))
                .join(" ");
            facts.push(Fact::new("route", text(&route, "dst"), value));
        }
        for rule in list(run, &[family, "rule", "show"])? {
            facts.push(Fact::new("rule", family, rule.to_string()));
        }
    }
    Ok(facts)
}

/// Waits while an address is tentative.
fn wait_settled(run: &Run) -> Result<()> {
    let deadline = Instant::now() + SETTLED;
    while list(run, &["-6", "address", "show", "tentative"])?.iter().any(|link| link["addr_info"].is_array())
    {
        if Instant::now() > deadline {
            break;
        }
        look_again_after(LOOK);
    }
    Ok(())
}

fn list(run: &Run, arguments: &[&str]) -> Result<Vec<Value>> {
    let argv: Vec<&str> = ["ip", "-json"].iter().chain(arguments).copied().collect();
    let text = says(run, &argv)?;
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    serde_json::from_str(&text)
        .map_err(|error| Error::Refused { message: format!("`{}` gave no JSON: {error}", argv.join(" ")) })
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or("-")
}
