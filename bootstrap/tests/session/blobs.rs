//! Blobs over a session, against a scripted agent.

use std::sync::{Arc, Mutex};

use garboard::session::SessionError;
use garboard_protocol::Digest;
use garboard_protocol::event::Body;
use garboard_protocol::limits::CHUNK_BYTES;
use garboard_protocol::step::Blob;
use tokio::sync::{oneshot, watch};

use crate::fake_agent::{Arrival, BUFFER, open};

fn pattern(index: usize) -> u8 {
    u8::try_from(index % 251).unwrap()
}

/// Content in a file, as the store has it.
pub(crate) fn blob_of(content: &[u8]) -> (Blob, tempfile::NamedTempFile) {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs_err::write(file.path(), content).unwrap();
    (Blob { digest: Digest::of(content), size: content.len() as u64 }, file)
}

#[tokio::test]
async fn a_blob_is_sent_from_its_offset_on_in_chunks() {
    let content: Vec<u8> = (0..3 * CHUNK_BYTES + 1005).map(pattern).collect();
    let (blob, file) = blob_of(&content);
    let offset = 1000;
    let (whole, digest) = (content.len() as u64, blob.digest);
    let session = open(BUFFER, move |mut agent| async move {
        agent.welcome().await;
        let mut position = offset;
        while position < whole {
            let Arrival::Chunk(chunk) = agent.next().await else { panic!("no chunk") };
            assert_eq!((chunk.offset, chunk.digest), (position, digest));
            let at = usize::try_from(position).unwrap();
            assert!(chunk.bytes == content[at..at + chunk.bytes.len()] && chunk.bytes.len() <= CHUNK_BYTES);
            position += chunk.bytes.len() as u64;
        }
        agent.say(0, Body::BlobStored { digest }).await;
        agent.next().await;
    })
    .await
    .unwrap();
    let steps = Arc::new(Mutex::new(Vec::new()));
    let noted = steps.clone();
    session.send_blob(&blob, file.path(), offset, move |at| noted.lock().unwrap().push(at)).await.unwrap();
    let steps = steps.lock().unwrap().clone();
    assert_eq!((steps.len(), steps.last()), (4, Some(&blob.size)));
    // All there: nothing is sent, nothing waited for.
    session.send_blob(&blob, file.path(), blob.size, |_| {}).await.unwrap();
}

#[tokio::test]
async fn a_refused_blob_is_an_error_and_so_is_one_of_the_wrong_size() {
    let (blob, file) = blob_of(b"content");
    let (digest, found) = (blob.digest, Digest::of(b"damaged"));
    let session = open(BUFFER, move |mut agent| async move {
        agent.welcome().await;
        assert!(matches!(agent.next().await, Arrival::Chunk(_)));
        agent.say(0, Body::BlobRefused { digest, found }).await;
        agent.next().await;
    })
    .await
    .unwrap();
    match session.send_blob(&blob, file.path(), 0, |_| {}).await.unwrap_err() {
        SessionError::BlobRefused { digest: expected, found: arrived } => {
            assert_eq!((expected, arrived), (digest, found));
        }
        error => panic!("{error:?}"),
    }
    let larger = Blob { size: 100, ..blob };
    let error = session.send_blob(&larger, file.path(), 0, |_| {}).await.unwrap_err();
    assert!(matches!(error, SessionError::BlobUnreadable { .. }), "{error:?}");
}

#[tokio::test]
async fn messages_overtake_waiting_chunks() {
    let (blob, file) = blob_of(&vec![1; 16 * CHUNK_BYTES]);
    let (stuck, chunks_wait) = oneshot::channel::<()>();
    let (order, seen) = oneshot::channel();
    let (digest, chunks) = (blob.digest, 16);
    let session = open(BUFFER, move |mut agent| async move {
        agent.welcome().await;
        // Takes nothing until the message has been written behind the first chunks.
        chunks_wait.await.unwrap();
        let (mut before, mut all) = (None, 0);
        while all < chunks {
            match agent.next().await {
                Arrival::Chunk(_) => all += 1,
                Arrival::Request(request) => {
                    before = Some(all);
                    agent.say(request.id, Body::Done).await;
                }
                Arrival::End => panic!("the end"),
            }
        }
        agent.say(0, Body::BlobStored { digest }).await;
        order.send(before).unwrap();
        agent.next().await;
    })
    .await
    .unwrap();
    let sending = session.clone();
    let (position, mut accepted) = watch::channel(0);
    let sent = tokio::spawn(async move {
        let progress = |bytes| {
            position.send_replace(bytes);
        };
        sending.send_blob(&blob, file.path(), 0, progress).await
    });
    // One chunk is being written, three wait.
    accepted.wait_for(|bytes| *bytes == 4 * CHUNK_BYTES as u64).await.unwrap();
    let asking = session.clone();
    let asked = tokio::spawn(async move { asking.cancel().await });
    // On a single thread this lets the request reach its place.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    stuck.send(()).unwrap();
    asked.await.unwrap().unwrap();
    sent.await.unwrap().unwrap();
    assert_eq!(seen.await.unwrap(), Some(1), "chunks that went before the message");
}
