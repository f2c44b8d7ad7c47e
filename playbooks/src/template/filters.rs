//! Filters of our own: `yaml`, `sh`, `b64`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tera::{Kwargs, State, Tera, TeraResult, Value};

pub(super) fn register(engine: &mut Tera) {
    engine.register_filter("yaml", yaml_filter);
    engine.register_filter("sh", |text: &str, _: Kwargs, _: &State| sh(text));
    engine.register_filter("b64", |text: &str, _: Kwargs, _: &State| STANDARD.encode(text));
}

fn yaml_filter(value: &Value, _: Kwargs, _: &State) -> TeraResult<String> {
    let value = serde_json::to_value(value).map_err(|error| tera::Error::message(error.to_string()))?;
    Ok(yaml(&value))
}

/// Any value as YAML in one line: text in double quotes, lists and mappings in flow style.
///
/// JSON is YAML, but for characters that YAML does not count as printable: those are escaped.
fn yaml(value: &serde_json::Value) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    for character in value.to_string().chars() {
        let printable = !matches!(
            character,
            '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
        );
        if printable {
            text.push(character);
        } else {
            let _ = write!(text, "\\u{:04x}", u32::from(character));
        }
    }
    text
}

/// One word of a POSIX shell, whatever is in it.
fn sh(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{register, sh, yaml};

    /// Words that YAML would take for something else, or that would end a quote.
    const NASTY: [&str; 10] = [
        "no",
        "1e3",
        "null",
        "a: b # c",
        "\"",
        "'",
        "\\",
        "tab\tnew\nline",
        "\u{85}\u{7f}\u{feff}",
        "{{ x }}",
    ];

    #[test]
    fn yaml_of_any_text_reads_back_as_that_text() {
        for text in NASTY {
            let document = format!("[{}]", yaml(&json!(text)));
            let read: Vec<String> = serde_saphyr::from_str(&document).unwrap();
            assert_eq!(read, [text], "{document}");
        }
    }

    #[test]
    fn yaml_of_lists_and_numbers_is_flow_style() {
        assert_eq!(yaml(&json!({"a": [1, true, null, "x"]})), r#"{"a":[1,true,null,"x"]}"#);
    }

    #[test]
    fn sh_of_any_text_is_one_word_to_a_shell() {
        for text in NASTY.iter().chain(&["$HOME `id` $(id) *", ""]) {
            let output = std::process::Command::new("/bin/sh")
                .args(["-c", &format!("printf %s {}", sh(text))])
                .output()
                .unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), **text);
        }
    }

    #[test]
    fn filters_work_in_templates() {
        let mut engine = tera::Tera::default();
        register(&mut engine);
        engine
            .add_raw_template("t", "{{ x | yaml }} {{ x | sh }} {{ x | b64 }} {v: {{ n | yaml }}}")
            .unwrap();
        let context = tera::Context::from_serialize(&json!({"x": "a'b", "n": [1]})).unwrap();
        assert_eq!(engine.render("t", &context).unwrap(), r#""a'b" 'a'\''b' YSdi {v: [1]}"#);
    }
}
