//! Sizes and times both sides hold to.

use std::time::Duration;

/// Largest frame, in bytes, without its length prefix. A larger one ends the conversation.
pub const FRAME_BYTES: usize = 4 * 1024 * 1024;

/// Bytes of content in one blob chunk; a broken transfer re-sends at most this much.
pub const CHUNK_BYTES: usize = 1024 * 1024;

/// Silence after which a peer counts as dead. Any byte is a heartbeat.
pub const SILENCE: Duration = Duration::from_secs(15);

/// How often a side that has nothing to say sends a heartbeat.
pub const HEARTBEAT: Duration = Duration::from_secs(5);

/// How long an executor without a client, and with nothing left to do, stays for one to come back, unless its client has said
/// otherwise.
pub const LINGER: Duration = Duration::from_mins(10);

/// Most bytes of a command's output that are kept, from its end.
pub const OUTPUT_BYTES: usize = 64 * 1024;

/// Most ports one host opens for the mesh.
pub const MESH_PORTS: usize = 16;

/// Most ports one host probes at once; a process may have 1024 files open unless it is told otherwise.
pub const MESH_TARGETS: usize = 512;

/// Longest a host keeps ports open for the mesh, in seconds, whatever its client asks for.
pub const MESH_SECONDS: u64 = 60;

/// Longest a probe waits for an answer, in milliseconds.
pub const MESH_MILLISECONDS: u64 = 10_000;

/// Largest text carried inside a step; larger content travels as a blob.
pub const INLINE_BYTES: usize = 512 * 1024;
