//! The files of a site, and places in them.

use std::sync::Arc;

/// A file of a playbook as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SourceFile {
    /// Relative to the folder of the playbooks.
    pub(crate) path: String,
    pub(crate) text: Arc<str>,
}

/// All files of a site.
#[derive(Debug, Clone, Default)]
pub(crate) struct Files(Vec<SourceFile>);

impl Files {
    /// Adds one and gives its number.
    pub(crate) fn add(&mut self, path: &str, text: &str) -> usize {
        self.0.push(SourceFile { path: path.to_owned(), text: text.into() });
        self.0.len() - 1
    }

    pub(crate) fn get(&self, number: usize) -> &SourceFile {
        &self.0[number]
    }

    /// The number and the file of a path.
    pub(crate) fn find(&self, path: &str) -> Option<(usize, &SourceFile)> {
        self.0.iter().enumerate().find(|(_, file)| file.path == path)
    }

    /// All paths, in the order in which they were added.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|file| file.path.as_str())
    }
}

/// A range of bytes in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span {
    /// Number of the file.
    pub(crate) file: usize,
    /// Offset of the first byte.
    pub(crate) start: usize,
    /// Offset behind the last byte.
    pub(crate) end: usize,
}

/// A value and where it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spanned<T> {
    pub(crate) value: T,
    pub(crate) span: Span,
}
