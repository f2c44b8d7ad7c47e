//! What comes to the executor's loop, and the tasks that bring it.

use std::sync::{Arc, Mutex, PoisonError};

use garboard_protocol::codec::read_message;
use garboard_protocol::event::{Body, Failure};
use garboard_protocol::request::{self, Hello};
use garboard_protocol::step::Blob;
use garboard_protocol::{Event, Frame, Request};
use tokio::sync::mpsc::{Sender, unbounded_channel};

use super::connection::{Incoming, Outgoing, Stream, frame, refusal, split};
use super::queue::Asked;
use crate::store::{Arrival, Blobs};

/// News for the loop.
pub(super) enum Input {
    /// A client has introduced itself.
    Arrived(Box<Arrived>),
    /// A request of a client.
    Request { epoch: u64, request: Box<Request> },
    /// A message that is no request of ours.
    Unreadable { epoch: u64, id: u64, why: String },
    /// A blob is complete, or was wrong.
    Blob { epoch: u64, arrival: Arrival },
    /// How much of the announced blobs is here.
    Announced { asked: Asked, present: std::io::Result<Vec<(Blob, u64)>> },
    /// The answer to a request of the mesh.
    MeshAnswered { asked: Asked, body: Body },
    /// Nothing more comes from a client; with the reason when it should know.
    Lost { epoch: u64, why: Option<String> },
    /// The blocking thread says something.
    Said(Body),
    /// The blocking thread is free again; the result is that of a step.
    Worked(Result<(), Box<Failure>>),
}

/// A client at the door.
pub(super) struct Arrived {
    pub hello: Hello,
    pub request: u64,
    pub incoming: Incoming,
    pub outgoing: Outgoing,
}

impl Arrived {
    /// Tells it why it cannot stay.
    pub(super) fn refuse(self, failure: Failure) {
        turn_away(self.outgoing, self.request, failure);
    }
}

/// Waits for the Hello of a new connection.
pub(super) async fn greet(stream: Box<dyn Stream>, inputs: Sender<Input>) {
    let (mut incoming, outgoing) = split(stream);
    let (id, why) = loop {
        match incoming.next().await {
            Ok(Frame::Heartbeat) => {}
            Ok(Frame::Message(content)) => match read_message::<Request>(&content) {
                Ok(Request { id, body: request::Body::Hello(hello) }) => {
                    let arrived = Arrived { hello, request: id, incoming, outgoing };
                    // A loop that is gone takes no clients; the stream closes.
                    let _ = inputs.send(Input::Arrived(Box::new(arrived))).await;
                    return;
                }
                Ok(Request { id, .. }) => break (id, "the first request must be `hello`".to_owned()),
                Err(error) => {
                    break (request_id(&content), format!("this is no request: {}", with_source(&error)));
                }
            },
            Ok(Frame::Chunk(_)) => break (0, "the first frame must be the request `hello`".to_owned()),
            Err(_) => return,
        }
    };
    turn_away(outgoing, id, refusal(why));
}

fn turn_away(outgoing: Outgoing, request: u64, failure: Failure) {
    let (frames, waiting) = unbounded_channel();
    let event = Event { number: 0, request, body: Body::Failed(failure) };
    // The receiver is alive: it is moved into the task below.
    let _ = frames.send(frame(&event));
    tokio::spawn(outgoing.run(waiting));
}

/// Brings a client's frames in. The next frame is not read before the last is dealt with: that is the back-pressure.
pub(super) async fn read(
    mut incoming: Incoming,
    epoch: u64,
    blobs: Arc<Mutex<Blobs>>,
    inputs: Sender<Input>,
) {
    loop {
        let input = match incoming.next().await {
            Ok(Frame::Heartbeat) => continue,
            Ok(Frame::Message(content)) => match read_message(&content) {
                Ok(request) => Input::Request { epoch, request: Box::new(request) },
                Err(error) => Input::Unreadable { epoch, id: request_id(&content), why: with_source(&error) },
            },
            Ok(Frame::Chunk(chunk)) => {
                let blobs = Arc::clone(&blobs);
                let written = tokio::task::spawn_blocking(move || {
                    blobs.lock().unwrap_or_else(PoisonError::into_inner).write(&chunk)
                });
                match written.await {
                    Ok(Ok(Arrival::Piece)) => continue,
                    Ok(Ok(arrival)) => Input::Blob { epoch, arrival },
                    Ok(Err(error)) => Input::Lost { epoch, why: Some(with_source(&error)) },
                    Err(error) => Input::Lost { epoch, why: Some(error.to_string()) },
                }
            }
            Err(ended) => {
                use super::connection::Ended;
                let why = matches!(ended, Ended::Codec(_)).then(|| with_source(&ended));
                Input::Lost { epoch, why }
            }
        };
        let is_last = matches!(input, Input::Lost { .. });
        if inputs.send(input).await.is_err() || is_last {
            return;
        }
    }
}

/// The id of a message that is no request of ours, so that it can be refused by name.
fn request_id(content: &[u8]) -> u64 {
    #[derive(serde::Deserialize)]
    struct Identified {
        id: u64,
    }
    serde_json::from_slice::<Identified>(content).map_or(0, |identified| identified.id)
}

fn with_source(error: &(dyn std::error::Error + 'static)) -> String {
    let sources = crate::engine::sources(error).map(ToString::to_string);
    std::iter::once(error.to_string()).chain(sources).collect::<Vec<_>>().join(": ")
}
