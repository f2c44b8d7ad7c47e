//! The `garboard-ddns` that this command carries; `build.rs` made and compressed it.

use std::sync::LazyLock;

use bytes::Bytes;
use garboard_protocol::Digest;
use garboard_protocol::step::Blob;

use crate::agent::{damaged, unpack};
use crate::problem::Problem;

const AMD64: &[u8] = include_bytes!(env!("GARBOARD_DDNS_AMD64"));
const ARM64: &[u8] = include_bytes!(env!("GARBOARD_DDNS_ARM64"));

/// The service for one kind of machine.
#[derive(Debug, Clone)]
pub struct Program {
    /// As facts tell it: `amd64`, `arm64`.
    pub architecture: &'static str,
    /// Of `bytes`.
    pub blob: Blob,
    /// The program.
    pub bytes: Bytes,
}

/// One for each kind of machine that this command was built for. The first call unpacks them and computes the digests.
///
/// # Errors
/// This command's own file is damaged.
pub fn embedded() -> Result<&'static [Program], Problem> {
    static PROGRAMS: LazyLock<Result<Vec<Program>, Problem>> =
        LazyLock::new(|| unpacked(&[("amd64", AMD64), ("arm64", ARM64)]));
    match &*PROGRAMS {
        Ok(programs) => Ok(programs),
        Err(damaged) => Err(damaged.clone()),
    }
}

fn unpacked(packed: &[(&'static str, &[u8])]) -> Result<Vec<Program>, Problem> {
    let built = packed.iter().filter(|(_, packed)| !packed.is_empty());
    let programs = built.map(|(architecture, packed)| {
        let program = unpack(packed).map_err(|error| damaged("`garboard-ddns`", architecture, &error))?;
        let blob = Blob { digest: Digest::of(&program), size: program.len() as u64 };
        Ok(Program { architecture, blob, bytes: program.into() })
    });
    programs.collect()
}

#[cfg(test)]
mod tests {
    use super::{embedded, unpacked};

    /// Where this test runs there is a C compiler: the tests' own dependencies need one.
    #[test]
    fn the_command_carries_a_static_program_for_this_machine() {
        let own = if cfg!(target_arch = "x86_64") { "amd64" } else { "arm64" };
        let programs = embedded().unwrap();
        let program = programs.iter().find(|program| program.architecture == own).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("garboard-ddns");
        fs_err::write(&path, &program.bytes).unwrap();
        fs_err::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let said = std::process::Command::new(&path).arg("--version").output().unwrap();
        assert!(String::from_utf8_lossy(&said.stdout).starts_with("garboard-ddns "), "{said:?}");
        // ELF: no program header names an interpreter (PT_INTERP, 3).
        let bytes = &program.bytes;
        let word = |at: usize, length: usize| {
            bytes[at..at + length].iter().rev().fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte))
        };
        let (table, size, count) = (word(32, 8), word(54, 2), word(56, 2));
        let kinds: Vec<usize> = (0..count).map(|number| word(table + number * size, 4)).collect();
        assert!(kinds.contains(&1) && !kinds.contains(&3), "it is not static: {kinds:?}");
    }

    #[test]
    fn a_damaged_program_is_named_and_an_empty_one_is_none() {
        let problem = unpacked(&[("arm64", b"no zlib")]).unwrap_err();
        assert!(problem.message.contains("`garboard-ddns` for arm64"), "{problem:?}");
        assert!(unpacked(&[("arm64", b"")]).unwrap().is_empty());
    }
}
