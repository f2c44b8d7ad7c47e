//! A client on an in-memory stream, and a lab: a folder that stands for a host, with steps that can be held up.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures::{SinkExt as _, StreamExt as _};
use garboard_agent::engine::Host;
use garboard_agent::executor::{Door, Executor, Holder, Services};
use garboard_agent::steps::{self, Context, Kind, ProbeContext, StepError};
use garboard_agent::store::Layout;
use garboard_agent::system::{Command, Look, Real};
use garboard_agent::{facts, reset};
use garboard_protocol::codec::{Chunk, read_message};
use garboard_protocol::event::Body;
use garboard_protocol::request::{self, Hello};
use garboard_protocol::step::{Artifact, Blob, File, Hostname, Nft, Outputs};
use garboard_protocol::{
    Change, Digest, Event, Field, Frame, FrameCodec, Observation, QueuedStep, Request, Step, StepId,
};
use tokio::io::DuplexStream;
use tokio::task::JoinHandle;
use tokio_util::codec::Framed;

/// What the executors of the tests say they are.
pub(crate) fn agent() -> Digest {
    Digest::of(b"agent")
}

/// A folder that stands for a host, and the executor at work on it.
pub(crate) struct Lab {
    pub(crate) root: tempfile::TempDir,
    pub(crate) layout: Layout,
    pub(crate) door: Door,
    pub(crate) executor: JoinHandle<std::io::Result<()>>,
}

impl Lab {
    /// A new host.
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs_err::create_dir_all(root.path().join("var/lib")).unwrap();
        Self::on(root)
    }

    /// The executor of run `run` on a host that may have been worked on before.
    pub(crate) fn on(root: tempfile::TempDir) -> Self {
        let layout = Layout::below(root.path());
        let host = Host {
            system: Arc::new(Real::host()),
            layout: layout.clone(),
            kinds,
            snapshot,
            note_places: |_, _, _| false,
        };
        let services = Services { host, facts: facts::collect, reset: reset::reset, verify: reset::verify };
        let holder = Holder {
            run: "run".into(),
            owner: "me@laptop".into(),
            since: "2026-11-21T09:00:00Z".into(),
            pid: 1,
        };
        let executor = Executor::new(services, holder, agent()).unwrap();
        let door = executor.door();
        Self { root, layout, door, executor: tokio::spawn(executor.run()) }
    }

    /// A path on the host.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// A step that writes a small file.
    pub(crate) fn file(&self, number: u32, content: &str) -> QueuedStep {
        let path = self.path(&format!("file{number}")).to_string_lossy().into_owned();
        queued(number, Step::File(File { path, content: content.into(), mode: 0o644, secret: false }))
    }

    /// A step that installs a blob.
    pub(crate) fn artifact(&self, number: u32, content: &[u8]) -> QueuedStep {
        let path = self.path(&format!("program{number}")).to_string_lossy().into_owned();
        queued(number, Step::Artifact(Artifact { path, blob: blob(content), mode: 0o755 }))
    }

    /// A step that is at work until [`Lab::release`].
    pub(crate) fn held(&self, number: u32) -> QueuedStep {
        let name = self.path(&format!("held{number}")).to_string_lossy().into_owned();
        nix::unistd::mkfifo(Path::new(&name), nix::sys::stat::Mode::S_IRWXU).unwrap();
        queued(number, Step::Hostname(Hostname { name }))
    }

    /// A step whose change waits for a confirmation, and writes a file after it.
    pub(crate) fn guarded(&self, number: u32) -> QueuedStep {
        let table = self.path(&format!("guarded{number}")).to_string_lossy().into_owned();
        queued(number, Step::Nft(Nft { table, rules: String::new(), keep_sets: false }))
    }

    /// Lets a held step end.
    pub(crate) async fn release(&self, number: u32) {
        let path = self.path(&format!("held{number}"));
        tokio::task::spawn_blocking(move || {
            let mut fifo = fs_err::OpenOptions::new().write(true).open(path).unwrap();
            fifo.write_all(b"go").unwrap();
        })
        .await
        .unwrap();
    }

    /// The client that has said Hello for the run, and what it was told.
    pub(crate) async fn client(&self, seen: Option<u64>) -> Client {
        let mut client = Client::attach(&self.door);
        let answer = client.hello("run", agent(), seen).await;
        assert!(matches!(answer, Body::Welcome(_)), "{answer:?}");
        client
    }
}

pub(crate) fn queued(number: u32, step: Step) -> QueuedStep {
    QueuedStep { id: StepId(format!("test/{number}")), step }
}

pub(crate) fn blob(content: &[u8]) -> Blob {
    Blob { digest: Digest::of(content), size: content.len() as u64 }
}

/// One connection.
pub(crate) struct Client {
    frames: Framed<DuplexStream, FrameCodec>,
}

