//! How text looks: with or without colour, with ASCII or with other marks. Whatever is painted is made harmless first.

use anstyle::{AnsiColor, Style};

use garboard_inventory::one_line;

/// What a piece of text is, for its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    /// Like all text.
    Plain,
    /// A name to find again.
    Strong,
    /// Of less weight than the rest.
    Faint,
    /// Done, or the way out.
    Good,
    /// Worth a look.
    Warning,
    /// Failed.
    Bad,
}

/// What a line is about, told by its first character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// Something was changed.
    Changed,
    /// Nothing had to be.
    Unchanged,
    /// Something begins.
    Begins,
    /// Something is waited for.
    Waits,
    /// Something failed.
    Failed,
}

/// The means at hand; by default none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Paint {
    /// Whether colours are shown.
    pub colour: bool,
    /// Whether characters beyond ASCII are.
    pub utf8: bool,
}

impl Paint {
    /// A piece of one line, made harmless, in its colour.
    pub fn ink(self, ink: Ink, text: &str) -> String {
        // Spaces at the end set columns apart; all else that cannot be seen is somebody else's.
        let padding = text.len() - text.trim_end_matches(' ').len();
        let text = one_line(text) + &" ".repeat(padding);
        let style = ink.style();
        if self.colour && !style.is_plain() && !text.trim().is_empty() {
            format!("{style}{text}{style:#}")
        } else {
            text
        }
    }

    /// A mark.
    pub fn mark(self, mark: Mark) -> String {
        let (ascii, other, ink) = match mark {
            Mark::Changed => ("+", "\u{2713}", Ink::Good),
            Mark::Unchanged => ("=", "=", Ink::Faint),
            Mark::Begins => (">", "\u{203a}", Ink::Faint),
            Mark::Waits => ("~", "~", Ink::Warning),
            Mark::Failed => ("!", "\u{2717}", Ink::Bad),
        };
        self.ink(ink, if self.utf8 { other } else { ascii })
    }

    /// The pictures of a moving line, the last one for when it has come to rest.
    pub fn spinner(self) -> &'static str {
        if self.utf8 {
            "\u{280b}\u{2819}\u{2839}\u{2838}\u{283c}\u{2834}\u{2826}\u{2827}\u{2807}\u{280f} "
        } else {
            "-\\|/ "
        }
    }
}

impl Ink {
    fn style(self) -> Style {
        match self {
            Self::Plain => Style::new(),
            Self::Strong => Style::new().bold(),
            Self::Faint => Style::new().dimmed(),
            Self::Good => AnsiColor::Green.on_default(),
            Self::Warning => AnsiColor::Yellow.on_default(),
            Self::Bad => AnsiColor::Red.on_default().bold(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Ink, Mark, Paint};

    #[test]
    fn without_utf8_every_mark_is_ascii() {
        let marks = [Mark::Changed, Mark::Unchanged, Mark::Begins, Mark::Waits, Mark::Failed];
        assert!(marks.iter().all(|mark| Paint::default().mark(*mark).is_ascii()));
        assert!(Paint::default().spinner().is_ascii());
    }

    #[test]
    fn painted_text_brings_no_escape_sequences_of_its_own() {
        let paint = Paint { colour: true, utf8: true };
        assert_eq!(
            paint.ink(Ink::Bad, "\u{1b}]0;evil\u{7}"),
            "\u{1b}[1m\u{1b}[31m\\u{1b}]0;evil\\u{7}\u{1b}[0m"
        );
        assert_eq!(Paint::default().ink(Ink::Bad, "w1  "), "w1  ");
    }
}
