//! What keeps the memory of this process to itself: it holds tokens, keys and credentials.

use std::io;

use nix::sys::prctl::set_dumpable;
use nix::sys::resource::{Resource, setrlimit};

/// From here on a crash leaves no core, of this process and of those it starts, and only root may look into its memory.
pub fn keep_secrets() -> io::Result<()> {
    // Both: a machine's `core_pattern` may pipe cores to a program, which the limit of 0 does not hold back everywhere.
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    set_dumpable(false)?;
    Ok(())
}
