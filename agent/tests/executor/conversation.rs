//! The executor over in-memory streams: what it does for a client, and without one.

use crate::client::{Client, Lab, agent};
use bytes::Bytes;
use garboard_protocol::event::{Body, Failure, FailureKind};
use garboard_protocol::request::{self, FactsQuery};
use garboard_protocol::{Digest, Frame, StepId};

fn failure(body: Body) -> Failure {
    match body {
        Body::Failed(failure) => failure,
        other => panic!("expected a failure, got {other:?}"),
    }
}

#[tokio::test]
async fn steps_run_in_order_and_end_with_done() {
    let lab = Lab::new();
    let mut client = lab.client(None).await;
    client.send(2, request::Body::Queue { steps: vec![lab.file(1, "one"), lab.file(2, "two")] }).await;
    let events = client.until_end(2).await;
    let names: Vec<String> = events
        .iter()
        .map(|event| match &event.body {
            Body::Started { id, .. } => format!("started {id}"),
            Body::Finished { id, changes, .. } => format!("finished {id} {}", changes.len()),
            other => format!("{other:?}"),
        })
        .collect();
    assert_eq!(names, ["started test/1", "finished test/1 1", "started test/2", "finished test/2 1", "Done"]);
    assert_eq!(events.iter().map(|event| event.number).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    assert_eq!(fs_err::read_to_string(lab.path("file2")).unwrap(), "two");
}

#[tokio::test]
async fn another_run_is_told_who_holds_the_host() {
    let lab = Lab::new();
    let _holder = lab.client(None).await;
    let mut other = Client::attach(&lab.door);
    let failure = failure(other.hello("other", agent(), None).await);
    assert_eq!(failure.kind, FailureKind::Held);
    assert_eq!(failure.message, "held by me@laptop since 2026-11-21T09:00:00Z (run run)");
    assert!(other.next().await.is_none(), "the connection stays open");
}

#[tokio::test]
async fn a_new_client_of_the_run_takes_over_and_the_waiting_steps_are_dropped() {
    let lab = Lab::new();
    let mut first = lab.client(None).await;
    first.send(2, request::Body::Queue { steps: vec![lab.held(1), lab.file(2, "never")] }).await;
    first.until_started(1).await;

    let mut second = Client::attach(&lab.door);
    let Body::Welcome(welcome) = second.hello("run", agent(), None).await else { panic!("not welcome") };
    assert_eq!(welcome.running, Some(StepId("test/1".into())));
    while first.next().await.is_some() {}

    second.send(2, request::Body::Facts(FactsQuery::default())).await;
    lab.release(1).await;
    let events = second.until_end(2).await;
    let finished = events.iter().find(|event| matches!(event.body, Body::Finished { .. })).unwrap();
    assert_eq!(finished.request, 0, "it would be taken for an answer to the new client's own request");
    assert!(matches!(events.last().unwrap().body, Body::Facts(_)));
    // Whatever was still queued would be done before this.
    second.send(3, request::Body::Queue { steps: vec![lab.file(3, "now")] }).await;
    assert!(matches!(second.end_of(3).await, Body::Done));
    assert!(!lab.path("file2").exists());
}

#[tokio::test]
async fn a_client_that_comes_back_gets_what_it_missed() {
    let lab = Lab::new();
    let mut first = lab.client(None).await;
    first.send(7, request::Body::Queue { steps: vec![lab.held(1), lab.file(2, "two")] }).await;
    first.until_started(1).await;
    drop(first);
    lab.release(1).await;
    // Without a client the queue goes on to its end.
    let mut watched = lab.client(Some(0)).await;
    let replayed = watched.until_end(7).await;
    let numbers: Vec<u64> = replayed.iter().map(|event| event.number).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    drop(watched);
    let mut late = lab.client(Some(2)).await;
    assert_eq!(late.next().await.unwrap().number, 3);
}

#[tokio::test(start_paused = true)]
async fn a_silent_client_is_let_go_and_its_queue_goes_on() {
    let lab = Lab::new();
    let mut client = lab.client(None).await;
    let begun = tokio::time::Instant::now();
    client.send(2, request::Body::Queue { steps: vec![lab.file(1, "one")] }).await;
    client.until_end(2).await;
    assert!(client.next().await.is_none());
    assert_eq!(begun.elapsed().as_secs(), 15);
}

#[tokio::test(start_paused = true)]
async fn an_executor_nobody_comes_back_to_leaves_after_ten_minutes() {
    let lab = Lab::new();
    let begun = tokio::time::Instant::now();
    drop(lab.client(None).await);
    lab.executor.await.unwrap().unwrap();
    assert_eq!(begun.elapsed().as_secs(), 600);
    assert!(!lab.layout.state.exists() && !lab.layout.run.exists());
}

#[tokio::test(start_paused = true)]
async fn a_client_says_how_long_it_is_waited_for_and_one_that_never_spoke_not_long() {
    let lab = Lab::new();
    let begun = tokio::time::Instant::now();
    let mut client = Client::attach(&lab.door);
    assert!(matches!(client.hello_for("run", agent(), None, 40).await, Body::Welcome(_)));
    drop(client);
    lab.executor.await.unwrap().unwrap();
    assert_eq!(begun.elapsed().as_secs(), 40);

    let lab = Lab::new();
    let begun = tokio::time::Instant::now();
    drop(Client::attach(&lab.door));
    lab.executor.await.unwrap().unwrap();
    assert_eq!(begun.elapsed().as_secs(), 30);
}

#[tokio::test(start_paused = true)]
async fn another_run_is_told_when_the_host_is_free_and_its_asking_changes_nothing_about_that() {
    let lab = Lab::new();
    let begun = tokio::time::Instant::now();
    let there = lab.client(None).await;
    let told = || async {
        let answer = Client::attach(&lab.door).hello("other", agent(), None).await;
        let Body::Failed(failure) = answer else { panic!("{answer:?}") };
        assert_eq!(failure.kind, FailureKind::Held);
        assert!(failure.message.contains("me@laptop since 2026-11-21T09:00:00Z"), "{}", failure.message);
        failure.help.unwrap()
    };
    let help = told().await;
    assert!(help.contains("wait for that run") && help.contains("10 minutes after its last step"), "{help}");
    drop(there);
    while !told().await.contains("nobody is connected") {
        tokio::task::yield_now().await;
    }
    for minutes in [4, 4] {
        tokio::time::advance(std::time::Duration::from_mins(minutes)).await;
        told().await;
    }
    let help = told().await;
    assert!(help.contains("in 2 min 0 s") || help.contains("in 1 min 59 s"), "{help}");
    lab.executor.await.unwrap().unwrap();
    assert_eq!(begun.elapsed().as_secs(), 600);
}

#[tokio::test]
async fn a_failed_step_ends_its_request_and_cancels_what_waits() {
    let lab = Lab::new();
    fs_err::create_dir_all(lab.path("file1/x")).unwrap();
    let mut client = lab.client(None).await;
    client
        .send(2, request::Body::Queue { steps: vec![lab.held(9), lab.file(1, "no"), lab.file(2, "no")] })
        .await;
    client.until_started(9).await;
    client.send(3, request::Body::Queue { steps: vec![lab.file(3, "no")] }).await;
    lab.release(9).await;
    let failed = failure(client.end_of(2).await);
    assert_eq!(failed.step, Some(StepId("test/1".into())));
    assert!(matches!(failed.kind, FailureKind::Step | FailureKind::NeedsPerson), "{failed:?}");
    let cancelled = failure(client.end_of(3).await);
    assert_eq!(cancelled.kind, FailureKind::Cancelled);
    assert!(!lab.path("file2").exists() && !lab.path("file3").exists());
}

#[tokio::test]
async fn cancel_lets_the_running_step_end_and_drops_the_rest() {
    let lab = Lab::new();
    let mut client = lab.client(None).await;
    client.send(2, request::Body::Queue { steps: vec![lab.held(1), lab.file(2, "no")] }).await;
    client.until_started(1).await;
    client.send(3, request::Body::Cancel).await;
    lab.release(1).await;
    let events = client.until_end(3).await;
    let finished = events.iter().position(|event| matches!(event.body, Body::Finished { .. })).unwrap();
    let cancelled = events.iter().position(|event| event.request == 2 && event.body.is_terminal()).unwrap();
    assert!(finished < cancelled, "{events:#?}");
    assert_eq!(failure(events[cancelled].body.clone()).kind, FailureKind::Cancelled);
    assert!(!lab.path("file2").exists());
    // And it is ready for more.
    client.send(4, request::Body::Queue { steps: vec![lab.file(2, "yes")] }).await;
    assert!(matches!(client.end_of(4).await, Body::Done));
}

#[tokio::test]
async fn a_request_it_does_not_know_is_refused_by_its_id() {
    let lab = Lab::new();
    let mut client = lab.client(None).await;
    client.send_frame(Frame::Message(Bytes::from_static(br#"{"id":42,"body":{"dance":{}}}"#))).await;
    let event = client.next().await.unwrap();
    assert_eq!(event.request, 42);
    let failure = failure(event.body);
    assert_eq!(failure.kind, FailureKind::Refused);
    assert!(failure.message.contains("dance"), "{}", failure.message);
}

#[tokio::test]
async fn nothing_is_done_before_hello() {
    let lab = Lab::new();
    let mut client = Client::attach(&lab.door);
    client.send(5, request::Body::Queue { steps: vec![lab.file(1, "no")] }).await;
    let event = client.next().await.unwrap();
    assert_eq!((event.request, failure(event.body).kind), (5, FailureKind::Refused));
    assert!(client.next().await.is_none());
    assert!(!lab.path("file1").exists());
}

#[tokio::test]
async fn an_executor_of_another_version_makes_room() {
    let lab = Lab::new();
    let mut first = lab.client(None).await;
    first.send(2, request::Body::Queue { steps: vec![lab.held(1)] }).await;
    first.until_started(1).await;
    let mut newer = Client::attach(&lab.door);
    let failure = failure(newer.hello("run", Digest::of(b"newer"), None).await);
    assert_eq!(failure.kind, FailureKind::Refused);
    lab.release(1).await;
    lab.executor.await.unwrap().unwrap();
    assert!(lab.root.path().join("held1.done").exists(), "the running step was cut");
}

#[tokio::test]
async fn probing_writes_nothing_and_the_end_leaves_nothing() {
    let lab = Lab::new();
    fs_err::create_dir_all(&lab.layout.run).unwrap();
    fs_err::create_dir_all(&lab.layout.state).unwrap();
    fs_err::write(lab.layout.state.join("agent-abc"), "program").unwrap();
    let mut client = lab.client(None).await;
    client.send(2, request::Body::Probe { steps: vec![lab.file(1, "one")] }).await;
    assert!(matches!(client.end_of(2).await, Body::Done));
    assert!(!lab.path("file1").exists());
    client.send(3, request::Body::End).await;
    assert!(matches!(client.end_of(3).await, Body::Done));
    lab.executor.await.unwrap().unwrap();
    assert!(!lab.layout.state.exists() && !lab.layout.run.exists());
}

#[tokio::test]
async fn a_run_that_changed_something_keeps_its_notes_and_only_its_own_agent() {
    let lab = Lab::new();
    fs_err::create_dir_all(&lab.layout.state).unwrap();
    let ours = lab.layout.state.join(format!("agent-{}", agent().hex()));
    let older = lab.layout.state.join("agent-0123");
    fs_err::write(&ours, "ours").unwrap();
    fs_err::write(&older, "older").unwrap();
    let mut client = lab.client(None).await;
    client.send(2, request::Body::Queue { steps: vec![lab.file(1, "one")] }).await;
    client.until_end(2).await;
    client.send(3, request::Body::End).await;
    assert!(matches!(client.end_of(3).await, Body::Done));
    lab.executor.await.unwrap().unwrap();
    assert!(ours.exists() && !older.exists());
    assert!(lab.layout.entries().exists() && lab.layout.snapshot().exists() && !lab.layout.intent().exists());

    // A later run that changes nothing leaves it all as it is.
    let next = Lab::on(lab.root);
    let mut client = next.client(None).await;
    client.send(2, request::Body::Queue { steps: vec![next.file(1, "one")] }).await;
    client.until_end(2).await;
    client.send(3, request::Body::End).await;
    client.until_end(3).await;
    assert!(ours.exists() && next.layout.entries().exists());
}

#[tokio::test]
async fn a_change_is_confirmed_only_by_a_client_that_came_after_it() {
    let lab = Lab::new();
    let mut old = lab.client(None).await;
    old.send(2, request::Body::Queue { steps: vec![lab.guarded(1)] }).await;
    let id = loop {
        if let Body::Unconfirmed { id, .. } = old.next().await.unwrap().body {
            break id;
        }
    };
    old.send(3, request::Body::Confirm { id: id.clone() }).await;
    let refused = failure(old.end_of(3).await);
    assert!(refused.message.contains("the connection is older"), "{}", refused.message);
    assert!(!lab.path("guarded1").exists());

    let mut young = lab.client(Some(0)).await;
    young.send(4, request::Body::Confirm { id }).await;
    let events = young.until_end(2).await;
    assert!(matches!(events.last().unwrap().body, Body::Done), "{events:?}");
    assert!(events.iter().any(|event| event.request == 4 && matches!(event.body, Body::Done)), "{events:?}");
    assert!(lab.path("guarded1").exists());
}
