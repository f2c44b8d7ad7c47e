//! Plain files, the folder's edge, and the request log.

use garboard_lab::mirror::{Mirror, MirrorError, Options};
use reqwest::{Method, StatusCode, header};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::fixture::{Fixture, KUBEADM, RUNC, hex, send};

#[tokio::test]
async fn an_interrupted_transfer_can_be_resumed() {
    let fixture = Fixture::new().await;
    let url = format!("{}/{KUBEADM}", fixture.mirror.url());
    let whole = send(Method::GET, &url, &[]).await;
    let tag = whole.headers()[header::ETAG].to_str().unwrap().to_owned();
    assert_eq!(whole.headers()[header::CONTENT_LENGTH], fixture.content.len().to_string());
    let rest = [(header::RANGE, "bytes=300000-"), (header::IF_RANGE, tag.as_str())];
    let answer = send(Method::GET, &url, &rest).await;
    assert_eq!(answer.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(answer.headers()[header::CONTENT_RANGE], "bytes 300000-799999/800000");
    assert_eq!(answer.bytes().await.unwrap(), fixture.content[300_000..]);
    let stale = [(header::RANGE, "bytes=300000-"), (header::IF_RANGE, "\"another\"")];
    assert_eq!(send(Method::GET, &url, &stale).await.status(), StatusCode::OK);
    let beyond = send(Method::GET, &url, &[(header::RANGE, "bytes=800000-")]).await;
    assert_eq!(beyond.status(), StatusCode::RANGE_NOT_SATISFIABLE);
    let unchanged = send(Method::GET, &url, &[(header::IF_NONE_MATCH, &tag)]).await;
    assert_eq!(unchanged.status(), StatusCode::NOT_MODIFIED);

    let link = fixture.layer_link().await;
    let answer = send(Method::GET, &link, &[(header::RANGE, "bytes=5-9")]).await;
    assert_eq!(answer.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(answer.bytes().await.unwrap(), fixture.content[5..10]);
}

#[tokio::test]
async fn checksums_are_published_as_each_host_writes_them() {
    let fixture = Fixture::new().await;
    let bare = fixture.get(&format!("/{KUBEADM}.sha256")).await.text().await.unwrap();
    assert_eq!(bare, hex(&fixture.content));
    let named = fixture.get(&format!("/{RUNC}.sha256")).await.text().await.unwrap();
    assert_eq!(named, format!("{}  runc.amd64\n", hex(b"runc")));
    let missing = fixture.get("/dl.k8s.io/no/such/file.sha256").await;
    assert_eq!(missing.status(), StatusCode::NOT_FOUND);
}

/// Sends a path as it stands: HTTP clients tidy it up.
async fn raw(fixture: &Fixture, path: &str) -> String {
    let address = fixture.mirror.url().replace("http://", "");
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: mirror\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn nothing_outside_the_folder_is_served() {
    let fixture = Fixture::new().await;
    for path in ["/dl.k8s.io/../../../secret", "/dl.k8s.io/%2e%2e/%2e%2e/%2e%2e/secret", "//secret"] {
        let answer = raw(&fixture, path).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{path}: {answer}");
    }
    let link = fixture.folder.path().join("mirror/files/dl.k8s.io/link");
    std::os::unix::fs::symlink(fixture.folder.path().join("secret"), link).unwrap();
    let answer = raw(&fixture, "/dl.k8s.io/link").await;
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
}

#[tokio::test]
async fn the_mirror_cannot_be_written_to() {
    let fixture = Fixture::new().await;
    let answer = fixture.send(Method::PUT, &format!("/{KUBEADM}"), &[]).await;
    assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn the_log_counts_what_was_fetched_and_shows_no_signature() {
    let fixture = Fixture::new().await;
    assert_eq!(fixture.requests(), []);
    fixture.pull_layer().await.unwrap();
    let requests = fixture.requests();
    let fetched = requests.iter().find(|request| request.path.starts_with("/cdn/")).unwrap();
    assert_eq!((fetched.bytes, fetched.complete, fetched.status), (800_000, true, 200));
    assert!(!fs_err::read_to_string(&fixture.log).unwrap().contains("signature"));
    fixture.send(Method::HEAD, &format!("/{KUBEADM}"), &[]).await;
    let head = fixture.requests().pop().unwrap();
    assert_eq!((head.method.as_str(), head.bytes), ("HEAD", 0));
    assert_eq!(fixture.requests().len(), requests.len() + 1);
}

#[tokio::test]
async fn a_folder_that_is_no_mirror_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let error = Mirror::start(folder.path(), listener, Options::default()).await.err().unwrap();
    assert!(matches!(error, MirrorError::NoMirror { .. }), "{error}");
    assert!(error.to_string().contains(&folder.path().display().to_string()));
}
