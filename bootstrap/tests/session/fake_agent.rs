//! The agent's side of a conversation, played by a test.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use futures::{SinkExt as _, StreamExt as _};
use garboard::deploy::{Deployed, Program};
use garboard::session::{Introduction, Session, SessionError};
use garboard::ssh::{Connection, SshError, Stream};
use garboard_protocol::codec::{Chunk, read_message};
use garboard_protocol::event::{Body, Event, Welcome};
use garboard_protocol::request::Body as Ask;
use garboard_protocol::{Digest, Frame, FrameCodec, Request};
use tokio::io::DuplexStream;
use tokio_util::codec::Framed;

/// Bytes that the stream between session and agent takes before a writer waits.
pub(crate) const BUFFER: usize = 64 * 1024;

/// What the fake agent's program hashes to.
pub(crate) fn digest() -> Digest {
    Digest::of(b"the agent")
}

/// The agent's end of the stream.
pub(crate) struct FakeAgent {
    pub(crate) frames: Framed<DuplexStream, FrameCodec>,
}

/// What arrives, heartbeats left out.
pub(crate) enum Arrival {
    Request(Request),
    Chunk(Chunk),
    End,
}

impl FakeAgent {
    pub(crate) async fn next(&mut self) -> Arrival {
        loop {
            match self.frames.next().await {
                Some(Ok(Frame::Heartbeat)) => {}
                Some(Ok(Frame::Message(content))) => {
                    return Arrival::Request(read_message(&content).unwrap());
                }
                Some(Ok(Frame::Chunk(chunk))) => return Arrival::Chunk(chunk),
                Some(Err(error)) => panic!("{error}"),
                None => return Arrival::End,
            }
        }
    }

    pub(crate) async fn request(&mut self) -> Request {
        match self.next().await {
            Arrival::Request(request) => request,
            Arrival::Chunk(_) => panic!("a chunk instead of a request"),
            Arrival::End => panic!("the end instead of a request"),
        }
    }

    pub(crate) async fn say(&mut self, request: u64, body: Body) {
        self.tell(Event { number: 0, request, body }).await;
    }

    pub(crate) async fn tell(&mut self, event: Event) {
        self.frames.send(Frame::message(&event).unwrap()).await.unwrap();
    }

    /// Takes the Hello and answers it.
    pub(crate) async fn greet(&mut self, answer: Body) {
        let hello = self.request().await;
        assert!(matches!(hello.body, Ask::Hello(_)), "{hello:?}");
        self.say(hello.id, answer).await;
    }

    pub(crate) async fn welcome(&mut self) {
        self.greet(Body::Welcome(Welcome { agent: digest(), running: None, executor: "one".to_owned() }))
            .await;
    }
}

/// A connection whose further channels are streams that stay open.
#[derive(Default)]
pub(crate) struct FakeConnection {
    pub(crate) opened: Arc<AtomicUsize>,
}

#[async_trait]
impl Connection for FakeConnection {
    async fn open(&self, command: &str) -> Result<Stream, SshError> {
        assert_eq!(command, "'/a b/agent' pipe 127.0.0.1:6443");
        self.opened.fetch_add(1, Ordering::SeqCst);
        let (near, far) = tokio::io::duplex(64);
        tokio::spawn(async move {
            let (mut output, mut input) = tokio::io::split(far);
            tokio::io::copy(&mut output, &mut input).await
        });
        Ok(Stream::over(near))
    }

    fn bytes_sent(&self) -> u64 {
        42
    }

    fn bytes_received(&self) -> u64 {
        0
    }

    fn login(&self) -> &'static str {
        "root@fake"
    }

    async fn close(&self) {}
}

/// Opens a session with an agent that follows `script`, over a stream that holds `buffer` bytes.
pub(crate) async fn open<Script, Play>(buffer: usize, script: Script) -> Result<Session, SessionError>
where
    Script: FnOnce(FakeAgent) -> Play,
    Play: Future<Output = ()> + Send + 'static,
{
    let (near, far) = tokio::io::duplex(buffer);
    tokio::spawn(script(FakeAgent { frames: Framed::new(far, FrameCodec) }));
    let program = Program::of_root("/a b/agent");
    let deployed = Deployed::new(Stream::over(near), digest(), "x86_64", program);
    let introduction = Introduction {
        run: "run-1".to_owned(),
        owner: "me@laptop".to_owned(),
        linger: std::time::Duration::from_mins(10),
    };
    Session::open(Arc::new(FakeConnection::default()), deployed, introduction, None).await
}
