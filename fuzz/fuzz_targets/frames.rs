//! What arrives on the wire: frames, and the messages in them. The first byte says in which pieces the rest arrives.
#![no_main]

use bytes::BytesMut;
use garboard_protocol::codec::read_message;
use garboard_protocol::{Event, Frame, FrameCodec, Request};
use libfuzzer_sys::fuzz_target;
use tokio_util::codec::{Decoder as _, Encoder as _};

fuzz_target!(|input: &[u8]| {
    let Some((&step, wire)) = input.split_first() else { return };
    let at_once = decode([wire].into_iter());
    let in_pieces = decode(wire.chunks(usize::from(step).max(1)));
    assert_eq!(at_once, in_pieces, "frames depend on how the stream is cut");

    let mut again = BytesMut::new();
    for frame in &at_once {
        FrameCodec.encode(frame.clone(), &mut again).expect("what was decoded can be encoded");
        if let Frame::Message(content) = frame {
            messages(content);
        }
    }
    assert!(wire.starts_with(&again), "a frame is not what arrived");
});

/// The frames up to the first that is none.
fn decode<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Frame> {
    let (mut buffer, mut frames) = (BytesMut::new(), Vec::new());
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            match FrameCodec.decode(&mut buffer) {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(_) => return frames,
            }
        }
    }
    frames
}

/// A message that is understood means the same when it is sent on.
fn messages(content: &[u8]) {
    if let Ok(request) = read_message::<Request>(content)
        && let Ok(Frame::Message(sent)) = Frame::message(&request)
    {
        read_message::<Request>(&sent).expect("our own request is understood");
    }
    if let Ok(event) = read_message::<Event>(content)
        && let Ok(Frame::Message(sent)) = Frame::message(&event)
    {
        read_message::<Event>(&sent).expect("our own event is understood");
    }
}
