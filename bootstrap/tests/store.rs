//! The store against an upstream that misbehaves as real ones do.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic too")]

mod upstream_server;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use garboard::store::{Listener, Patience, Progress, Source, Store, StoreError, Upstream, silent};
use garboard_protocol::Digest;
use upstream_server::{Built, Fault, Server};

const PLACE: &str = "dl.k8s.io/release/v1.36.3/bin/linux/amd64/kubeadm";

fn content() -> Vec<u8> {
    (0..300_000_u32).flat_map(u32::to_le_bytes).collect()
}

fn hasty() -> Patience {
    Patience { attempts: 4, first_pause: Duration::from_millis(1), ..Patience::default() }
}

fn open(folder: &Path, server: &Server, listener: Listener) -> Store {
    Store::open(folder, Upstream::mirror(&server.url).unwrap(), hasty(), listener).unwrap()
}

fn source() -> Source {
    Source::file(format!("https://{PLACE}"))
}

fn path() -> String {
    format!("/{PLACE}")
}

/// Names of all files in the store.
fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = ["sha256", "partial"]
        .iter()
        .flat_map(|part| fs_err::read_dir(folder.join(part)).unwrap())
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

struct Scene {
    server: Server,
    folder: tempfile::TempDir,
    store: Store,
    digest: Digest,
    size: u64,
    told: Arc<Mutex<Vec<Progress>>>,
}

async fn scene() -> Scene {
    let server = Server::start().await;
    server.file(PLACE, content());
    let folder = tempfile::tempdir().unwrap();
    let told = Arc::new(Mutex::new(Vec::new()));
    let listening = Arc::clone(&told);
    let store = open(folder.path(), &server, Arc::new(move |news| listening.lock().unwrap().push(news)));
    let (digest, size) = (Digest::of(&content()), content().len() as u64);
    Scene { server, folder, store, digest, size, told }
}

impl Scene {
    async fn ensure(&self) -> Result<std::path::PathBuf, StoreError> {
        self.store.ensure(&source(), self.digest, Some(self.size)).await
    }
}

#[tokio::test]
async fn callers_that_want_the_same_blob_share_one_transfer() {
    let scene = scene().await;
    let results = futures::future::join_all((0..8).map(|_| scene.ensure())).await;
    for result in results {
        assert_eq!(fs_err::read(result.unwrap()).unwrap(), content());
    }
    assert_eq!(scene.server.asked().len(), 1);
    let done = |news: &Progress| matches!(news, Progress::Fetching { done, total, .. } if done == total);
    assert!(scene.told.lock().unwrap().iter().any(done));
}

#[tokio::test]
async fn callers_that_want_the_same_blob_share_its_failure() {
    let scene = scene().await;
    let absent = Source::file("https://dl.k8s.io/absent");
    let attempts = (0..8).map(|_| scene.store.ensure(&absent, scene.digest, None));
    let results = futures::future::join_all(attempts).await;
    assert!(results.iter().all(|result| matches!(result, Err(StoreError::Status { .. }))), "{results:?}");
    assert_eq!(scene.server.asked().len(), 1);
}

#[tokio::test]
async fn a_blob_that_is_there_is_not_asked_for_again() {
    let scene = scene().await;
    scene.ensure().await.unwrap();
    let later = open(scene.folder.path(), &scene.server, silent());
    later.ensure(&source(), scene.digest, Some(scene.size)).await.unwrap();
    assert_eq!(scene.server.asked().len(), 1);
}

#[tokio::test]
async fn a_busy_server_is_given_the_time_it_asks_for() {
    let scene = scene().await;
    scene.server.fail(&path(), [Fault::Busy(1), Fault::Unavailable]);
    let before = Instant::now();
    scene.ensure().await.unwrap();
    assert!(before.elapsed() >= Duration::from_secs(1));
    assert_eq!(scene.server.asked().len(), 3);
}

