//! Comparison with files that are checked in. `UPDATE_GOLDEN=1 cargo test -p garboard-inventory` rewrites them; what
//! changed is then for a person to read in the diff.

use std::path::{Path, PathBuf};

/// A path inside the crate.
pub(crate) fn in_crate(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The inventories in a folder, sorted by name; at least `least` of them.
pub(crate) fn inventories(folder: &str, least: usize) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs_err::read_dir(in_crate(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    paths.sort();
    assert!(paths.len() >= least, "`{folder}` holds {} inventories, expected {least} or more", paths.len());
    paths
}

/// Compares with the file, or writes it. Returns what differs, for all files to be reported at once.
pub(crate) fn compare(path: &Path, actual: &str) -> Option<String> {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs_err::write(path, actual).unwrap();
        return None;
    }
    let expected = fs_err::read_to_string(path).unwrap_or_default();
    (expected != actual).then(|| {
        format!("=== {}\n--- expected\n{expected}\n--- actual\n{actual}", path.file_name().unwrap().display())
    })
}

/// Fails with all differences.
pub(crate) fn none(differences: &[String]) {
    assert!(
        differences.is_empty(),
        "{} differences; UPDATE_GOLDEN=1 rewrites the files\n{}",
        differences.len(),
        differences.join("\n")
    );
}
