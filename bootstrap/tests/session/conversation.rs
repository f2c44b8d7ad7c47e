//! Sessions against a scripted agent.

use std::time::Duration;

use bytes::Bytes;
use futures::SinkExt as _;
use garboard::session::SessionError;
use garboard_protocol::event::{Body, Event, Failure, FailureKind, Welcome};
use garboard_protocol::limits::CHUNK_BYTES;
use garboard_protocol::request::Body as Ask;
use garboard_protocol::reset::{ResetOptions, ResetReport};
use garboard_protocol::{Digest, Frame, StepId};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, interval, timeout};

use crate::blobs::blob_of;
use crate::fake_agent::{Arrival, BUFFER, digest, open};

fn failure(kind: FailureKind, message: &str) -> Failure {
    let help = Some("wait for it".to_owned());
    Failure { step: None, kind, message: message.to_owned(), causes: vec!["because".to_owned()], help }
}

#[tokio::test]
async fn a_host_held_by_another_run_is_told_in_the_agents_words() {
    let result = open(BUFFER, |mut agent| async move {
        agent.greet(Body::Failed(failure(FailureKind::Held, "held by you@desk since 10:00"))).await;
    })
    .await;
    let error = result.unwrap_err();
    assert!(matches!(error, SessionError::Held { .. }), "{error:?}");
    let problem = error.problem("cp1");
    assert_eq!(problem.message, "held by you@desk since 10:00");
    assert_eq!((problem.causes, problem.help), (vec!["because".to_owned()], Some("wait for it".to_owned())));
}

#[tokio::test]
async fn another_agent_than_the_started_one_is_refused() {
    let other = Digest::of(b"another agent");
    let result = open(BUFFER, |mut agent| async move {
        agent.greet(Body::Welcome(Welcome { agent: other, running: None, executor: "one".to_owned() })).await;
    })
    .await;
    match result.unwrap_err() {
        SessionError::WrongAgent { expected, found } => assert_eq!((expected, found), (digest(), other)),
        error => panic!("{error:?}"),
    }
}

#[tokio::test]
async fn requests_overlap_and_each_gets_its_own_answers() {
    let session = open(BUFFER, |mut agent| async move {
        agent.welcome().await;
        let (first, second) = (agent.request().await, agent.request().await);
        // Answered the other way round, with events of both in between.
        for (request, text) in [(&second, "second"), (&first, "first")] {
            let id = StepId("step".to_owned());
            let event = Body::Progress { id, text: text.to_owned(), waits: false };
            agent.say(request.id, event).await;
        }
        agent.say(second.id, Body::Failed(failure(FailureKind::Step, "no"))).await;
        agent.say(first.id, Body::Done).await;
        agent.next().await;
    })
    .await
    .unwrap();
    let mut first = session.queue(vec![]).unwrap();
    let mut second = session.queue(vec![]).unwrap();
    for (progress, expected) in [(&mut first, "first"), (&mut second, "second")] {
        match progress.next().await.unwrap().unwrap() {
            Body::Progress { text, .. } => assert_eq!(text, expected),
            other => panic!("{other:?}"),
        }
    }
    assert!(matches!(first.next().await, Some(Ok(Body::Done))));
    assert!(first.next().await.is_none());
    assert!(matches!(second.next().await, Some(Ok(Body::Failed(_)))));
    assert!(second.next().await.is_none());
}

#[tokio::test]
async fn a_failure_of_the_agent_is_passed_on_whole() {
    let session = open(BUFFER, |mut agent| async move {
        agent.welcome().await;
        let request = agent.request().await;
        agent.say(request.id, Body::Failed(failure(FailureKind::NeedsPerson, "etcd has no quorum"))).await;
        agent.next().await;
    })
    .await
    .unwrap();
    let error = session.owns(vec![]).await.unwrap_err();
    let problem = error.problem("cp1");
    assert_eq!(problem.exit, garboard::problem::Exit::NeedsPerson);
    assert_eq!(problem.message, "etcd has no quorum");
}