#[tokio::test]
async fn a_server_that_never_answers_well_is_given_up_with_its_reason() {
    let scene = scene().await;
    scene.server.fail(&path(), std::iter::repeat_n(Fault::Unavailable, 10));
    let error = scene.ensure().await.unwrap_err();
    let StoreError::GaveUp { attempts: 4, url, cause } = &error else { panic!("{error:?}") };
    assert!(url.ends_with(PLACE), "{url}");
    assert!(cause.to_string().contains("503 Service Unavailable: overloaded"), "{cause}");
}

#[tokio::test]
async fn a_missing_file_is_asked_for_once() {
    let scene = scene().await;
    let absent = Source::file("https://dl.k8s.io/absent");
    let error = scene.store.ensure(&absent, scene.digest, None).await.unwrap_err();
    assert!(error.to_string().contains("/dl.k8s.io/absent` was answered with 404 Not Found"), "{error}");
    assert_eq!(scene.server.asked().len(), 1);
}

#[tokio::test]
async fn a_broken_transfer_goes_on_where_it_broke() {
    let scene = scene().await;
    scene.server.fail(&path(), [Fault::Cut(500_000), Fault::Cut(100_000)]);
    let path = scene.ensure().await.unwrap();
    assert_eq!(fs_err::read(path).unwrap(), content());
    let ranges: Vec<_> = scene.server.asked().into_iter().map(|asked| asked.range).collect();
    assert_eq!(ranges.len(), 3);
    assert_eq!(ranges[0], None);
    let start = |range: &Option<String>| {
        let range = range.as_deref().unwrap();
        range.trim_start_matches("bytes=").trim_end_matches('-').parse::<u64>().unwrap()
    };
    assert!(start(&ranges[1]) > 0 && start(&ranges[1]) < start(&ranges[2]), "{ranges:?}");
}

#[tokio::test]
async fn what_a_killed_run_left_is_continued() {
    let scene = scene().await;
    let half = &content()[..600_000];
    fs_err::write(scene.folder.path().join("partial").join(scene.digest.hex()), half).unwrap();
    scene.ensure().await.unwrap();
    assert_eq!(scene.server.asked()[0].range.as_deref(), Some("bytes=600000-"));
    assert_eq!(files(scene.folder.path()), [scene.digest.hex()]);
}

#[tokio::test]
async fn a_damaged_remainder_of_a_killed_run_does_no_harm() {
    for (remainder, fault) in [
        (vec![0_u8; 600_000], None),
        (vec![0_u8; content().len()], None),
        (vec![0_u8; content().len() + 1], None),
        (vec![0_u8; 600_000], Some(Fault::IgnoreRange)),
    ] {
        let scene = scene().await;
        scene.server.fail(&path(), fault);
        fs_err::write(scene.folder.path().join("partial").join(scene.digest.hex()), remainder).unwrap();
        let path = scene.ensure().await.unwrap();
        assert_eq!(fs_err::read(path).unwrap(), content());
    }
}

#[tokio::test]
async fn a_remainder_of_unknown_size_is_settled_by_the_server() {
    let scene = scene().await;
    let remainder = [content(), vec![1]].concat();
    fs_err::write(scene.folder.path().join("partial").join(scene.digest.hex()), remainder).unwrap();
    let path = scene.store.ensure(&source(), scene.digest, None).await.unwrap();
    assert_eq!(fs_err::read(path).unwrap(), content());
}

#[tokio::test]
async fn a_flipped_bit_on_the_way_is_refused_and_poisons_nothing() {
    let scene = scene().await;
    scene.server.fail(&path(), [Fault::Flip]);
    let error = scene.ensure().await.unwrap_err();
    let StoreError::WrongDigest { url, expected, found } = &error else { panic!("{error:?}") };
    assert!(url.ends_with(PLACE));
    assert_eq!(*expected, scene.digest);
    assert_ne!(found, expected);
    assert!(files(scene.folder.path()).is_empty());
    scene.ensure().await.unwrap();
}

