//! Texts of steps: written out, or with variables; names of templates and artifacts.

use super::Reader;
use crate::diagnostic::{Fault, suggestion};
use crate::file::Spanned;
use crate::template::Text;
use crate::yaml::Node;

impl Reader<'_> {
    /// A text without variables: what a step claims must be seen before any host is.
    pub(crate) fn literal(&mut self, node: &Node, expected: &str) -> Option<Spanned<String>> {
        let text = node.text(expected, self.faults)?;
        if text.value.contains("{{") || text.value.contains("{%") {
            let fault = Fault::new(text.span, "this text must be written out, without variables");
            self.faults.push(
                fault.help("what a playbook writes is compared with the others before any host is reached"),
            );
            return None;
        }
        Some(text)
    }

    /// An absolute path without variables.
    pub(crate) fn path(&mut self, node: &Node) -> Option<Spanned<String>> {
        let path = self.literal(node, "an absolute path")?;
        let clean = path.value.strip_prefix('/').is_some_and(|rest| {
            rest.split('/').all(|part| !matches!(part, "" | "." | "..")) && !rest.contains('\0')
        });
        if !clean {
            let message = format!("`{}` is not a plain absolute path", path.value);
            self.faults.push(
                Fault::new(path.span, message)
                    .help("it starts with `/`, ends without one, and holds no `..`"),
            );
            return None;
        }
        Some(path)
    }

    /// A text with variables.
    pub(crate) fn inline(&mut self, node: &Node, expected: &str) -> Option<Text> {
        let text = node.text(expected, self.faults)?;
        Some(self.templates.inline(&text.value, text.span, self.faults))
    }

    /// The name of a file in `templates/`.
    pub(crate) fn template(&mut self, node: &Node) -> Option<Text> {
        let name = node.text("the name of a file in `templates/`", self.faults)?;
        if name.value.contains('/') {
            let message = format!("`{}` is not the name of a file in `templates/`", name.value);
            let help = "a playbook's templates lie directly in its folder `templates`, and nowhere else";
            self.faults.push(Fault::new(name.span, message).help(help));
            return None;
        }
        let folder = format!("{}/templates/", self.folder);
        let path = format!("{folder}{}", name.value);
        let Some((number, file)) = self.files.find(&path) else {
            let there: Vec<&str> = self.files.paths().filter_map(|path| path.strip_prefix(&folder)).collect();
            let mut fault = Fault::new(name.span, format!("there is no template `{path}`"));
            if let Some(help) = suggestion(&name.value, there) {
                fault = fault.help(help);
            }
            self.faults.push(fault);
            return None;
        };
        Some(self.templates.file(number, &path, &file.text, name.span, self.faults))
    }

    /// One of the names of the lock.
    pub(crate) fn artifact(&mut self, node: &Node, what: &str, known: &[&str]) -> Option<Spanned<String>> {
        let name = node.text(&format!("the name of {what} in the lock"), self.faults)?;
        if !known.contains(&name.value.as_str()) {
            let mut fault = Fault::new(name.span, format!("the lock has no {what} `{}`", name.value));
            if let Some(help) = suggestion(&name.value, known.iter().copied()) {
                fault = fault.help(help);
            }
            self.faults.push(fault);
            return None;
        }
        Some(name)
    }

    /// A number of seconds, at least one.
    pub(crate) fn seconds(&mut self, node: &Node) -> Option<u64> {
        let text = node.text("a number of seconds", self.faults)?;
        match text.value.parse::<u64>() {
            Ok(seconds) if (1..=86_400).contains(&seconds) => Some(seconds),
            _ => {
                let message = format!("expected a number of seconds from 1 to 86400, found `{}`", text.value);
                self.faults.push(Fault::new(text.span, message));
                None
            }
        }
    }

    /// One of a few words.
    pub(crate) fn word<'w>(&mut self, node: &Node, words: &[&'w str]) -> Option<&'w str> {
        let expected = format!("`{}`", words.join("` or `"));
        let text = node.text(&expected, self.faults)?;
        let found = words.iter().find(|word| **word == text.value).copied();
        if found.is_none() {
            self.faults.push(Fault::new(text.span, format!("expected {expected}, found `{}`", text.value)));
        }
        found
    }
}
