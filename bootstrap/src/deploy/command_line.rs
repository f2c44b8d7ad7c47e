//! Command lines for the login's shell on a host: the one place that makes them.

/// Gets root before it runs another script; answers in lines that start with `garboard: `. Its first argument is the
/// prompt that sudo is to show, empty if sudo is not to ask.
const AS_ROOT: &str = include_str!("as_root.sh");

/// A command line that any login shell reads as exactly these words.
pub fn command_line<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().map(quote).collect::<Vec<_>>().join(" ")
}

/// A command line that runs `script` (POSIX sh) as root, with these arguments. sudo asks with `prompt`; if that is empty,
/// it does not ask.
pub(super) fn as_root(prompt: &str, script: &str, arguments: &[&str]) -> String {
    let (as_root, script) = (one_line(AS_ROOT), one_line(script));
    let words = ["sh", "-c", &as_root, "garboard", prompt, &script];
    command_line(words.into_iter().chain(arguments.iter().copied()))
}

/// The scripts end every command with `;` or a keyword, so that they need no line breaks: csh takes none in quotes.
fn one_line(script: &str) -> String {
    script.lines().map(str::trim).collect::<Vec<_>>().join(" ")
}

fn quote(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=@%+,".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::{as_root, command_line, one_line};

    #[test]
    fn every_word_arrives_as_it_was() {
        let words = [
            "", " ", "a b", "it's", "''", "$HOME", "`id`", "\\", "a\\'b", "*", "~", "-n", "ä\n", "\"", "#x",
            "!!", ";&|",
        ];
        let line = command_line(["printf", r"%s\0"].into_iter().chain(words));
        let output = Command::new("sh").arg("-c").arg(&line).output().unwrap();
        let arrived = String::from_utf8(output.stdout).unwrap();
        let mut arrived: Vec<_> = arrived.split('\0').collect();
        assert_eq!(arrived.pop(), Some(""));
        assert_eq!(arrived, words);
    }

    #[test]
    fn words_that_need_no_quotes_have_none() {
        let line = command_line(["/var/lib/garboard/agent-0a", "pipe", "127.0.0.1:6443"]);
        assert_eq!(line, "/var/lib/garboard/agent-0a pipe 127.0.0.1:6443");
    }

    #[test]
    fn scripts_hold_nothing_that_other_login_shells_read_differently() {
        for script in
            [super::AS_ROOT, include_str!("log_in.sh"), include_str!("pipe.sh"), include_str!("push.sh")]
        {
            let line = one_line(script);
            for character in ['\n', '!', '\\', '\''] {
                assert!(!line.contains(character), "{character:?} in {line}");
            }
            assert!(Command::new("sh").arg("-n").arg("-c").arg(&line).status().unwrap().success(), "{line}");
        }
    }

    #[test]
    fn a_script_run_as_root_gets_its_arguments() {
        let line = as_root("", r#"echo "$0|$1|$2";"#, &["a b", "it's"]);
        let output = Command::new("sh").arg("-c").arg(&line).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        // The tests of this crate also run without root; then sudo has its say.
        if nix::unistd::Uid::effective().is_root() {
            assert_eq!(text, "root|a b|it's\n");
        } else {
            let refused = text.is_empty() || text == "garboard: sudo-absent\n";
            assert!(refused || text == "sudo|a b|it's\n", "{text}");
        }
    }
}
