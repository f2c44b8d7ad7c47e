//! A session whose connection is lost, against scripted agents.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use garboard::deploy::{Deployed, Program};
use garboard::problem::{Exit, Problem};
use garboard::session::{Introduction, NotBooted, Reconnect, Return, Session, SessionError};
use garboard::ssh::{Connection, Stream};
use garboard_protocol::event::{Body, Event, Welcome};
use garboard_protocol::limits::CHUNK_BYTES;
use garboard_protocol::request::{Body as Ask, FactsQuery};
use garboard_protocol::{FrameCodec, StepId};
use tokio::time::Instant;
use tokio_util::codec::Framed;

use crate::blobs::blob_of;
use crate::fake_agent::{Arrival, BUFFER, FakeAgent, FakeConnection, digest};

type Script = Box<dyn FnOnce(FakeAgent) -> BoxFuture<'static, ()> + Send>;

/// Leads to one agent after the other; then to none.
struct Ways {
    agents: Mutex<VecDeque<Script>>,
    told: Mutex<Vec<String>>,
}

fn answering(script: Script) -> (Arc<dyn Connection>, Deployed) {
    let (near, far) = tokio::io::duplex(BUFFER);
    tokio::spawn(script(FakeAgent { frames: Framed::new(far, FrameCodec) }));
    let deployed = Deployed::new(Stream::over(near), digest(), "x86_64", Program::of_root("/a b/agent"));
    (Arc::new(FakeConnection::default()), deployed)
}

#[async_trait]
impl Reconnect for Ways {
    async fn connect(&self) -> Result<(Arc<dyn Connection>, Deployed), Problem> {
        let script = self.agents.lock().unwrap().pop_front();
        script.map(answering).ok_or_else(|| Problem::new(Exit::Failed, "no route to host"))
    }

    fn lost(&self, why: &SessionError, patience: Duration) {
        self.told.lock().unwrap().push(format!("lost: {why}; {} s", patience.as_secs()));
    }

    fn back(&self, _away: Duration) {
        self.told.lock().unwrap().push("back".to_owned());
    }
}

async fn open(scripts: impl IntoIterator<Item = Script>) -> (Session, Arc<Ways>) {
    let mut scripts: VecDeque<Script> = scripts.into_iter().collect();
    let (connection, deployed) = answering(scripts.pop_front().unwrap());
    let ways = Arc::new(Ways { agents: Mutex::new(scripts), told: Mutex::default() });
    let introduction = Introduction {
        run: "run-1".to_owned(),
        owner: "me@laptop".to_owned(),
        linger: Duration::from_mins(10),
    };
    let back = Return { reconnect: Arc::clone(&ways) as _, patience: Duration::from_mins(2) };
    let session = Session::open(connection, deployed, introduction, Some(back)).await.unwrap();
    (session, ways)
}

