//! Text that somebody else wrote, made harmless for a terminal.

/// Text from elsewhere (a host, a file, an upstream) with everything escaped that is not seen as what it is, so that
/// nobody but us drives the user's terminal or reorders what it shows. Line ends and tabs stay.
///
/// Escaped are control characters (C0, DEL, C1: all of ANSI begins with one), marks that change the direction of text
/// (Unicode Standard Annex 9, "Trojan Source"), line and paragraph separators, invisible characters and tags.
pub fn harmless(text: &str) -> String {
    escaped(text, |character| is_harmful(character) && !matches!(character, '\n' | '\t'))
}

/// The same for a place where only one line belongs: a line end of somebody else's would look like a line of ours.
pub fn one_line(text: &str) -> String {
    escaped(text.trim_end(), is_harmful)
}

/// Whether a character must not reach a terminal or a page as it is.
pub fn is_harmful(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

fn escaped(text: &str, is_escaped: impl Fn(char) -> bool) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut safe, character| {
        if is_escaped(character) {
            safe.extend(character.escape_default());
        } else {
            safe.push(character);
        }
        safe
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn escape_sequences_of_a_host_do_not_reach_the_terminal() {
        assert_eq!(super::harmless("a\u{1b}[2Jb\n\tc\u{7}"), "a\\u{1b}[2Jb\n\tc\\u{7}");
        assert_eq!(super::harmless("\u{9b}2J\r\u{7f}"), "\\u{9b}2J\\r\\u{7f}");
    }

    #[test]
    fn marks_that_reorder_or_hide_text_are_shown_as_what_they_are() {
        assert_eq!(super::harmless("a\u{202e}b\u{2066}c\u{200b}d"), "a\\u{202e}b\\u{2066}c\\u{200b}d");
        assert_eq!(super::harmless("Größe → 木"), "Größe → 木");
    }

    #[test]
    fn a_line_end_from_elsewhere_makes_no_line_of_ours() {
        assert_eq!(super::one_line("full\nw2  ok\n"), "full\\nw2  ok");
    }
}
