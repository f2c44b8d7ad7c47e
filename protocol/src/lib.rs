//! Everything the `garboard` command on the laptop and `garboard-agent` on a host say to each other.
//!
//! # Shape of a conversation
//!
//! One byte stream (an SSH channel to `garboard-agent connect`, which joins it to the executor's unix socket).
//! Both directions carry [`codec::Frame`]s: a JSON message, or a chunk of a blob.
//!
//! 1. The client's first frame is a [`request::Request`] with [`request::Body::Hello`]; the agent answers with
//!    [`event::Body::Welcome`] (or a terminal [`event::Body::Failed`] that says who holds the host).
//! 2. Then requests in any number; each carries an id of the client's choice and ends with exactly one terminal
//!    event ([`event::Body::is_terminal`]) that names this id.
//! 3. [`request::Body::End`] makes the executor leave; a lost stream only detaches the client.
//!
//! Unknown requests are refused, never skipped: both sides are built from one commit, which Hello proves by digest.
//!
//! # Limits
//! See [`limits`]. A peer that exceeds one is cut off with an error that names the limit.

pub mod change;
pub mod codec;
pub mod digest;
pub mod event;
pub mod facts;
pub mod limits;
pub mod mesh;
pub mod owned;
pub mod request;
pub mod reset;
pub mod secret;
pub mod step;

pub use change::{Change, Field, Observation};
pub use codec::{Frame, FrameCodec};
pub use digest::Digest;
pub use event::Event;
pub use facts::Facts;
pub use owned::Owned;
pub use request::Request;
pub use secret::Secret;
pub use step::{QueuedStep, Step, StepId};
