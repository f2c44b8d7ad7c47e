//! The boot that a host is in: its first process, and whether it finished booting.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{Error, Result, process::Process, record::write_json};

/// What the supervisor knows of the present boot (`boot.json` in the host's folder; absent while the host is off).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Boot {
    /// Counts from 1 since the host was made or switched on.
    pub(crate) number: u32,
    /// The supervisor.
    pub(crate) supervisor: Process,
    /// systemd-nspawn, or QEMU.
    pub(crate) container: Process,
    /// The host's first process, as seen from this machine (of a virtual machine, QEMU); none in the first moment of a boot.
    pub(crate) leader: Option<Process>,
    /// Whether its systemd has finished booting.
    pub(crate) ready: bool,
}

impl Boot {
    /// The host's present boot; none when it is off.
    pub(crate) fn read(host_folder: &Path) -> Result<Option<Self>> {
        let path = host_folder.join("boot.json");
        let boot: Self = match fs_err::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|source| Error::Damaged { path, source })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        Ok(boot.supervisor.is_alive().then_some(boot))
    }

    /// Writes it.
    pub(crate) fn write(&self, host_folder: &Path) -> Result<()> {
        write_json(&host_folder.join("boot.json"), self)
    }

    /// Says that the host is off.
    pub(crate) fn remove(host_folder: &Path) -> Result<()> {
        match fs_err::remove_file(host_folder.join("boot.json")) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }
}