#[tokio::test]
async fn a_page_in_the_place_of_a_file_is_called_a_page() {
    for honest in [true, false] {
        let scene = scene().await;
        scene.server.fail(&path(), [Fault::Html { honest }]);
        let result = scene.store.ensure(&source(), scene.digest, None).await;
        assert!(matches!(result, Err(StoreError::Html { .. })), "{result:?}");
        assert!(files(scene.folder.path()).is_empty());
        assert_eq!(scene.server.asked().len(), 1);
    }
}

#[tokio::test]
async fn a_file_cut_short_at_the_server_is_refused_with_both_sizes() {
    let scene = scene().await;
    scene.server.fail(&path(), [Fault::Short(1000)]);
    let error = scene.ensure().await.unwrap_err();
    assert!(matches!(error, StoreError::WrongSize { expected: 1_200_000, found: 1000, .. }), "{error:?}");
    assert!(files(scene.folder.path()).is_empty());
}

#[tokio::test]
async fn a_flipped_bit_in_the_cache_is_noticed_and_fetched_again() {
    let scene = scene().await;
    let path = scene.ensure().await.unwrap();
    let mut damaged = content();
    damaged[77] ^= 1;
    fs_err::write(&path, damaged).unwrap();
    let told = Arc::new(Mutex::new(Vec::new()));
    let listening = Arc::clone(&told);
    let next_run =
        open(scene.folder.path(), &scene.server, Arc::new(move |news| listening.lock().unwrap().push(news)));
    next_run.ensure(&source(), scene.digest, Some(scene.size)).await.unwrap();
    assert_eq!(fs_err::read(&path).unwrap(), content());
    assert!(
        matches!(told.lock().unwrap()[0], Progress::Damaged { expected, .. } if expected == scene.digest)
    );
    assert_eq!(scene.server.asked().len(), 2);
}

#[tokio::test]
async fn two_processes_with_one_cache_share_a_transfer() {
    let scene = scene().await;
    let other = open(scene.folder.path(), &scene.server, silent());
    let (source, digest, size) = (source(), scene.digest, Some(scene.size));
    let (first, second) = tokio::join!(scene.ensure(), other.ensure(&source, digest, size));
    assert_eq!(first.unwrap(), second.unwrap());
    assert_eq!(scene.server.asked().len(), 1);
}

#[tokio::test]
async fn an_image_comes_through_token_and_redirect_and_the_token_stays_with_the_registry() {
    let scene = scene().await;
    let digest = scene.server.image("registry.k8s.io/pause", "3.10.2", &["amd64", "arm64"], "pause");
    scene.server.fail("/v2/", [Fault::Busy(0)]);
    scene.server.fail("/token", [Fault::Busy(0)]);
    let tag = "/v2/registry.k8s.io/pause/manifests/3.10.2";
    scene.server.fail(tag, [Fault::Busy(0), Fault::Expired]);
    let reference = Store::reference("registry.k8s.io/pause:3.10.2").unwrap();
    let index = scene.store.index(&reference, None).await.unwrap();
    assert_eq!(index.blob.digest, digest);
    let image = scene.store.image(&reference, &index, "arm64", None).await.unwrap();
    assert_eq!(image.source.layers.len(), 1);
    let total: u64 = image.source.blobs().iter().map(|blob| blob.size).sum();
    assert_eq!(image.size(), total - image.source.index.size);
    for (blob, source) in image.parts() {
        let path = scene.store.ensure(&source, blob.digest, Some(blob.size)).await.unwrap();
        let content = fs_err::read(path).unwrap();
        assert_eq!((Digest::of(&content), content.len() as u64), (blob.digest, blob.size));
    }
    let elsewhere = scene.server.asked_for("/cdn/");
    assert_eq!(elsewhere.len(), 2);
    assert!(elsewhere.iter().all(|asked| !asked.token));
}

