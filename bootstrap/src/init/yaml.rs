//! Values as YAML reads them back.

use std::net::Ipv4Addr;

use garboard_inventory::SecretReference;
use ipnet::Ipv4Net;

/// One text as a scalar that every reader of YAML takes for this text: `on`, `1e3` and `null` in quotes.
pub(super) fn scalar(text: &str) -> String {
    // The library writes these with quotes, and nobody else does.
    let is_network = text.parse::<Ipv4Addr>().is_ok() || text.parse::<Ipv4Net>().is_ok();
    // Less than YAML allows, so that it holds inside `[…]` and `{…}` too.
    let simple = |character: char| character.is_ascii_alphanumeric() || "-._~/@:+=".contains(character);
    let plain = serde_saphyr::to_string(&text).is_ok_and(|written| written.trim_end() == text);
    // YAML 1.1 has more words for true and false, and numbers with `:` and `_`; editors know them.
    let is_word = ["y", "n", "yes", "no", "on", "off"].contains(&text.to_ascii_lowercase().as_str());
    let is_number = text.starts_with(|first: char| first.is_ascii_digit() || "+-.=".contains(first));
    let is_bare = plain && text.chars().all(simple) && !is_word && !is_number && !text.ends_with(':');
    if is_network || is_bare { text.to_owned() } else { quoted(text) }
}

/// In double quotes, by the rules of JSON, which are YAML's as well.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// One scalar, or a list of several.
pub(super) fn one_or_list(texts: &[String]) -> String {
    match texts {
        [one] => scalar(one),
        several => list(several),
    }
}

fn list(texts: &[String]) -> String {
    format!("[{}]", texts.iter().map(|text| scalar(text)).collect::<Vec<_>>().join(", "))
}

/// `{ env: NAME }` and its like.
pub(super) fn reference(reference: &SecretReference) -> String {
    match reference {
        SecretReference::Env(name) => format!("{{ env: {} }}", scalar(name)),
        SecretReference::File(path) => format!("{{ file: {} }}", scalar(&path.to_string_lossy())),
        SecretReference::Command(words) => format!("{{ command: {} }}", list(words)),
    }
}

#[cfg(test)]
mod tests {
    use super::scalar;

    #[test]
    fn whatever_is_written_is_read_back() {
        for text in [
            "on",
            "No",
            "y",
            "null",
            "~",
            "1e3",
            "0x1f",
            "007",
            "1_000",
            "12:30:45",
            "-",
            "-a",
            "- a",
            "a: b",
            "a #b",
            "#a",
            "a,b",
            "[a]",
            "{a}",
            "&a",
            "*a",
            "!a",
            "|",
            ">",
            "%a",
            "@a",
            "`a",
            "'a'",
            "\"a\"",
            "a\\b",
            "a\nb",
            "a\tb",
            "",
            " a ",
            "ü",
            "a:",
            ".inf",
            "=",
            "<<",
            "2026-01-01",
            "node1",
        ] {
            let written = scalar(text);
            let flow = format!("{{ key: {written}, other: [{written}, {written}] }}");
            for document in [format!("key: {written}\nother: [{written}]\n"), flow] {
                let read: serde_json::Value = serde_saphyr::from_str(&document).unwrap();
                assert_eq!(read["key"], text, "{document}");
                assert_eq!(read["other"][0], text, "{document}");
            }
            let key: serde_json::Value = serde_saphyr::from_str(&format!("{written}: 1\n")).unwrap();
            assert_eq!(key[text], 1, "{written}");
        }
    }

    #[test]
    fn what_needs_no_quotes_has_none() {
        for text in ["cp1", "192.168.1.11", "10.96.0.0/12", "~/.ssh/id_ed25519", "pi.local", "SUDO_PASSWORD"]
        {
            assert_eq!(scalar(text), text);
        }
        for text in ["on", "1e3", "null", "no", "12", "y", "~"] {
            assert_eq!(scalar(text), format!("\"{text}\""));
        }
    }
}
