//! Moving lines at the foot of a terminal: one a host, in the inventory's order, cut to the terminal's width.

use std::collections::BTreeMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::paint::{Ink, Paint};

/// How often a line moves: it shows that the time goes on.
const TICK: Duration = Duration::from_millis(120);

/// The lines at the foot.
pub(super) struct Progress {
    all: MultiProgress,
    paint: Paint,
    order: Vec<String>,
    width: usize,
    lines: BTreeMap<usize, ProgressBar>,
}

impl Progress {
    /// On this terminal, without lines yet.
    pub(super) fn new(target: ProgressDrawTarget, paint: Paint) -> Self {
        let all = MultiProgress::with_draw_target(target);
        Self { all, paint, order: Vec::new(), width: 0, lines: BTreeMap::new() }
    }

    /// The names that lines will have, from top to bottom, and the width of the widest.
    pub(super) fn order(&mut self, names: Vec<String>, width: usize) {
        (self.order, self.width) = (names, width);
    }

    /// A line that stays, above those that move.
    pub(super) fn say(&self, line: &str) {
        let _ = self.all.println(line);
    }

    /// Changes the line of this name. `anew`: its time starts again.
    pub(super) fn show(&mut self, name: &str, message: String, anew: bool) {
        let line = self.line(name);
        if anew {
            line.reset_elapsed();
        }
        line.set_message(message);
    }

    /// Takes the line of this name away.
    pub(super) fn remove(&mut self, name: &str) {
        if let Some(line) = self.place(name).and_then(|place| self.lines.remove(&place)) {
            line.finish_and_clear();
        }
    }

    /// Takes all lines away.
    pub(super) fn clear(&mut self) {
        for (_, line) in std::mem::take(&mut self.lines) {
            line.finish_and_clear();
        }
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.order.iter().position(|known| known == name)
    }

    fn line(&mut self, name: &str) -> &ProgressBar {
        let place = self.place(name).unwrap_or_else(|| {
            self.order.push(name.to_owned());
            self.order.len() - 1
        });
        let above = self.lines.range(..place).count();
        let (all, paint, width) = (&self.all, self.paint, self.width);
        self.lines.entry(place).or_insert_with(|| {
            let line = all.insert(above, ProgressBar::new_spinner());
            let style = ProgressStyle::with_template("{spinner} {prefix} {elapsed:>4} {wide_msg}");
            line.set_style(
                style.unwrap_or_else(|_| ProgressStyle::default_spinner()).tick_chars(paint.spinner()),
            );
            line.set_prefix(paint.ink(Ink::Strong, &format!("{name:width$}")));
            line.enable_steady_tick(TICK);
            line
        })
    }
}
