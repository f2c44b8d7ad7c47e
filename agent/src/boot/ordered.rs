//! What the last reboot of ours was ordered for. A reboot that did not bring it is not tried a second time.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::loader::running_line;
use super::{Line, Loader, has_word};
use crate::system::{Look, System};

/// The note. It lies in the folder that reset removes as a whole, so it needs no baseline entry.
const PATH: &str = "/var/lib/garboard/reboot.json";

/// An order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ordered {
    /// The boot in which it was given.
    pub boot_id: String,
    /// Kernel parameters it was to bring.
    pub parameters: Vec<String>,
}

impl Ordered {
    /// The last one. A note that cannot be read is none.
    pub fn load(look: &dyn Look) -> Option<Self> {
        serde_json::from_slice(&look.read(Path::new(PATH)).ok()?).ok()
    }

    /// Notes it, through to the disk.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self, system: &dyn System) -> io::Result<()> {
        let text = serde_json::to_vec(self).map_err(io::Error::other)?;
        system.write(Path::new(PATH), &text, 0o600)
    }

    /// What it was to bring, and what the running kernel lacks though the loader's file has it.
    pub fn in_vain(&self, look: &dyn Look) -> Vec<String> {
        let running = running_line(look);
        if self.boot_id == boot_id(look) {
            return Vec::new();
        }
        let Ok(Loader::Firmware { files, .. }) = Loader::find(look) else { return Vec::new() };
        let has = |file: &&str, parameter: &str| {
            let content = look.read(Path::new(file)).unwrap_or_default();
            Line::parse(&content).is_ok_and(|line| line.has(parameter))
        };
        let lacks = |parameter: &&String| {
            !has_word(&running, parameter) && files.iter().any(|file| has(file, parameter))
        };
        self.parameters.iter().filter(lacks).cloned().collect()
    }
}

/// `/proc/sys/kernel/random/boot_id`: another one after each boot.
pub fn boot_id(look: &dyn Look) -> String {
    let text = look.read_text(Path::new("/proc/sys/kernel/random/boot_id")).ok().flatten();
    text.unwrap_or_default().trim().to_owned()
}
