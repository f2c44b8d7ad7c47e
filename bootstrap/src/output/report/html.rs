//! Pieces of HTML that are safe to join: text is made harmless and escaped on its way in, by nobody else.

use std::fmt::{self, Write as _};

use crate::output::text;

/// A piece of HTML.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Html(String);

impl Html {
    /// Markup of our own.
    pub(super) fn markup(markup: &'static str) -> Self {
        Self(markup.to_owned())
    }

    /// Text from wherever.
    pub(super) fn text(text: &str) -> Self {
        let mut out = String::with_capacity(text.len());
        for character in text::harmless(text).chars() {
            match character {
                '&' => out.push_str("&amp;"),
                '<' => out.push_str("&lt;"),
                '>' => out.push_str("&gt;"),
                '"' => out.push_str("&quot;"),
                '\'' => out.push_str("&#39;"),
                other => out.push(other),
            }
        }
        Self(out)
    }

    /// `<NAME CLASS>content</NAME>`; no class where it is empty.
    pub(super) fn element(name: &'static str, class: &'static str, content: impl Into<Self>) -> Self {
        let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
        Self(format!("<{name}{class}>{}</{name}>", content.into().0))
    }

    /// Text in an element.
    pub(super) fn words(name: &'static str, class: &'static str, words: &str) -> Self {
        Self::element(name, class, Self::text(words))
    }

    /// Adds a piece.
    pub(super) fn push(&mut self, piece: impl Into<Self>) {
        self.0.push_str(&piece.into().0);
    }

    /// Adds a piece on a line of its own.
    pub(super) fn line(&mut self, piece: impl Into<Self>) {
        self.push(piece);
        self.0.push('\n');
    }

    /// A bar of a chart, from and to percents of the width, with words for who points at it.
    pub(super) fn bar(class: &'static str, from: f64, width: f64, words: &str) -> Self {
        let mut out = String::new();
        let words = Self::text(words);
        let _ = write!(
            out,
            "<i class=\"{class}\" style=\"left:{from:.2}%;width:{width:.2}%\" title=\"{words}\"></i>"
        );
        Self(out)
    }
}

impl From<&'static str> for Html {
    fn from(markup: &'static str) -> Self {
        Self::markup(markup)
    }
}

impl FromIterator<Html> for Html {
    fn from_iter<Pieces: IntoIterator<Item = Self>>(pieces: Pieces) -> Self {
        Self(pieces.into_iter().map(|piece| piece.0).collect())
    }
}

impl fmt::Display for Html {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Html;

    #[test]
    fn text_brings_no_markup_and_no_control_characters() {
        let evil = Html::words("p", "", "<script>\"'&\u{1b}]0;evil\u{7}\u{202e}").to_string();
        assert_eq!(evil, "<p>&lt;script&gt;&quot;&#39;&amp;\\u{1b}]0;evil\\u{7}\\u{202e}</p>");
    }
}