#[tokio::test]
async fn the_events_of_a_reset_come_before_its_report() {
    let session = open(BUFFER, |mut agent| async move {
        agent.welcome().await;
        let request = agent.request().await;
        assert!(matches!(request.body, Ask::Reset(_)));
        agent
            .say(request.id, Body::Started { id: StepId("stop".to_owned()), doing: "stopping".to_owned() })
            .await;
        agent.say(request.id, Body::Reset(ResetReport { restored: 3, ..ResetReport::default() })).await;
        agent.next().await;
    })
    .await
    .unwrap();
    let mut events = Vec::new();
    let report = session.reset(ResetOptions::default(), |event| events.push(event)).await.unwrap();
    assert_eq!(report.restored, 3);
    assert!(matches!(events.as_slice(), [Body::Started { .. }]));
}

#[tokio::test(start_paused = true)]
async fn fifteen_seconds_of_silence_end_the_session_for_all_who_wait() {
    let session = open(BUFFER, |mut agent| async move {
        agent.welcome().await;
        // Listens for ever, says nothing.
        while !matches!(agent.next().await, Arrival::End) {}
    })
    .await
    .unwrap();
    let before = Instant::now();
    let mut queue = session.queue(vec![]).unwrap();
    let (blob, file) = blob_of(&[7; 1000]);
    let (error, event, sent) =
        tokio::join!(session.owns(vec![]), queue.next(), session.send_blob(&blob, file.path(), 0, |_| {}));
    assert!(matches!(error, Err(SessionError::Silent)));
    assert!(matches!(event, Some(Err(SessionError::Silent))));
    assert!(matches!(sent, Err(SessionError::Silent)));
    assert!((15..17).contains(&before.elapsed().as_secs()), "{:?}", before.elapsed());
    // And for who comes later.
    assert!(matches!(session.cancel().await, Err(SessionError::Silent)));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_nothing_any_more_does_not_hold_a_blob_for_ever() {
    let session = open(BUFFER, |mut agent| async move {
        agent.welcome().await;
        std::future::pending::<()>().await;
        drop(agent);
    })
    .await
    .unwrap();
    let (blob, file) = blob_of(&vec![7; 12 * CHUNK_BYTES]);
    let sent = timeout(Duration::from_mins(1), session.send_blob(&blob, file.path(), 0, |_| {})).await;
    assert!(matches!(sent, Ok(Err(SessionError::Silent))), "{sent:?}");
}

#[tokio::test(start_paused = true)]
async fn any_byte_is_a_heartbeat_and_both_sides_send_them() {
    let (heard, beats) = oneshot::channel();
    let session = open(BUFFER, |mut agent| async move {
        use futures::StreamExt as _;
        agent.welcome().await;
        let Some(Ok(Frame::Message(content))) = agent.frames.next().await else { panic!("no request") };
        let request: garboard_protocol::Request = garboard_protocol::codec::read_message(&content).unwrap();
        // One frame, a byte every ten seconds: slow, but alive.
        let event = Event { number: 0, request: request.id, body: Body::Done };
        let mut wire = bytes::BytesMut::new();
        let frame = Frame::message(&event).unwrap();
        tokio_util::codec::Encoder::encode(&mut garboard_protocol::FrameCodec, frame, &mut wire).unwrap();
        let (mut tick, mut beats) = (interval(Duration::from_secs(10)), 0);
        for byte in &wire {
            let next = tick.tick();
            tokio::pin!(next);
            loop {
                tokio::select! {
                    _ = &mut next => break,
                    frame = agent.frames.next() => {
                        assert_eq!(frame.unwrap().unwrap(), Frame::Heartbeat);
                        beats += 1;
                    }
                }
            }
            agent.frames.get_mut().write_all(&[*byte]).await.unwrap();
        }
        heard.send((wire.len(), beats)).unwrap();
        agent.next().await;
    })
    .await
    .unwrap();
    session.owns(vec![]).await.unwrap();
    let (bytes, beats) = beats.await.unwrap();
    // Ten seconds a byte, five a heartbeat.
    assert!(beats >= 2 * (bytes - 1) - 2, "{beats} heartbeats in {bytes} bytes' time");
}

#[tokio::test]
async fn a_lost_stream_is_one_error_for_all() {
    let session = open(BUFFER, |mut agent| async move {
        agent.welcome().await;
        agent.request().await;
    })
    .await
    .unwrap();
    let mut queue = session.queue(vec![]).unwrap();
    assert!(matches!(queue.next().await, Some(Err(SessionError::Closed { .. }))));
    assert!(queue.next().await.is_none());
    assert!(matches!(session.owns(vec![]).await, Err(SessionError::Closed { .. })));
    assert!(matches!(session.pipe("127.0.0.1:6443").await, Err(SessionError::Closed { .. })));
}

#[tokio::test]
async fn what_makes_no_sense_is_no_conversation() {
    let session = open(BUFFER, |mut agent| async move {
        agent.welcome().await;
        agent.request().await;
        agent.frames.send(Frame::Message(Bytes::from_static(b"{}"))).await.unwrap();
        agent.next().await;
    })
    .await
    .unwrap();
    assert!(matches!(session.end().await, Err(SessionError::Protocol { .. })));
}

#[tokio::test]
async fn the_last_clone_dropped_cuts_the_stream() {
    let (gone, end) = oneshot::channel();
    let session = open(BUFFER, |mut agent| async move {
        agent.welcome().await;
        gone.send(matches!(agent.next().await, Arrival::End)).unwrap();
    })
    .await
    .unwrap();
    let clone = session.clone();
    drop(session);
    drop(clone);
    assert!(timeout(Duration::from_secs(5), end).await.unwrap().unwrap());
}

#[tokio::test]
async fn a_dropped_session_lets_go_of_a_stream_that_takes_nothing() {
    let (dropped, go_on) = oneshot::channel::<()>();
    let (rest, taken) = oneshot::channel();
    let session = open(BUFFER, |mut agent| async move {
        agent.welcome().await;
        go_on.await.unwrap();
        let mut bytes = Vec::new();
        agent.frames.get_mut().read_to_end(&mut bytes).await.unwrap();
        rest.send(bytes.len()).unwrap();
    })
    .await
    .unwrap();
    let (blob, file) = blob_of(&vec![7; 8 * CHUNK_BYTES]);
    let (position, mut accepted) = watch::channel(0);
    let sending = tokio::spawn(async move {
        let progress = |bytes| {
            position.send_replace(bytes);
        };
        session.send_blob(&blob, file.path(), 0, progress).await
    });
    accepted.wait_for(|bytes| *bytes == 4 * CHUNK_BYTES as u64).await.unwrap();
    // With it goes the only clone of the session.
    sending.abort();
    assert!(sending.await.unwrap_err().is_cancelled());
    // The cut happens in tasks of the session's own.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    dropped.send(()).unwrap();
    let taken = timeout(Duration::from_secs(10), taken).await.unwrap().unwrap();
    assert!(taken <= BUFFER, "{taken} bytes were still sent");
}

#[tokio::test]
async fn events_of_an_earlier_session_are_set_apart() {
    let session = open(BUFFER, |mut agent| async move {
        agent.welcome().await;
        let request = agent.request().await;
        // An earlier session counted its requests as this one does; its failures are not ours.
        for earlier in 1..=20 {
            let body = Body::Failed(failure(FailureKind::Step, "earlier"));
            agent.tell(Event { number: earlier, request: earlier, body }).await;
        }
        agent.say(request.id, Body::Done).await;
        agent.next().await;
    })
    .await
    .unwrap();
    session.owns(vec![]).await.unwrap();
    let mut replayed = session.replayed().unwrap();
    for number in 1..=20 {
        assert_eq!(replayed.recv().await.unwrap().number, number);
    }
    assert_eq!(session.seen(), Some(20));
}

#[tokio::test]
async fn four_pipes_at_a_time() {
    let session = open(BUFFER, |mut agent| async move {
        agent.welcome().await;
        agent.next().await;
    })
    .await
    .unwrap();
    let mut pipes = Vec::new();
    for _ in 0..4 {
        pipes.push(session.pipe("127.0.0.1:6443").await.unwrap());
    }
    let fifth = tokio::spawn({
        let session = session.clone();
        async move { session.pipe("127.0.0.1:6443").await }
    });
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(!fifth.is_finished());
    let mut pipe = pipes.pop().unwrap();
    pipe.write_all(b"ping").await.unwrap();
    let mut answer = [0; 4];
    pipe.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"ping");
    drop(pipe);
    timeout(Duration::from_secs(5), fifth).await.unwrap().unwrap().unwrap();
    assert_eq!(session.bytes_sent(), 42);
}
