//! Comparison with files that are checked in; `UPDATE_GOLDEN=1` rewrites them.

use std::path::{Path, PathBuf};

/// A path in the repository.
pub(crate) fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

#[track_caller]
pub(crate) fn compare(path: &str, actual: &str) {
    let path = in_repository(path);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs_err::write(&path, actual).unwrap();
        return;
    }
    let expected = fs_err::read_to_string(&path).unwrap_or_default();
    assert!(
        expected == actual,
        "{} is not what it would be; with UPDATE_GOLDEN=1 it becomes:\n{actual}",
        path.display()
    );
}
