//! What the agent keeps on the host, under `/var/lib/garboard` and `/run/garboard`.

mod baseline;
mod blobs;
mod intent;
mod layout;
mod owned;
mod records;
mod snapshot;

pub use baseline::Baseline;
pub use blobs::{Arrival, BlobError, Blobs};
pub use intent::Intent;
pub use layout::Layout;
pub use owned::Owns;
pub use records::Records;
pub use snapshot::Snapshot;

use std::io;

use crate::system::Look;

/// Parses a JSON file of ours; `None` when it is not there.
fn read_json<T: serde::de::DeserializeOwned>(
    look: &dyn Look,
    path: &std::path::Path,
) -> io::Result<Option<T>> {
    match look.read(path) {
        Ok(bytes) => {
            serde_json::from_slice(&bytes).map(Some).map_err(|error| damaged(path, &error.to_string()))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn damaged(path: &std::path::Path, why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("`{}` is damaged: {why}", path.display()))
}
