//! Our own known-hosts file: what a person has confirmed. The user's is never written.

use std::io;
use std::path::{Path, PathBuf};

use russh::keys::ssh_key::known_hosts::HostPatterns;

use super::known_hosts::entry;
use super::pattern::{matches, names_host};

/// Our own known-hosts file.
#[derive(Debug, Clone)]
pub struct Record {
    path: PathBuf,
}

impl Record {
    /// At this path, in a folder that is there.
    pub fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes `public_key` the only key of the host with these names, as they stand in such files; other hosts' lines and
    /// `@` lines stay. Written wholly or not at all, mode 0600.
    pub fn pin(&self, names: &[String], public_key: &str) -> io::Result<()> {
        let before = match fs_err::read_to_string(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            read => read?,
        };
        let mut after: String =
            before.lines().filter_map(|line| without(line, names)).map(|line| line + "\n").collect();
        after.extend([names.join(",").as_str(), " ", public_key, "\n"]);
        crate::state::private_file::write_privately(&self.path, after.as_bytes())
    }
}

/// A line as it is when it says nothing of these hosts any more; `None` when nothing is left of it.
fn without(line: &str, names: &[String]) -> Option<String> {
    let whole = Some(line.to_owned());
    let Some(found) = entry(line.trim()) else { return whole };
    if found.marker().is_some() || !names.iter().any(|name| names_host(found.host_patterns(), name)) {
        return whole;
    }
    let HostPatterns::Patterns(patterns) = found.host_patterns() else { return None };
    let is_name = |pattern: &&String| names.contains(&pattern.to_lowercase());
    let mut left: Vec<_> = patterns.iter().filter(|pattern| !is_name(pattern)).cloned().collect();
    if left.iter().all(|pattern| pattern.starts_with('!')) {
        return None;
    }
    // What is left may still cover them, with a wildcard.
    let covered = |name: &&String| left.iter().any(|pattern| matches(&pattern.to_lowercase(), name));
    let exceptions: Vec<_> = names.iter().filter(covered).map(|name| format!("!{name}")).collect();
    left.extend(exceptions);
    let rest = line.trim().split_once(char::is_whitespace)?.1;
    Some(format!("{} {rest}", left.join(",")))
}

#[cfg(test)]
mod tests {
    use super::Record;

    const OLD: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
    const NEW: &str = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBJItnwwC8ymueEPKdgtiLj37aZf2m4Jl3CZ5nUMYU/23SUIe8efFJYdkuX8BR4Xc5ZzJy9g/lQ7HXSU3rxM+hn0=";

    fn pinned(before: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("known_hosts");
        fs_err::write(&path, before).unwrap();
        let names = ["[10.0.0.1]:2222", "[cp1.lan]:2222"].map(str::to_owned);
        Record::at(path.clone()).pin(&names, NEW).unwrap();
        fs_err::read_to_string(path).unwrap()
    }

    #[test]
    fn the_new_key_takes_the_place_of_all_others_of_the_host_and_of_nothing_else() {
        let ours = format!("[10.0.0.1]:2222,[cp1.lan]:2222 {NEW}\n");
        let others = format!("# mine\n\n10.0.0.1 {OLD}\n@revoked * {OLD}\ngarbage\n[w1.lan]:2222 {OLD}\n");
        for (before, kept) in [
            (String::new(), String::new()),
            (format!("{others}[10.0.0.1]:2222 {OLD}\n[CP1.lan]:2222 {OLD} old\n"), others.clone()),
            (format!("[10.0.0.1]:2222,other {OLD} both\n"), format!("other {OLD} both\n")),
            (format!("[10.0.0.*]:2222 {OLD}\n"), format!("[10.0.0.*]:2222,![10.0.0.1]:2222 {OLD}\n")),
        ] {
            assert_eq!(pinned(&before), format!("{kept}{ours}"), "{before}");
        }
    }

    #[test]
    fn a_hashed_line_of_the_host_goes_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("known_hosts");
        // Made by `ssh-keygen -H` from `example.com`.
        let hashed = format!("|1|RyLWGD8C/FjqWd4B8vjlWkgzAu8=|oukN426gqIh9T48TA0P6CCrCr/8= {OLD}\n");
        fs_err::write(&path, &hashed).unwrap();
        let record = Record::at(path.clone());
        record.pin(&["example.org".to_owned()], NEW).unwrap();
        assert_eq!(fs_err::read_to_string(&path).unwrap(), format!("{hashed}example.org {NEW}\n"));
        record.pin(&["example.com".to_owned()], NEW).unwrap();
        assert_eq!(fs_err::read_to_string(&path).unwrap(), format!("example.org {NEW}\nexample.com {NEW}\n"));
    }
}
