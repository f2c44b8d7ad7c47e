//! What the steps of a host hold: texts, files, images.

use std::collections::BTreeMap;

use garboard_protocol::limits::INLINE_BYTES;
use garboard_protocol::step::{Blob, File, ImageSource};

use super::{Renderer, Unrendered};
use crate::artifact::CARRIED;
use crate::diagnostic::Fault;
use crate::file::Spanned;
use crate::lacking::Pinned;
use crate::late::first_line;
use crate::template::Text;

impl Renderer<'_> {
    /// What a template gives on this host.
    pub(super) fn text(&self, text: &Text) -> Result<String, Fault> {
        self.site.templates.render(text, self.context)
    }

    /// A file's text; what would not fit into a step is said here, not on the host.
    pub(super) fn content(&self, text: &Text) -> Result<String, Fault> {
        let content = self.text(text)?;
        if content.len() > INLINE_BYTES {
            let message =
                format!("this gives {} bytes, and a step carries at most {INLINE_BYTES}", content.len());
            return Err(Fault::new(text.span, message));
        }
        Ok(content)
    }

    /// The text of a table: of this one, and of nothing else.
    pub(super) fn table(&self, table: &str, text: &Text) -> Result<String, Fault> {
        let rules = self.content(text)?;
        let begins = rules.trim_start().starts_with(&format!("table {table} {{"));
        let ends = rules.trim_end().ends_with("\n}");
        // A line without an indent is the beginning of something, or its end.
        let outermost =
            rules.lines().filter(|line| line.starts_with(|one: char| !one.is_whitespace())).count();
        if begins && ends && outermost == 2 {
            return Ok(rules);
        }
        let message = format!("this gives not one table `{table}` and nothing else");
        Err(Fault::new(text.span, message)
            .help(format!("`table {table} {{`, its content indented, and `}}`")))
    }

    /// The lock's file for this host's architecture.
    pub(super) fn file(&self, name: &Spanned<String>) -> Result<Blob, Unrendered> {
        self.pinned(&self.scene.inputs.artifacts.files, name).copied().ok_or_else(|| {
            let is_carried = CARRIED.contains(&name.value.as_str());
            let what = if is_carried { Pinned::Carried } else { Pinned::File };
            Unrendered::Lacking(vec![(what, name.value.clone())])
        })
    }

    /// The lock's images for this host's architecture.
    pub(super) fn images(&self, names: &[Spanned<String>]) -> Result<Vec<ImageSource>, Unrendered> {
        let mut images = Vec::new();
        let mut lacking = Vec::new();
        for name in names {
            match self.pinned(&self.scene.inputs.artifacts.images, name) {
                Some(image) => images.push(image.clone()),
                None => lacking.push((Pinned::Image, name.value.clone())),
            }
        }
        if lacking.is_empty() { Ok(images) } else { Err(Unrendered::Lacking(lacking)) }
    }

    fn pinned<'b, T>(
        &self,
        artifacts: &'b BTreeMap<String, BTreeMap<String, T>>,
        name: &Spanned<String>,
    ) -> Option<&'b T> {
        artifacts.get(&name.value)?.get(&self.facts.architecture)
    }

    /// A file for each entry of the mapping that a template gives, by name.
    pub(super) fn files(&self, folder: &str, text: &Text, mode: u32) -> Result<Vec<(String, File)>, Fault> {
        let given = self.content(text)?;
        let entries: Option<BTreeMap<String, String>> = serde_saphyr::from_str(&given).map_err(|error| {
            let why = first_line(&error);
            Fault::new(text.span, format!("this template gives no mapping from names to texts: {why}"))
        })?;
        entries
            .unwrap_or_default()
            .into_iter()
            .map(|(name, content)| {
                if name.is_empty() || name.starts_with('.') || name.contains(['/', '\0', '\n']) {
                    let message =
                        format!("this template gives `{}`, which is no file's name", name.escape_debug());
                    return Err(Fault::new(text.span, message));
                }
                let path = format!("{folder}/{name}");
                Ok((name, File { path, content, mode, secret: false }))
            })
            .collect()
    }
}
