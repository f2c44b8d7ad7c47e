//! Frames: a big-endian `u32` length, one kind byte, then the content.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_util::codec::{Decoder, Encoder};

use crate::digest::Digest;
use crate::limits::FRAME_BYTES;

const KIND_MESSAGE: u8 = 1;
const KIND_CHUNK: u8 = 2;
const KIND_HEARTBEAT: u8 = 3;
/// Bytes of a chunk's own head: 32 of digest, 8 of offset.
const CHUNK_HEAD: usize = 40;

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// A JSON document: a [`crate::Request`] from the client, a [`crate::Event`] from the agent.
    Message(Bytes),
    /// A piece of a blob, from the client to the agent.
    Chunk(Chunk),
    /// Nothing to say, but alive.
    Heartbeat,
}

/// A piece of a blob. The blob is complete, and checked against `digest`, once its last byte has arrived; its size
/// was announced by [`crate::request::Body::Blobs`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Digest of the whole blob.
    pub digest: Digest,
    /// Where in the blob `bytes` starts.
    pub offset: u64,
    /// At most [`crate::limits::CHUNK_BYTES`] bytes.
    pub bytes: Bytes,
}

/// Why a byte stream is no conversation of ours.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// The length prefix is over the limit (or zero).
    #[error("a frame of {bytes} bytes is outside 1..={FRAME_BYTES}")]
    Length {
        /// As announced.
        bytes: usize,
    },
    /// The kind byte is none of ours.
    #[error("unknown frame kind {kind}")]
    Kind {
        /// The byte.
        kind: u8,
    },
    /// A chunk shorter than its own head.
    #[error("a blob chunk of {bytes} bytes has no room for digest and offset")]
    Chunk {
        /// Content length.
        bytes: usize,
    },
    /// A heartbeat that carries something.
    #[error("a heartbeat has {bytes} bytes of content, it says nothing")]
    Heartbeat {
        /// Content length.
        bytes: usize,
    },
    /// A message that is no JSON of the expected shape.
    #[error("a message could not be read or written as JSON")]
    Json(#[from] serde_json::Error),
    /// The stream failed.
    #[error("the stream failed")]
    Io(#[from] std::io::Error),
}

impl Frame {
    /// A message frame holding `message` as JSON.
    pub fn message(message: &impl Serialize) -> Result<Self, CodecError> {
        Ok(Self::Message(serde_json::to_vec(message)?.into()))
    }
}

/// Reads a message frame's content.
pub fn read_message<T: DeserializeOwned>(content: &[u8]) -> Result<T, CodecError> {
    Ok(serde_json::from_slice(content)?)
}

/// Encodes and decodes [`Frame`]s; for `tokio_util::codec::Framed`.
#[derive(Debug, Default, Clone, Copy)]
pub struct FrameCodec;

impl Encoder<Frame> for FrameCodec {
    type Error = CodecError;

    fn encode(&mut self, frame: Frame, target: &mut BytesMut) -> Result<(), CodecError> {
        let length = 1 + match &frame {
            Frame::Message(content) => content.len(),
            Frame::Chunk(chunk) => CHUNK_HEAD + chunk.bytes.len(),
            Frame::Heartbeat => 0,
        };
        let announced = u32::try_from(length)
            .ok()
            .filter(|_| length <= FRAME_BYTES)
            .ok_or(CodecError::Length { bytes: length })?;
        target.reserve(4 + length);
        target.put_u32(announced);
        match frame {
            Frame::Message(content) => {
                target.put_u8(KIND_MESSAGE);
                target.extend_from_slice(&content);
            }
            Frame::Chunk(chunk) => {
                target.put_u8(KIND_CHUNK);
                target.extend_from_slice(chunk.digest.as_bytes());
                target.put_u64(chunk.offset);
                target.extend_from_slice(&chunk.bytes);
            }
            Frame::Heartbeat => target.put_u8(KIND_HEARTBEAT),
        }
        Ok(())
    }
}

impl Decoder for FrameCodec {
    type Item = Frame;
    type Error = CodecError;

    fn decode(&mut self, source: &mut BytesMut) -> Result<Option<Frame>, CodecError> {
        let Some(prefix) = source.first_chunk::<4>() else { return Ok(None) };
        let length = u32::from_be_bytes(*prefix) as usize;
        if length == 0 || length > FRAME_BYTES {
            return Err(CodecError::Length { bytes: length });
        }
        if source.len() < 4 + length {
            source.reserve(4 + length - source.len());
            return Ok(None);
        }
        source.advance(4);
        let mut content = source.split_to(length).freeze();
        match content.get_u8() {
            KIND_MESSAGE => Ok(Some(Frame::Message(content))),
            KIND_HEARTBEAT if content.is_empty() => Ok(Some(Frame::Heartbeat)),
            KIND_HEARTBEAT => Err(CodecError::Heartbeat { bytes: content.len() }),
            KIND_CHUNK if content.len() < CHUNK_HEAD => Err(CodecError::Chunk { bytes: content.len() }),
            KIND_CHUNK => {
                let mut digest = [0_u8; 32];
                content.copy_to_slice(&mut digest);
                let offset = content.get_u64();
                Ok(Some(Frame::Chunk(Chunk { digest: Digest::from_bytes(digest), offset, bytes: content })))
            }
            kind => Err(CodecError::Kind { kind }),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::{Bytes, BytesMut};
    use proptest::prelude::*;
    use tokio_util::codec::{Decoder as _, Encoder as _};

    use super::{Chunk, CodecError, Frame, FrameCodec};
    use crate::digest::Digest;
    use crate::limits::FRAME_BYTES;

    fn frames() -> impl Strategy<Value = Frame> {
        let bytes = || prop::collection::vec(any::<u8>(), 0..4096).prop_map(Bytes::from);
        prop_oneof![
            bytes().prop_map(Frame::Message),
            (any::<[u8; 32]>(), any::<u64>(), bytes()).prop_map(|(digest, offset, bytes)| {
                Frame::Chunk(Chunk { digest: Digest::from_bytes(digest), offset, bytes })
            }),
            Just(Frame::Heartbeat),
        ]
    }

    proptest! {
        #[test]
        fn frames_cut_anywhere_arrive_whole_and_in_order(
            sent in prop::collection::vec(frames(), 1..8), step in 1_usize..977,
        ) {
            let mut wire = BytesMut::new();
            for frame in &sent {
                FrameCodec.encode(frame.clone(), &mut wire).unwrap();
            }
            let mut arrived = Vec::new();
            let mut buffer = BytesMut::new();
            for piece in wire.chunks(step) {
                buffer.extend_from_slice(piece);
                while let Some(frame) = FrameCodec.decode(&mut buffer).unwrap() {
                    arrived.push(frame);
                }
            }
            prop_assert_eq!(arrived, sent);
            prop_assert!(buffer.is_empty());
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
            let mut buffer = BytesMut::from(&bytes[..]);
            while let Ok(Some(_)) = FrameCodec.decode(&mut buffer) {}
        }
    }

    #[test]
    fn a_heartbeat_that_carries_something_is_refused() {
        let mut wire = BytesMut::from(&[0, 0, 0, 2, super::KIND_HEARTBEAT, b'x'][..]);
        assert!(matches!(FrameCodec.decode(&mut wire), Err(CodecError::Heartbeat { bytes: 1 })));
    }

    #[test]
    fn a_frame_over_the_limit_is_refused_before_it_is_read() {
        let announced = u32::try_from(FRAME_BYTES + 1).unwrap();
        let mut wire = BytesMut::from(&announced.to_be_bytes()[..]);
        assert!(matches!(FrameCodec.decode(&mut wire), Err(CodecError::Length { .. })));
        let large = Frame::Message(Bytes::from(vec![b' '; FRAME_BYTES]));
        assert!(matches!(FrameCodec.encode(large, &mut BytesMut::new()), Err(CodecError::Length { .. })));
    }
}
