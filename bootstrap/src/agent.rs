//! The agents this program carries; `build.rs` made them.

use bytes::Bytes;

use crate::deploy::Agent;

const AMD64: &[u8] = include_bytes!(env!("GARBOARD_AGENT_AMD64"));
const ARM64: &[u8] = include_bytes!(env!("GARBOARD_AGENT_ARM64"));

/// One agent for each kind of machine that this program was built for. Computes their digests: call it once a run.
pub fn embedded() -> Vec<Agent> {
    let all = [("x86_64", AMD64), ("aarch64", ARM64)];
    let built = all.into_iter().filter(|(_, bytes)| !bytes.is_empty());
    built.map(|(machine, bytes)| Agent::new(machine, Bytes::from_static(bytes))).collect()
}