fn script<Play>(play: impl FnOnce(FakeAgent) -> Play + Send + 'static) -> Script
where
    Play: Future<Output = ()> + Send + 'static,
{
    Box::new(|agent| Box::pin(play(agent)))
}

async fn silence(mut agent: FakeAgent) {
    while !matches!(agent.next().await, Arrival::End) {}
}

fn progress(text: &str) -> Body {
    Body::Progress { id: StepId("step".to_owned()), text: text.to_owned(), waits: false }
}

fn welcome(executor: &str) -> Body {
    Body::Welcome(Welcome { agent: digest(), running: None, executor: executor.to_owned() })
}

#[tokio::test(start_paused = true)]
async fn what_was_not_answered_goes_on_over_the_next_connection() {
    let (session, ways) = open([
        script(|mut agent| async move {
            agent.welcome().await;
            let queue = agent.request().await;
            agent.tell(Event { number: 1, request: queue.id, body: progress("first") }).await;
            silence(agent).await;
        }),
        script(|mut agent| async move {
            let hello = agent.request().await;
            assert!(matches!(hello.body, Ask::Hello(ref hello) if hello.seen == Some(1)), "{hello:?}");
            agent.say(hello.id, welcome("one")).await;
            let (queue, owns) = (agent.request().await, agent.request().await);
            assert!(matches!(queue.body, Ask::Queue { .. }), "{queue:?}");
            agent.tell(Event { number: 2, request: queue.id, body: progress("second") }).await;
            agent.say(owns.id, Body::Done).await;
            agent.tell(Event { number: 3, request: queue.id, body: Body::Done }).await;
            agent.next().await;
        }),
    ])
    .await;
    let mut queue = session.queue(vec![]).unwrap();
    let begun = Instant::now();
    assert!(matches!(queue.next().await, Some(Ok(Body::Progress { text, .. })) if text == "first"));
    session.owns(vec![]).await.unwrap();
    assert!(matches!(queue.next().await, Some(Ok(Body::Progress { text, .. })) if text == "second"));
    assert!(matches!(queue.next().await, Some(Ok(Body::Done))));
    assert!((15..20).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    let told = ways.told.lock().unwrap().clone();
    assert_eq!(told, ["lost: the host has been silent for 15 s; 120 s", "back"]);
    assert_eq!(session.bytes_sent(), 84, "of both connections");
}

#[tokio::test(start_paused = true)]
async fn a_blob_goes_on_at_the_chunk() {
    let (blob, file) = blob_of(&vec![7; 3 * CHUNK_BYTES]);
    let (session, _) = open([
        script(|mut agent| async move {
            agent.welcome().await;
            agent.next().await;
            // Cut in the middle.
        }),
        script(move |mut agent| async move {
            agent.welcome().await;
            let announced = agent.request().await;
            assert!(matches!(announced.body, Ask::Blobs { .. }), "{announced:?}");
            let present = vec![(blob, CHUNK_BYTES as u64)];
            agent.say(announced.id, Body::Blobs { present }).await;
            for chunk in 1..3 {
                let Arrival::Chunk(arrived) = agent.next().await else { panic!("no chunk") };
                assert_eq!(arrived.offset, chunk * CHUNK_BYTES as u64);
            }
            agent.say(0, Body::BlobStored { digest: blob.digest }).await;
            agent.next().await;
        }),
    ])
    .await;
    session.send_blob(&blob, file.path(), 0, |_| {}).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn another_executor_is_told_to_leave_and_the_session_ends() {
    let (left, leaves) = tokio::sync::oneshot::channel();
    let (session, _) = open([
        script(|mut agent| async move {
            agent.welcome().await;
            agent.request().await;
        }),
        script(|mut agent| async move {
            agent.greet(welcome("another")).await;
            let end = agent.request().await;
            agent.say(end.id, Body::Done).await;
            left.send(matches!(end.body, Ask::End)).unwrap();
        }),
    ])
    .await;
    let error = session.owns(vec![]).await.unwrap_err();
    assert!(matches!(error, SessionError::Anew { .. }), "{error:?}");
    assert!(leaves.await.unwrap(), "the queue of a stranger was asked for something");
}

#[tokio::test(start_paused = true)]
async fn a_reboot_that_was_announced_leads_to_the_next_boots_executor() {
    let (session, ways) = open([
        script(|mut agent| async move {
            agent.welcome().await;
            let queue = agent.request().await;
            agent.tell(Event { number: 7, request: queue.id, body: progress("going down") }).await;
        }),
        // Somebody is there, who says no word: a host that goes down, or comes up.
        script(silence),
        script(|mut agent| async move {
            agent.greet(welcome("of the next boot")).await;
            let queue = agent.request().await;
            assert!(matches!(queue.body, Ask::Queue { .. }), "{queue:?}");
            agent.tell(Event { number: 1, request: queue.id, body: progress("up") }).await;
            agent.request().await;
        }),
        script(|mut agent| async move {
            let hello = agent.request().await;
            assert!(matches!(hello.body, Ask::Hello(ref hello) if hello.seen == Some(1)), "{hello:?}");
            agent.say(hello.id, welcome("of the next boot")).await;
            let (queue, owns) = (agent.request().await, agent.request().await);
            agent.say(owns.id, Body::Done).await;
            agent.tell(Event { number: 2, request: queue.id, body: Body::Done }).await;
            agent.next().await;
        }),
    ])
    .await;
    session.expect_reboot(Instant::now() + Duration::from_mins(10));
    let mut queue = session.queue(vec![]).unwrap();
    assert!(matches!(queue.next().await, Some(Ok(Body::Progress { text, .. })) if text == "going down"));
    assert!(matches!(queue.next().await, Some(Ok(Body::Progress { text, .. })) if text == "up"));
    session.expect_no_reboot();
    session.owns(vec![]).await.unwrap();
    assert!(matches!(queue.next().await, Some(Ok(Body::Done))));
    let told = ways.told.lock().unwrap().clone();
    assert!(
        told.len() == 2 && told[0].contains("120 s"),
        "only the loss that nobody expected is told: {told:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_reboot_whose_answer_is_lost_is_not_ordered_of_the_next_boots_executor() {
    let (session, _) = open([
        script(|mut agent| async move {
            agent.welcome().await;
            agent.request().await;
        }),
        script(|mut agent| async move {
            agent.greet(welcome("of the next boot")).await;
            let owns = agent.request().await;
            assert!(matches!(owns.body, Ask::Owns { .. }), "{owns:?}");
            agent.say(owns.id, Body::Done).await;
            agent.next().await;
        }),
    ])
    .await;
    session.expect_reboot(Instant::now() + Duration::from_mins(10));
    let mut order = session.queue_once(vec![]).unwrap();
    let lost = order.next().await;
    assert!(matches!(lost, Some(Err(SessionError::Anew { .. }))), "{lost:?}");
    assert!(order.next().await.is_none());
    session.owns(vec![]).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_order_whose_link_is_lost_is_answered_by_the_executor_that_took_it() {
    let (session, _) = open([
        script(|mut agent| async move {
            agent.welcome().await;
            agent.request().await;
        }),
        script(|mut agent| async move {
            agent.welcome().await;
            let order = agent.request().await;
            assert!(matches!(order.body, Ask::Queue { .. }), "{order:?}");
            agent.tell(Event { number: 1, request: order.id, body: Body::Done }).await;
            agent.next().await;
        }),
    ])
    .await;
    session.expect_reboot(Instant::now() + Duration::from_mins(10));
    let mut order = session.queue_once(vec![]).unwrap();
    assert!(matches!(order.next().await, Some(Ok(Body::Done))));
}

#[tokio::test(start_paused = true)]
async fn a_host_that_stays_away_after_its_reboot_is_given_up_at_that_deadline() {
    let (session, ways) = open([script(|mut agent| async move {
        agent.welcome().await;
        agent.request().await;
    })])
    .await;
    let begun = Instant::now();
    session.expect_reboot(begun + Duration::from_mins(10));
    let away = session.booted("before", FactsQuery::default(), begun + Duration::from_mins(10)).await;
    assert!(matches!(&away, Err(NotBooted::Away(_))), "{away:?}");
    assert!((595..=601).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    assert!(ways.told.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_host_that_does_not_come_back_is_given_up_at_the_deadline() {
    let (session, _) = open([script(|mut agent| async move {
        agent.welcome().await;
        agent.request().await;
    })])
    .await;
    let begun = Instant::now();
    let error = session.owns(vec![]).await.unwrap_err();
    assert!((118..=121).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    let text = error.to_string();
    for words in ["the connection to the agent ended", "within 120 s", "no route to host"] {
        assert!(text.contains(words), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_wants_to_stop_waits_for_no_lost_host() {
    let (session, ways) = open([script(|mut agent| async move {
        agent.welcome().await;
        agent.request().await;
    })])
    .await;
    let asking = session.clone();
    let asked = tokio::spawn(async move { asking.owns(vec![]).await });
    while ways.told.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    let begun = Instant::now();
    assert!(session.cancel().await.unwrap_err().is_loss());
    assert!(asked.await.unwrap().unwrap_err().is_loss());
    assert!(begun.elapsed().as_secs() < 2, "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_change_is_confirmed_over_a_connection_that_is_opened_for_it() {
    let (session, ways) = open([
        script(|mut agent| async move {
            agent.welcome().await;
            let queue = agent.request().await;
            let body = Body::Unconfirmed { id: StepId("firewall/5".to_owned()), seconds: 45 };
            agent.tell(Event { number: 1, request: queue.id, body }).await;
            // The connection works: whoever confirms over it has shown nothing.
            assert!(matches!(agent.next().await, Arrival::End), "something comes over the old connection");
        }),
        script(|mut agent| async move {
            let hello = agent.request().await;
            agent.say(hello.id, welcome("one")).await;
            let (queue, confirm) = (agent.request().await, agent.request().await);
            assert!(matches!(confirm.body, Ask::Confirm { ref id } if id.0 == "firewall/5"), "{confirm:?}");
            agent.say(confirm.id, Body::Done).await;
            agent.tell(Event { number: 2, request: queue.id, body: Body::Done }).await;
            agent.next().await;
        }),
    ])
    .await;
    let mut queue = session.queue(vec![]).unwrap();
    let Some(Ok(Body::Unconfirmed { id, .. })) = queue.next().await else { panic!("nothing to confirm") };
    session.confirm(id).await.unwrap();
    assert!(matches!(queue.next().await, Some(Ok(Body::Done))));
    assert!(ways.told.lock().unwrap().is_empty(), "a connection that was given up is told as lost");
}
