//! The user's kubeconfig: one context of ours, everything else in the file untouched.
//!
//! The file is edited line by line, so that comments and spacing stay; the result is read back and must be exactly the
//! old document with our three entries. Where it is not (a file in JSON or flow style), the document is written anew:
//! every key and value in its order, without its comments, which the backup keeps.

mod error;
mod file;
mod lines;
mod tree;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use garboard_protocol::event::AdminCredentials;

pub use error::KubeconfigError;
pub use file::{Merged, default_path, merge_into};

use tree::Tree;

/// The lists of a kubeconfig and what holds an entry's content.
const LISTS: [(&str, &str); 3] = [("clusters", "cluster"), ("contexts", "context"), ("users", "user")];

/// A kubeconfig with the one context of a cluster; context, cluster and user all carry the cluster's name.
pub struct Kubeconfig {
    name: String,
    /// Beside `LISTS`.
    entries: [Tree; 3],
}

impl Kubeconfig {
    /// For the cluster `name` whose API is at `server` (`https://ADDRESS:PORT`; the address has to be in the
    /// certificate).
    pub fn of(name: &str, server: &str, credentials: &AdminCredentials) -> Self {
        let data = |text: &str| Tree::text(STANDARD.encode(text));
        let contents = [
            Tree::map([
                ("certificate-authority-data", data(&credentials.certificate_authority)),
                ("server", Tree::text(server)),
            ]),
            Tree::map([("cluster", Tree::text(name)), ("user", Tree::text(name))]),
            Tree::map([
                ("client-certificate-data", data(&credentials.certificate)),
                ("client-key-data", data(credentials.key.expose())),
            ]),
        ];
        let mut kinds = LISTS.iter();
        let entries = contents.map(|content| {
            let kind = kinds.next().map_or("", |(_, kind)| kind);
            Tree::map([(kind, content), ("name", Tree::text(name))])
        });
        Self { name: name.to_owned(), entries }
    }

    /// From a kubeconfig that holds one context, as [`Kubeconfig::to_text`] gives it.
    pub fn parse(text: &str) -> Result<Self, KubeconfigError> {
        let tree = read("the cluster's kubeconfig", text)?;
        let first = |list: &str| match tree.get(list) {
            Some(Tree::List(items)) => items.first().cloned(),
            _ => None,
        };
        let lacks = || KubeconfigError::Content {
            file: "the cluster's kubeconfig".to_owned(),
            reason: "it has no cluster, context or user".to_owned(),
        };
        let entries = [
            first("clusters").ok_or_else(lacks)?,
            first("contexts").ok_or_else(lacks)?,
            first("users").ok_or_else(lacks)?,
        ];
        let name = entries[1].get("name").and_then(Tree::as_text).ok_or_else(lacks)?.to_owned();
        Ok(Self { name, entries })
    }

    /// The context's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its text.
    pub fn to_text(&self) -> String {
        let mut entries = vec![
            ("apiVersion".to_owned(), Tree::text("v1")),
            ("kind".to_owned(), Tree::text("Config")),
            ("current-context".to_owned(), Tree::text(&self.name)),
        ];
        let lists = LISTS.iter().zip(&self.entries);
        entries.extend(lists.map(|((list, _), entry)| ((*list).to_owned(), Tree::List(vec![entry.clone()]))));
        serde_saphyr::to_string(&Tree::Map(entries)).expect("texts, lists and maps can always be written")
    }

    /// `existing` (the text of a kubeconfig called `file`, perhaps empty) with this context in it. An older context,
    /// cluster and user of the same name are replaced; all others stay. It becomes the current context only where
    /// there is none.
    pub fn merge(&self, file: &str, existing: &str) -> Result<String, KubeconfigError> {
        let old = read(file, existing)?;
        let wanted = self.merged(file, &old)?;
        if let Some(text) = self.edited(existing, &old)
            && read(file, &text).is_ok_and(|edited| edited == wanted)
        {
            return Ok(text);
        }
        serde_saphyr::to_string(&wanted)
            .map_err(|error| KubeconfigError::Content { file: file.to_owned(), reason: error.to_string() })
    }

    /// What the document has to be: the truth that the edited text is held against.
    fn merged(&self, file: &str, old: &Tree) -> Result<Tree, KubeconfigError> {
        let wrong = |reason: String| KubeconfigError::Content { file: file.to_owned(), reason };
        let mut entries = match old {
            Tree::Null => Vec::new(),
            Tree::Map(entries) => entries.clone(),
            _ => return Err(wrong("it is no YAML mapping".to_owned())),
        };
        for (key, value) in [("apiVersion", "v1"), ("kind", "Config")] {
            let at = Tree::entry(&mut entries, key);
            match &entries[at].1 {
                Tree::Null => entries[at].1 = Tree::text(value),
                Tree::Text(found) if found == value => {}
                _ => return Err(wrong(format!("its `{key}` is not `{value}`"))),
            }
        }
        for ((list, _), entry) in LISTS.iter().zip(&self.entries) {
            let at = Tree::entry(&mut entries, list);
            let items = match &entries[at].1 {
                Tree::Null => Vec::new(),
                Tree::List(items) => items.clone(),
                _ => return Err(wrong(format!("its `{list}` is no list"))),
            };
            entries[at].1 = Tree::List(self.placed(items, entry));
        }
        if names_no_current(old) {
            let at = Tree::entry(&mut entries, "current-context");
            entries[at].1 = Tree::text(&self.name);
        }
        Ok(Tree::Map(entries))
    }

    /// `items` with ours in the place of the first of its name, else at the end.
    fn placed(&self, items: Vec<Tree>, entry: &Tree) -> Vec<Tree> {
        let mut placed = Vec::new();
        let mut done = false;
        for item in items {
            if item.get("name").and_then(Tree::as_text) != Some(&self.name) {
                placed.push(item);
            } else if !done {
                placed.push(entry.clone());
                done = true;
            }
        }
        if !done {
            placed.push(entry.clone());
        }
        placed
    }

    /// The same by editing the text, where that can be done.
    fn edited(&self, existing: &str, old: &Tree) -> Option<String> {
        let mut text = existing.to_owned();
        for (key, value) in [("apiVersion", "v1"), ("kind", "Config")] {
            if old.get(key).is_none_or(|found| *found == Tree::Null) {
                text = lines::set(&text, key, value)?;
            }
        }
        for ((list, _), entry) in LISTS.iter().zip(&self.entries) {
            text = lines::put(&text, list, &self.name, entry)?;
        }
        if names_no_current(old) {
            text = lines::set(&text, "current-context", &self.name)?;
        }
        Some(text)
    }
}

/// Whether the document has no current context.
fn names_no_current(old: &Tree) -> bool {
    old.get("current-context").and_then(Tree::as_text).is_none_or(str::is_empty)
}

/// Reads a kubeconfig; an empty text is an empty document.
fn read(file: &str, text: &str) -> Result<Tree, KubeconfigError> {
    if text.trim().is_empty() {
        return Ok(Tree::Null);
    }
    serde_saphyr::from_str(text).map_err(|error| {
        let (line, column) = error.location().map_or((1, 1), |at| (at.line(), at.column()));
        // The excerpt, which may hold keys, stays out.
        let reason = error.without_snippet().to_string();
        let reason = reason.lines().next().unwrap_or_default();
        let reason = reason.split(" at line ").next().unwrap_or_default();
        KubeconfigError::Content { file: format!("{file}:{line}:{column}"), reason: reason.to_owned() }
    })
}