#[tokio::test]
async fn a_flipped_layer_is_refused() {
    let scene = scene().await;
    scene.server.image("registry.k8s.io/pause", "3.10.2", &["amd64"], "pause");
    let reference = Store::reference("registry.k8s.io/pause:3.10.2").unwrap();
    let index = scene.store.index(&reference, None).await.unwrap();
    let image = scene.store.image(&reference, &index, "amd64", None).await.unwrap();
    let layer = image.source.layers[0];
    scene.server.fail(&format!("/cdn/{}", layer.digest), [Fault::Flip]);
    let source = Source::Blob(reference, layer.digest);
    let result = scene.store.ensure(&source, layer.digest, Some(layer.size)).await;
    assert!(matches!(result, Err(StoreError::WrongDigest { .. })), "{result:?}");
    assert!(!scene.store.has(layer.digest));
}

#[tokio::test]
async fn an_image_for_another_architecture_only_is_refused_by_name() {
    let scene = scene().await;
    scene.server.image("registry.k8s.io/pause", "3.10.2", &["amd64"], "pause");
    let reference = Store::reference("registry.k8s.io/pause:3.10.2").unwrap();
    let index = scene.store.index(&reference, None).await.unwrap();
    let error = scene.store.image(&reference, &index, "arm64", None).await.unwrap_err();
    let told = error.to_string();
    assert!(told.contains("`registry.k8s.io/pause:3.10.2` is not built for linux/arm64"), "{told}");
    // The attestation beside it is no platform.
    assert!(told.ends_with("it is there for linux/amd64"), "{told}");
}

#[tokio::test]
async fn a_variant_that_every_arm64_has_is_taken_and_a_later_one_is_not() {
    let scene = scene().await;
    let variant = |variant| Built { architecture: "arm64", variant: Some(variant), configuration: "arm64" };
    let arm = Built { architecture: "arm", variant: Some("v8"), configuration: "arm" };
    let reference = Store::reference("registry.k8s.io/pause:3.10.2").unwrap();
    let image = async |built: &[Built]| {
        scene.server.image_of("registry.k8s.io/pause", "3.10.2", built, "pause");
        let index = scene.store.index(&reference, None).await.unwrap();
        scene.store.image(&reference, &index, "arm64", None).await
    };
    let alone = image(&[variant("v8")]).await.unwrap();
    let among = image(&[arm, variant("v9"), Built::properly("amd64"), variant("v8")]).await.unwrap();
    assert_eq!(among.source.manifest, alone.source.manifest);
    let refused = image(&[arm, variant("v9")]).await.unwrap_err().to_string();
    assert!(
        refused.ends_with("not built for linux/arm64; it is there for linux/arm/v8, linux/arm64/v9"),
        "{refused}"
    );
}

#[tokio::test]
async fn an_image_whose_configuration_is_for_other_hosts_is_refused_before_its_layers_are_fetched() {
    let scene = scene().await;
    let mislabelled = Built { configuration: "amd64", ..Built::properly("arm64") };
    scene.server.image_of(
        "registry.k8s.io/pause",
        "3.10.2",
        &[Built::properly("amd64"), mislabelled],
        "pause",
    );
    let reference = Store::reference("registry.k8s.io/pause:3.10.2").unwrap();
    let index = scene.store.index(&reference, None).await.unwrap();
    let error = scene.store.image(&reference, &index, "arm64", None).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the image `registry.k8s.io/pause:3.10.2` is mislabelled: its index says linux/arm64, and the configuration \
         there is for linux/amd64"
    );
    // Nothing was asked but the configuration, and where its registry sends on to.
    let blobs = scene.server.asked_for("/blobs/").into_iter().map(|asked| asked.path);
    assert_eq!(blobs.collect::<std::collections::BTreeSet<_>>().len(), 1);
    // The other one is what it says.
    scene.store.image(&reference, &index, "amd64", None).await.unwrap();
}

#[tokio::test]
async fn others_on_the_laptop_see_nothing_of_the_store() {
    use std::os::unix::fs::PermissionsExt as _;
    let scene = scene().await;
    let path = scene.ensure().await.unwrap();
    let mode = |path: &Path| fs_err::metadata(path).unwrap().permissions().mode() & 0o077;
    assert_eq!(mode(scene.folder.path()), 0);
    assert_eq!(mode(&path), 0);
}