impl Client {
    pub(crate) fn attach(door: &Door) -> Self {
        let (ours, theirs) = tokio::io::duplex(256 * 1024);
        door.attach(theirs);
        Self { frames: Framed::new(ours, FrameCodec) }
    }

    /// Says Hello; gives the answer.
    pub(crate) async fn hello(&mut self, run: &str, agent: Digest, seen: Option<u64>) -> Body {
        self.hello_for(run, agent, seen, 600).await
    }

    /// The same, and says for how many seconds it wants to be waited for.
    pub(crate) async fn hello_for(
        &mut self,
        run: &str,
        agent: Digest,
        seen: Option<u64>,
        linger_seconds: u64,
    ) -> Body {
        let hello = Hello { run: run.into(), owner: "me@laptop".into(), agent, seen, linger_seconds };
        self.send(1, request::Body::Hello(hello)).await;
        self.next().await.expect("no answer to hello").body
    }

    pub(crate) async fn send(&mut self, id: u64, body: request::Body) {
        self.send_frame(Frame::message(&Request { id, body }).unwrap()).await;
    }

    pub(crate) async fn send_frame(&mut self, frame: Frame) {
        self.frames.send(frame).await.unwrap();
    }

    /// Sends all of `content` from `offset` on, `piece` bytes at a time.
    pub(crate) async fn send_blob(&mut self, name: Digest, content: &[u8], offset: usize, piece: usize) {
        for (number, bytes) in content[offset..].chunks(piece).enumerate() {
            let offset = (offset + number * piece) as u64;
            let chunk = Chunk { digest: name, offset, bytes: Bytes::copy_from_slice(bytes) };
            self.send_frame(Frame::Chunk(chunk)).await;
        }
    }

    /// The next event; `None` when the executor has closed the connection.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        loop {
            match self.frames.next().await? {
                Ok(Frame::Message(content)) => return Some(read_message(&content).unwrap()),
                Ok(Frame::Heartbeat) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// All events up to the terminal one of `request`.
    pub(crate) async fn until_end(&mut self, request: u64) -> Vec<Event> {
        let mut events = Vec::new();
        loop {
            let event = self.next().await.expect("the connection ended before the request did");
            let is_last = event.request == request && event.body.is_terminal();
            events.push(event);
            if is_last {
                return events;
            }
        }
    }

    /// What `request` ended with.
    pub(crate) async fn end_of(&mut self, request: u64) -> Body {
        self.until_end(request).await.pop().unwrap().body
    }

    /// Waits until a step has begun.
    pub(crate) async fn until_started(&mut self, number: u32) {
        loop {
            let event = self.next().await.expect("the step never began");
            if matches!(&event.body, Body::Started { id, .. } if id.0 == format!("test/{number}")) {
                return;
            }
        }
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of the real one")]
fn snapshot(_: &dyn Look) -> std::io::Result<serde_json::Value> {
    Ok(serde_json::json!({ "late": false }))
}

/// The agent's own kinds, but a host name is a path of a named pipe on which the step waits, and a table one of a file that is written
/// when the step is confirmed.
fn kinds(step: &Step) -> &dyn Kind {
    match step {
        Step::Hostname(step) => Box::leak(Box::new(Held(step.name.clone()))),
        Step::Nft(step) => Box::leak(Box::new(Guarded(step.table.clone()))),
        other => steps::kind(other),
    }
}

struct Guarded(String);

impl Kind for Guarded {
    fn probe(&self, context: &ProbeContext<'_>) -> Result<Observation, StepError> {
        let is_done = context.look.metadata(Path::new(&self.0)).unwrap().is_some();
        let change = Change::new(&self.0, Field::Loaded, None, Some("loaded".into()));
        Ok(Observation::from_changes(if is_done { Vec::new() } else { vec![change] }))
    }

    fn apply(&self, _: &[Change], context: &Context<'_>) -> Result<Outputs, StepError> {
        if (context.confirmed)() {
            context.system.write(Path::new(&self.0), b"", 0o600).unwrap();
        }
        Ok(Outputs::new())
    }
}

struct Held(String);

impl Kind for Held {
    fn probe(&self, context: &ProbeContext<'_>) -> Result<Observation, StepError> {
        let done = format!("{}.done", self.0);
        let is_done = context.look.metadata(Path::new(&done)).unwrap().is_some();
        let change = Change::new(&done, Field::Kind, None, Some("file".into()));
        Ok(Observation::from_changes(if is_done { Vec::new() } else { vec![change] }))
    }

    fn apply(&self, _: &[Change], context: &Context<'_>) -> Result<Outputs, StepError> {
        (context.progress)("waiting to be released");
        context.system.run(&Command::new("cat", [self.0.as_str()]))?;
        context.system.write(Path::new(&format!("{}.done", self.0)), b"", 0o600).unwrap();
        Ok(Outputs::new())
    }
}
