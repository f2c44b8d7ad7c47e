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

/// How long an executor without a client, and with nothing left to do, stays for one to come back.
pub const LINGER: Duration = Duration::from_mins(10);

/// Most bytes of a command's output that are kept, from its end.
pub const OUTPUT_BYTES: usize = 64 * 1024;

/// Largest text carried inside a step; larger content travels as a blob.
pub const INLINE_BYTES: usize = 512 * 1024;
