//! The agents this program carries; `build.rs` made and compressed them.

use std::io::{self, Read as _};
use std::sync::LazyLock;

use flate2::read::ZlibDecoder;

use crate::deploy::Agent;
use crate::problem::{Exit, Problem};

const AMD64: &[u8] = include_bytes!(env!("GARBOARD_AGENT_AMD64"));
const ARM64: &[u8] = include_bytes!(env!("GARBOARD_AGENT_ARM64"));

/// One agent for each kind of machine that this program was built for. The first call unpacks them and computes the digests
/// of what came out.
///
/// # Errors
/// This program's own file is damaged.
pub fn embedded() -> Result<&'static [Agent], Problem> {
    static AGENTS: LazyLock<Result<Vec<Agent>, Problem>> =
        LazyLock::new(|| unpacked(&[("x86_64", AMD64), ("aarch64", ARM64)]));
    match &*AGENTS {
        Ok(agents) => Ok(agents),
        Err(damaged) => Err(damaged.clone()),
    }
}

fn unpacked(packed: &[(&'static str, &[u8])]) -> Result<Vec<Agent>, Problem> {
    let built = packed.iter().filter(|(_, packed)| !packed.is_empty());
    let agents = built.map(|(machine, packed)| {
        let program = unpack(packed).map_err(|error| damaged("the agent", machine, &error))?;
        Ok(Agent::new(machine, program))
    });
    agents.collect()
}

/// What `build.rs` compressed.
pub(crate) fn unpack(packed: &[u8]) -> io::Result<Vec<u8>> {
    let mut program = Vec::new();
    ZlibDecoder::new(packed).read_to_end(&mut program)?;
    Ok(program)
}

/// A program in this one is not what it was.
pub(crate) fn damaged(what: &str, machine: &str, error: &io::Error) -> Problem {
    let message = format!("{what} for {machine} hosts in this program is damaged");
    Problem::new(Exit::Failed, message).cause(error.to_string()).help("install `garboard` again")
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::ZlibEncoder;
    use garboard_protocol::Digest;

    use super::unpacked;

    fn packed(program: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(program).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn the_digest_is_that_of_the_unpacked_program() {
        let agents = unpacked(&[("x86_64", &packed(b"an agent")), ("aarch64", b"")]).unwrap();
        assert_eq!(agents.len(), 1, "an architecture that was left out has no agent");
        assert_eq!(agents[0].bytes.as_ref(), b"an agent");
        assert_eq!(agents[0].digest, Digest::of(b"an agent"));
    }

    #[test]
    fn a_damaged_program_is_named_and_never_sent() {
        let whole = packed(&[7; 4096]);
        let mut flipped = whole.clone();
        flipped[whole.len() - 1] ^= 1;
        for damaged in [&flipped[..], &whole[..whole.len() - 5], b"no zlib"] {
            let problem = unpacked(&[("aarch64", damaged)]).unwrap_err();
            assert!(
                problem.message.contains("for aarch64 hosts") && !problem.causes.is_empty(),
                "{problem:?}"
            );
        }
    }
}
