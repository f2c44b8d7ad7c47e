//! What goes wrong on purpose does so as it would in earnest.

use std::num::NonZeroU64;
use std::time::{Duration, Instant};

use garboard_lab::mirror::{Faults, Options};
use reqwest::{Method, StatusCode, header};

use crate::fixture::{Fixture, KUBEADM, RUNC, send};

#[tokio::test]
async fn a_flipped_bit_is_one_bit_and_a_client_notices_it() {
    let fixture = Fixture::new().await;
    let faults = Faults {
        flip_bit: [(fixture.layer.clone(), 8 * 500_000 + 3), ("kubeadm".to_owned(), 0)].into(),
        ..Faults::default()
    };
    fixture.mirror.set_faults(faults);
    let error = fixture.pull_layer().await.unwrap_err().to_string();
    assert!(error.to_lowercase().contains("digest"), "{error}");
    let spoilt = send(Method::GET, &fixture.layer_link().await, &[]).await.bytes().await.unwrap();
    let differing: Vec<usize> = (0..spoilt.len()).filter(|at| spoilt[*at] != fixture.content[*at]).collect();
    assert_eq!(differing, [500_000]);
    assert_eq!(spoilt[500_000] ^ fixture.content[500_000], 1 << 3);
    let part = fixture.send(Method::GET, &format!("/{KUBEADM}"), &[(header::RANGE, "bytes=1-9")]).await;
    assert_eq!(part.bytes().await.unwrap(), fixture.content[1..10]);
    fixture.mirror.set_faults(Faults::default());
    assert_eq!(fixture.pull_layer().await.unwrap(), fixture.content);
}

#[tokio::test]
async fn a_truncated_transfer_breaks_off_and_the_log_says_so() {
    let fixture = Fixture::new().await;
    let truncate = [("kubeadm".to_owned(), 123_456)].into();
    fixture.mirror.set_faults(Faults { truncate, ..Faults::default() });
    let mut answer = fixture.get(&format!("/{KUBEADM}")).await;
    assert_eq!(answer.headers()[header::CONTENT_LENGTH], fixture.content.len().to_string());
    let mut received = Vec::new();
    let end = loop {
        match answer.chunk().await {
            Ok(Some(chunk)) => received.extend_from_slice(&chunk),
            end => break end,
        }
    };
    assert!(end.is_err(), "a client must be able to tell");
    assert_eq!(received, fixture.content[..123_456]);
    let logged = fixture.requests().pop().unwrap();
    assert_eq!((logged.bytes, logged.complete), (123_456, false));
}

#[tokio::test]
async fn a_captive_portal_answers_with_a_page() {
    let fixture = Fixture::new().await;
    fixture.mirror.set_faults(Faults { html: [String::new()].into(), ..Faults::default() });
    for url in [format!("{}/{KUBEADM}", fixture.mirror.url()), fixture.layer_link().await] {
        let answer = send(Method::GET, &url, &[]).await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert!(answer.headers()[header::CONTENT_TYPE].to_str().unwrap().starts_with("text/html"));
        assert!(answer.text().await.unwrap().contains("<html>"));
    }
}

#[tokio::test]
async fn a_slow_transfer_takes_its_time() {
    let fixture = Fixture::new().await;
    let slow = [("kubeadm".to_owned(), NonZeroU64::new(2_000_000).unwrap())].into();
    fixture.mirror.set_faults(Faults { slow, ..Faults::default() });
    let begun = Instant::now();
    let answer = fixture.get(&format!("/{KUBEADM}")).await;
    assert_eq!(answer.bytes().await.unwrap(), fixture.content);
    assert!(begun.elapsed() >= Duration::from_millis(300), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn the_control_file_switches_faults_while_it_exists() {
    let place = tempfile::tempdir().unwrap();
    let control = place.path().join("faults.json");
    let options = Options { control: Some(control.clone()), ..Options::default() };
    let fixture = Fixture::with(options).await;
    let path = format!("/{RUNC}");
    assert_eq!(fixture.get(&path).await.text().await.unwrap(), "runc");
    fs_err::write(&control, r#"{"flip_bit": {"runc": 0}}"#).unwrap();
    assert_eq!(fixture.get(&path).await.text().await.unwrap(), "sunc");
    fs_err::remove_file(&control).unwrap();
    assert_eq!(fixture.get(&path).await.text().await.unwrap(), "runc");
}
