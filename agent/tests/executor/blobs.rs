//! Blobs on their way to a host: resumed, refused, checked again before use.

use crate::client::{Client, Lab, blob};
use garboard_protocol::event::Body;
use garboard_protocol::request;
use garboard_protocol::step::Blob;

const PIECE: usize = 1024;

fn content(seed: u8) -> Vec<u8> {
    (0..10 * PIECE + 17).map(|index| index.to_le_bytes()[0] ^ index.to_le_bytes()[1] ^ seed).collect()
}

async fn announce(client: &mut Client, id: u64, blobs: Vec<Blob>) -> Vec<(Blob, u64)> {
    client.send(id, request::Body::Blobs { blobs }).await;
    match client.end_of(id).await {
        Body::Blobs { present } => present,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_step_waits_for_its_blob() {
    let lab = Lab::new();
    let program = content(1);
    let name = blob(&program);
    let mut client = lab.client(None).await;
    assert_eq!(announce(&mut client, 2, vec![name]).await, [(name, 0)]);
    client.send(3, request::Body::Queue { steps: vec![lab.artifact(1, &program)] }).await;
    client.send_blob(name.digest, &program, 0, PIECE).await;
    let events = client.until_end(3).await;
    let stored = events.iter().position(|event| matches!(event.body, Body::BlobStored { .. })).unwrap();
    let started = events.iter().position(|event| matches!(event.body, Body::Started { .. })).unwrap();
    assert!(stored < started, "{events:#?}");
    assert_eq!(events[stored].request, 0);
    assert_eq!(fs_err::read(lab.path("program1")).unwrap(), program);
    assert_eq!(announce(&mut client, 4, vec![name]).await, [(name, name.size)]);
}

#[tokio::test]
async fn a_transfer_resumes_at_the_chunk_with_the_next_connection_and_with_the_next_executor() {
    let lab = Lab::new();
    let program = content(2);
    let name = blob(&program);
    let mut client = lab.client(None).await;
    announce(&mut client, 2, vec![name]).await;
    client.send_blob(name.digest, &program[..4 * PIECE], 0, PIECE).await;
    // Frames are taken in order, so the answer comes after the chunks.
    assert_eq!(announce(&mut client, 3, vec![name]).await, [(name, 4 * PIECE as u64)]);
    drop(client);

    let mut client = lab.client(None).await;
    assert_eq!(announce(&mut client, 2, vec![name]).await, [(name, 4 * PIECE as u64)]);
    client.send_blob(name.digest, &program[..6 * PIECE], 4 * PIECE, PIECE).await;
    assert_eq!(announce(&mut client, 3, vec![name]).await, [(name, 6 * PIECE as u64)]);
    lab.executor.abort();

    let next = Lab::on(lab.root);
    let mut client = next.client(None).await;
    assert_eq!(announce(&mut client, 2, vec![name]).await, [(name, 6 * PIECE as u64)]);
    client.send_blob(name.digest, &program, 6 * PIECE, PIECE).await;
    assert!(
        matches!(client.next().await.unwrap().body, Body::BlobStored { digest } if digest == name.digest)
    );
    let path = next.layout.complete_blobs().join(name.digest.hex());
    assert_eq!(fs_err::read(path).unwrap(), program);
}

#[tokio::test]
async fn a_wrong_blob_is_thrown_away_and_may_come_again() {
    let lab = Lab::new();
    let program = content(3);
    let name = blob(&program);
    let mut flipped = program.clone();
    flipped[5000] ^= 1;
    let mut client = lab.client(None).await;
    announce(&mut client, 2, vec![name]).await;
    client.send_blob(name.digest, &flipped, 0, PIECE).await;
    let Body::BlobRefused { digest, found } = client.next().await.unwrap().body else {
        panic!("it was taken")
    };
    assert_eq!((digest, found), (name.digest, blob(&flipped).digest));
    assert_eq!(announce(&mut client, 3, vec![name]).await, [(name, 0)]);
    client.send_blob(name.digest, &program, 0, PIECE).await;
    assert!(matches!(client.next().await.unwrap().body, Body::BlobStored { .. }));
}

#[tokio::test]
async fn chunks_that_nobody_announced_or_that_leave_a_gap_end_the_connection() {
    let lab = Lab::new();
    let program = content(4);
    let name = blob(&program);
    for (announced, offset, expected) in [(false, 0, "not announced"), (true, 2 * PIECE, "does not fit")] {
        let mut client = lab.client(None).await;
        if announced {
            announce(&mut client, 2, vec![name]).await;
        }
        client.send_blob(name.digest, &program[..3 * PIECE], offset, PIECE).await;
        let Body::Failed(failure) = client.next().await.unwrap().body else { panic!("it was taken") };
        assert!(failure.message.contains(expected), "{}", failure.message);
        assert!(client.next().await.is_none());
    }
}

#[tokio::test]
async fn steps_whose_blobs_are_missing_wait_for_the_client_that_comes_back() {
    let lab = Lab::new();
    let program = content(5);
    let name = blob(&program);
    let mut client = lab.client(None).await;
    announce(&mut client, 2, vec![name]).await;
    let steps = vec![lab.held(1), lab.artifact(2, &program), lab.file(3, "after it")];
    client.send(3, request::Body::Queue { steps: steps.clone() }).await;
    client.until_started(1).await;
    client.send_blob(name.digest, &program[..4 * PIECE], 0, PIECE).await;
    client.send(4, request::Body::Blobs { blobs: vec![name] }).await;
    while client.next().await.unwrap().request != 4 {}
    drop(client);
    lab.release(1).await;
    let mut back = lab.client(Some(0)).await;
    // It cannot know whether its steps had arrived: they are not queued a second time.
    back.send(3, request::Body::Queue { steps }).await;
    back.send(4, request::Body::Blobs { blobs: vec![name] }).await;
    let mut started = 0;
    loop {
        let event = back.next().await.unwrap();
        started += usize::from(matches!(event.body, Body::Started { .. }));
        assert!(!event.body.is_terminal() || event.request == 4, "{event:?}");
        if let Body::Blobs { present } = event.body {
            assert_eq!(present, [(name, 4 * PIECE as u64)]);
            break;
        }
    }
    assert!(!lab.path("file3").exists(), "a later step overtook one that could not run");
    back.send_blob(name.digest, &program, 4 * PIECE, PIECE).await;
    let rest = back.until_end(3).await;
    assert!(matches!(rest.last().unwrap().body, Body::Done), "{rest:#?}");
    started += rest.iter().filter(|event| matches!(event.body, Body::Started { .. })).count();
    assert_eq!(started, 3, "each step once: {rest:#?}");
    back.send(5, request::Body::Queue { steps: vec![lab.file(4, "last")] }).await;
    let others = back.until_end(5).await;
    assert!(others.iter().all(|event| event.request == 5), "they were queued twice: {others:#?}");
    assert!(lab.path("file3").exists());
}

#[tokio::test]
async fn another_invocation_drops_steps_whose_blobs_never_came() {
    let lab = Lab::new();
    let program = content(9);
    let mut client = lab.client(None).await;
    client.send(3, request::Body::Queue { steps: vec![lab.artifact(1, &program), lab.file(3, "no")] }).await;
    // Requests are taken in order: the queue has it by then.
    announce(&mut client, 4, vec![blob(&program)]).await;
    drop(client);
    let mut next = lab.client(None).await;
    next.send(5, request::Body::Queue { steps: vec![lab.file(4, "yes")] }).await;
    assert!(matches!(next.end_of(5).await, Body::Done));
    assert!(!lab.path("file3").exists());
}

#[tokio::test]
async fn a_stored_blob_that_went_bad_is_never_installed_and_is_sent_anew() {
    let lab = Lab::new();
    let program = content(6);
    let name = blob(&program);
    let mut client = lab.client(None).await;
    announce(&mut client, 2, vec![name]).await;
    client.send_blob(name.digest, &program, 0, PIECE).await;
    assert!(matches!(client.next().await.unwrap().body, Body::BlobStored { .. }));
    let stored = lab.layout.complete_blobs().join(name.digest.hex());
    let mut flipped = program.clone();
    flipped[77] ^= 4;
    fs_err::write(&stored, flipped).unwrap();
    client.send(3, request::Body::Queue { steps: vec![lab.artifact(1, &program)] }).await;
    let Body::Failed(failure) = client.end_of(3).await else { panic!("it was installed") };
    assert!(failure.causes.iter().any(|cause| cause.contains("had gone bad")), "{failure:?}");
    assert!(!lab.path("program1").exists() && !stored.exists());
    assert_eq!(announce(&mut client, 4, vec![name]).await, [(name, 0)]);
}

#[tokio::test]
async fn a_run_that_changes_nothing_takes_its_blobs_along() {
    let lab = Lab::new();
    let (first, second) = (content(7), content(8));
    let mut client = lab.client(None).await;
    announce(&mut client, 2, vec![blob(&first)]).await;
    client.send(3, request::Body::Queue { steps: vec![lab.artifact(1, &first)] }).await;
    client.send_blob(blob(&first).digest, &first, 0, PIECE).await;
    client.until_end(3).await;
    client.send(4, request::Body::End).await;
    client.until_end(4).await;

    let next = Lab::on(lab.root);
    let mut client = next.client(None).await;
    announce(&mut client, 2, vec![blob(&second)]).await;
    client.send_blob(blob(&second).digest, &second, 0, PIECE).await;
    client.next().await.unwrap();
    client.send(3, request::Body::End).await;
    client.until_end(3).await;
    let left: Vec<_> = fs_err::read_dir(next.layout.complete_blobs()).unwrap().collect();
    assert_eq!(left.len(), 1, "the first run's blob stays, the second's goes: {left:?}");
}
