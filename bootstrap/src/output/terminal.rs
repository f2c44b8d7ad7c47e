//! What the other end of standard error can show: decided once, from the flags and the environment.

use std::ffi::OsString;
use std::io::IsTerminal as _;

use super::paint::Paint;

/// A terminal, or what stands in for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Terminal {
    /// Whether lines can be drawn over.
    pub moving: bool,
    /// Colours and marks.
    pub paint: Paint,
}

impl Terminal {
    /// Standard error's.
    pub fn of_standard_error(no_colour: bool) -> Self {
        Self::of(std::io::stderr().is_terminal(), no_colour, |name| std::env::var_os(name))
    }

    /// From what is known. Rules: no colour and nothing moving without a terminal or on `TERM=dumb`; no colour with
    /// `--no-color` or `NO_COLOR` set to anything (<https://no-color.org>); only ASCII unless the locale's character set is
    /// UTF-8 (`locale(7)`: the first of `LC_ALL`, `LC_CTYPE`, `LANG` that is set decides).
    pub fn of(is_terminal: bool, no_colour: bool, variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let can_move = is_terminal && set("TERM").is_some_and(|term| term != "dumb");
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set).unwrap_or_default();
        let locale = locale.to_string_lossy().to_lowercase();
        let colour = can_move && !no_colour && set("NO_COLOR").is_none();
        let utf8 = locale.contains("utf-8") || locale.contains("utf8");
        Self { moving: can_move, paint: Paint { colour, utf8 } }
    }
}

#[cfg(test)]
mod tests {
    use super::{Paint, Terminal};

    fn of(is_terminal: bool, no_colour: bool, environment: &[(&str, &str)]) -> (bool, bool, bool) {
        let Terminal { moving, paint: Paint { colour, utf8 } } =
            Terminal::of(is_terminal, no_colour, |name| {
                environment.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).into())
            });
        (moving, colour, utf8)
    }

    #[test]
    fn a_terminal_moves_and_has_colours_unless_somebody_says_otherwise() {
        let xterm = ("TERM", "xterm-256color");
        assert_eq!(of(true, false, &[xterm, ("LANG", "de_DE.UTF-8")]), (true, true, true));
        assert_eq!(of(true, true, &[xterm]), (true, false, false));
        assert_eq!(of(true, false, &[xterm, ("NO_COLOR", "1")]), (true, false, false));
        assert_eq!(of(true, false, &[xterm, ("NO_COLOR", "")]), (true, true, false));
        assert_eq!(of(true, false, &[("TERM", "dumb")]), (false, false, false));
        assert_eq!(of(true, false, &[]), (false, false, false));
        assert_eq!(of(false, false, &[xterm]), (false, false, false));
    }

    #[test]
    fn the_first_variable_that_is_set_decides_about_characters() {
        assert_eq!(of(false, false, &[("LC_ALL", "C"), ("LANG", "en_US.UTF-8")]), (false, false, false));
        assert_eq!(of(false, false, &[("LC_ALL", ""), ("LC_CTYPE", "C.utf8")]), (false, false, true));
    }
}
