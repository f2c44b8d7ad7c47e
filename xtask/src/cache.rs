//! The user's cache folder: what can be made or fetched again.

use std::path::PathBuf;

use anyhow::Context as _;

/// `$XDG_CACHE_HOME/garboard`.
pub(crate) fn of_user() -> anyhow::Result<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| std::env::home_dir().map(|home| home.join(".cache")))
        .context("neither `XDG_CACHE_HOME` nor `HOME` is set, so there is no place for what is fetched")?;
    Ok(cache.join("garboard"))
}
