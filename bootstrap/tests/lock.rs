//! `garboard.lock`: made, held to, extended, never moved.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic too")]

mod upstream_server;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use garboard::lock::{self, Completed, Lock, LockError, News, Wanted};
use garboard::problem::Exit;
use garboard::store::{Patience, Store, StoreError, Upstream, silent};
use garboard_protocol::Digest;
use semver::Version;
use upstream_server::{Built, Server};

const IMAGES: [(&str, &str); 9] = [
    ("registry.k8s.io/kube-apiserver", "v1.36.3"),
    ("registry.k8s.io/kube-controller-manager", "v1.36.3"),
    ("registry.k8s.io/kube-scheduler", "v1.36.3"),
    ("registry.k8s.io/kube-proxy", "v1.36.3"),
    ("registry.k8s.io/etcd", "3.6.8-0"),
    ("registry.k8s.io/coredns/coredns", "v1.14.2"),
    ("registry.k8s.io/pause", "3.10.2"),
    ("ghcr.io/flannel-io/flannel", "v0.28.4"),
    ("ghcr.io/flannel-io/flannel-cni-plugin", "v1.9.1-flannel1"),
];

fn files(architecture: &str) -> [String; 7] {
    let kubernetes = format!("dl.k8s.io/release/v1.36.3/bin/linux/{architecture}");
    let github = "github.com";
    [
        format!("{kubernetes}/kubeadm"),
        format!("{kubernetes}/kubelet"),
        format!("{kubernetes}/kubectl"),
        format!(
            "{github}/containerd/containerd/releases/download/v2.2.7/containerd-2.2.7-linux-{architecture}.tar.gz"
        ),
        format!("{github}/opencontainers/runc/releases/download/v1.4.3/runc.{architecture}"),
        format!(
            "{github}/containernetworking/plugins/releases/download/v1.9.1/cni-plugins-linux-{architecture}-v1.9.1.tgz"
        ),
        format!(
            "{github}/kubernetes-sigs/cri-tools/releases/download/v1.36.0/crictl-v1.36.0-linux-{architecture}.tar.gz"
        ),
    ]
}

struct Scene {
    server: Server,
    folder: tempfile::TempDir,
}

impl Scene {
    async fn new() -> Self {
        let server = Server::start().await;
        for architecture in ["amd64", "arm64"] {
            for file in files(architecture) {
                server.file(&file, format!("content of {file}"));
            }
        }
        for (name, tag) in IMAGES {
            server.image(name, tag, &["amd64", "arm64"], name);
        }
        Self { server, folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join(lock::FILE_NAME)
    }

    fn store(&self, cache: &str) -> Arc<Store> {
        let upstream = Upstream::mirror(&self.server.url).unwrap();
        let patience = Patience { attempts: 2, first_pause: Duration::from_millis(1), ..Patience::default() };
        Arc::new(Store::open(&self.folder.path().join(cache), upstream, patience, silent()).unwrap())
    }

    async fn run(&self, cache: &str, architectures: &[&str]) -> Result<(Lock, News), LockError> {
        let store = self.store(cache);
        let completed = self.complete(&store, architectures).await?;
        Ok((completed.lock, completed.news))
    }

    async fn complete(&self, store: &Arc<Store>, architectures: &[&str]) -> Result<Completed, LockError> {
        for_run(&self.path(), &Version::new(1, 36, 3), &set(architectures), store, true).await
    }

    fn text(&self) -> String {
        fs_err::read_to_string(self.path()).unwrap()
    }
}

/// For what every cluster runs.
async fn for_run(
    path: &Path,
    kubernetes: &Version,
    architectures: &BTreeSet<String>,
    store: &Arc<Store>,
    write: bool,
) -> Result<Completed, LockError> {
    let names = IMAGES.map(|(repository, _)| repository.rsplit('/').next().unwrap_or_default());
    let images = set(&names);
    let wanted = Wanted { kubernetes, architectures, images: &images };
    lock::for_run(path, &wanted, store, write).await
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test]
async fn the_first_run_pins_everything_for_the_architectures_that_are_there() {
    let scene = Scene::new().await;
    let (lock, news) = scene.run("cache", &["amd64"]).await.unwrap();
    assert_eq!(news, News::New);
    assert_eq!(lock.files.len(), 7);
    assert_eq!(lock.images.len(), 9);
    let containerd = &lock.files["containerd"];
    assert_eq!(containerd.version, "v2.2.7");
    assert_eq!(containerd.platforms.keys().collect::<Vec<_>>(), ["amd64"]);
    assert!(containerd.platforms["amd64"].url.starts_with("https://github.com/containerd/"));
    let published = "91cd216ea26a1b8b512219d3f205375c967e7b7de4dae571bc3dd16bfacd34b5";
    assert_eq!(containerd.platforms["amd64"].sha256.hex(), published);
    let expected = format!("content of {}", files("amd64")[3]);
    assert_eq!(containerd.platforms["amd64"].size, expected.len() as u64);
    assert_eq!(Lock::read(&scene.path()).unwrap().unwrap(), lock);
    // No program was fetched to write it down.
    assert!(scene.server.asked_for("dl.k8s.io").iter().all(|asked| asked.method == "HEAD"));
}

#[tokio::test]
async fn a_second_run_asks_nobody_and_leaves_the_file_alone() {
    use std::os::unix::fs::MetadataExt as _;
    let scene = Scene::new().await;
    let (lock, _) = scene.run("cache", &["amd64"]).await.unwrap();
    let store = scene.store("cache");
    lock.supply(&store, &set(&["amd64"])).await.unwrap();
    let (inode, asked) = (fs_err::metadata(scene.path()).unwrap().ino(), scene.server.asked().len());

    let (lock, news) = scene.run("cache", &["amd64"]).await.unwrap();
    let supply = lock.supply(&scene.store("cache"), &set(&["amd64"])).await.unwrap();
    assert_eq!(news, News::Held);
    assert_eq!(supply.artifacts.images["pause"]["amd64"].reference, "registry.k8s.io/pause:3.10.2");
    assert_eq!(scene.server.asked().len(), asked);
    assert_eq!(fs_err::metadata(scene.path()).unwrap().ino(), inode);
}

#[tokio::test]
async fn every_part_of_an_image_can_be_had_by_its_digest() {
    let scene = Scene::new().await;
    let (lock, _) = scene.run("cache", &["arm64"]).await.unwrap();
    let supply = lock.supply(&scene.store("cache"), &set(&["arm64"])).await.unwrap();
    for blob in supply.artifacts.images["flannel"]["arm64"].blobs() {
        let content = fs_err::read(supply.blob(blob).await.unwrap()).unwrap();
        assert_eq!((Digest::of(&content), content.len() as u64), (blob.digest, blob.size));
    }
    let stranger = garboard_protocol::step::Blob { digest: Digest::of(b"x"), size: 1 };
    assert!(matches!(supply.blob(stranger).await, Err(StoreError::NoSource { .. })));
}

#[tokio::test]
async fn a_file_that_is_not_what_the_pins_say_is_refused() {
    let scene = Scene::new().await;
    let (lock, _) = scene.run("cache", &["amd64"]).await.unwrap();
    let supply = lock.supply(&scene.store("cache"), &set(&["amd64"])).await.unwrap();
    let refused = supply.blob(supply.artifacts.files["kubeadm"]["amd64"]).await;
    assert!(matches!(refused, Err(StoreError::WrongDigest { .. })), "{refused:?}");
}

#[tokio::test]
async fn an_architecture_that_comes_later_is_added_and_nothing_else_moves() {
    let scene = Scene::new().await;
    let (before, _) = scene.run("cache", &["amd64"]).await.unwrap();
    let (after, news) = scene.run("cache", &["amd64", "arm64"]).await.unwrap();
    let News::Extended(added) = news else { panic!("{news:?}") };
    // kubectl is for the laptop alone.
    assert_eq!(added.len(), 6 + 9);
    assert!(added.contains(&"kubeadm for arm64".to_owned()));
    for (name, image) in &before.images {
        assert_eq!(after.images[name].index, image.index);
        assert_eq!(after.images[name].platforms["amd64"], image.platforms["amd64"]);
        assert!(after.images[name].platforms.contains_key("arm64"));
    }
    assert_eq!(after.files["runc"].platforms["amd64"], before.files["runc"].platforms["amd64"]);
}

#[tokio::test]
async fn an_architecture_that_comes_later_gets_the_versions_of_the_lock_and_not_those_of_the_pins() {
    let scene = Scene::new().await;
    scene.run("cache", &["amd64"]).await.unwrap();
    let older = |text: &str| text.replace("2.2.7", "2.2.3");
    fs_err::write(scene.path(), older(&scene.text())).unwrap();
    let file = older(&files("arm64")[3]);
    scene.server.file(&file, "older");
    scene
        .server
        .file(&format!("{file}.sha256sum"), format!("{}  {}\n", Digest::of(b"older").hex(), name_of(&file)));
    let (lock, _) = scene.run("cache", &["amd64", "arm64"]).await.unwrap();
    let containerd = &lock.files["containerd"];
    assert_eq!(containerd.version, "v2.2.3");
    assert_eq!(containerd.platforms["arm64"].url, format!("https://{file}"));
    assert_eq!(containerd.platforms["arm64"].sha256, Digest::of(b"older"));
}

fn name_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap()
}

#[tokio::test]
async fn what_upstream_has_not_for_an_architecture_is_left_out_with_its_reason() {
    let scene = Scene::new().await;
    let apiserver = "registry.k8s.io/kube-apiserver";
    scene.server.image(apiserver, "v1.36.3", &["amd64"], apiserver);
    let mislabelled = Built { configuration: "amd64", ..Built::properly("arm64") };
    scene.server.image_of(
        "registry.k8s.io/etcd",
        "3.6.8-0",
        &[Built::properly("amd64"), mislabelled],
        "etcd",
    );
    scene.server.remove(&files("arm64")[4]);
    let both = ["amd64", "arm64"];
    let completed = scene.complete(&scene.store("cache"), &both).await.unwrap();
    assert_eq!(completed.news, News::New);
    let lock = completed.lock.clone();
    for (name, image) in &lock.images {
        let lacks = ["kube-apiserver", "etcd"].contains(&name.as_str());
        assert_eq!(image.platforms.contains_key("arm64"), !lacks, "{name}");
        assert!(image.platforms.contains_key("amd64"), "{name}");
    }
    let supply = completed.supply(&scene.store("cache"), &set(&both)).await.unwrap();
    assert!(supply.artifacts.images["etcd"].contains_key("amd64"));
    assert!(!supply.artifacts.images["etcd"].contains_key("arm64"));
    assert!(!supply.artifacts.files["runc"].contains_key("arm64"));
    let because = |name| supply.absent.because(name, "arm64").map(ToString::to_string).unwrap_or_default();
    let told = ["kube-apiserver", "etcd"].map(because).join("\n");
    insta::assert_snapshot!(told);
    assert!(because("runc").ends_with("/runc.arm64` was answered with 404 Not Found"), "{}", because("runc"));
    assert!(supply.absent.because("etcd", "amd64").is_none());
}

#[tokio::test]
async fn what_an_image_lacks_is_known_without_asking_again_and_is_added_once_it_is_there() {
    let scene = Scene::new().await;
    scene.server.image("registry.k8s.io/etcd", "3.6.8-0", &["amd64"], "etcd");
    let both = ["amd64", "arm64"];
    let completed = scene.complete(&scene.store("cache"), &both).await.unwrap();
    completed.supply(&scene.store("cache"), &set(&both)).await.unwrap();
    let (text, asked) = (scene.text(), scene.server.asked().len());
    let completed = scene.complete(&scene.store("cache"), &both).await.unwrap();
    assert_eq!(completed.news, News::Held);
    let supply = completed.supply(&scene.store("cache"), &set(&both)).await.unwrap();
    assert!(supply.absent.because("etcd", "arm64").is_some());
    assert_eq!((scene.text(), scene.server.asked().len()), (text.clone(), asked));

    // As the refusal says: its entry deleted, once the publisher has built it.
    scene.server.image("registry.k8s.io/etcd", "3.6.8-0", &both, "etcd");
    let mut lock = Lock::read(&scene.path()).unwrap().unwrap();
    lock.images.remove("etcd");
    lock.write(&scene.path()).unwrap();
    let (lock, _) = scene.run("cache", &both).await.unwrap();
    assert!(lock.images["etcd"].platforms.contains_key("arm64"));
}

#[tokio::test]
async fn a_tag_that_moved_is_refused_by_name() {
    let scene = Scene::new().await;
    scene.run("cache", &["amd64"]).await.unwrap();
    let before = scene.text();
    let moved = scene.server.image("registry.k8s.io/pause", "3.10.2", &["amd64", "arm64"], "another");
    // On another laptop, whose store is empty.
    let (lock, _) = scene.run("empty", &["amd64"]).await.unwrap();
    let error = lock.supply(&scene.store("empty"), &set(&["amd64"])).await.err().unwrap();
    let LockError::Store(StoreError::TagMoved { reference, locked, served }) = &error else {
        panic!("{error:?}")
    };
    assert_eq!(reference, "registry.k8s.io/pause:3.10.2");
    assert_eq!(*served, moved);
    assert_eq!(*locked, lock.images["pause"].index);
    // The same while it would be extended.
    let error = scene.run("empty too", &["amd64", "arm64"]).await.unwrap_err();
    assert!(matches!(error, LockError::Store(StoreError::TagMoved { .. })), "{error:?}");
    assert_eq!(error.exit(), Exit::NeedsPerson);
    assert_eq!(scene.text(), before);
}

#[tokio::test]
async fn a_patch_release_the_pins_do_not_know_takes_the_published_digest() {
    let scene = Scene::new().await;
    for file in files("amd64") {
        let file = file.replace("v1.36.3", "v1.36.9");
        scene.server.file(&file, format!("content of {file}"));
        if file.contains("kube") {
            let digest = Digest::of(format!("content of {file}").as_bytes());
            scene.server.file(&format!("{file}.sha256"), format!("{}\n", digest.hex()));
        }
    }
    for (name, tag) in IMAGES {
        scene.server.image(name, &tag.replace("v1.36.3", "v1.36.9"), &["amd64"], name);
    }
    let version = Version::new(1, 36, 9);
    let store = scene.store("cache");
    let completed = for_run(&scene.path(), &version, &set(&["amd64"]), &store, true).await.unwrap();
    let lock = completed.lock;
    assert_eq!(lock.kubernetes, "v1.36.9");
    let supply = lock.supply(&store, &set(&["amd64"])).await.unwrap();
    supply.blob(supply.artifacts.files["kubelet"]["amd64"]).await.unwrap();
}

#[tokio::test]
async fn a_lock_for_another_kubernetes_is_refused() {
    let scene = Scene::new().await;
    scene.run("cache", &["amd64"]).await.unwrap();
    let store = scene.store("cache");
    let result = for_run(&scene.path(), &Version::new(1, 36, 4), &set(&["amd64"]), &store, true).await;
    let error = result.unwrap_err();
    assert_eq!(error.exit(), Exit::NeedsPerson);
    let told = error.to_string();
    assert!(told.contains("pins Kubernetes v1.36.3, the inventory asks for v1.36.4"), "{told}");
}

#[tokio::test]
async fn plan_makes_a_lock_but_writes_none() {
    let scene = Scene::new().await;
    let store = scene.store("cache");
    for_run(&scene.path(), &Version::new(1, 36, 3), &set(&["amd64"]), &store, false).await.unwrap();
    assert!(!scene.path().exists());
}

const SMALL: &str = "\
version: 1
kubernetes: v1.36.3
files:
  runc:
    version: v1.4.3
    platforms:
      amd64: { url: \"https://github.com/runc.amd64\", size: 10, sha256: \
\"f6ae8efc0fa40079e1475e97cbe9d1bd3f106a28d6af78a11d9f1bd565515e60\" }
images:
  pause:
    reference: registry.k8s.io/pause:3.10.2
    index: \"sha256:f6ae8efc0fa40079e1475e97cbe9d1bd3f106a28d6af78a11d9f1bd565515e60\"
    platforms:
      amd64: { manifest: \"sha256:633301e2e32f8a5ad54031aab4901eb00308bec677dd15faa2751e8f9dab5ca4\", size: 5 }
";

#[test]
fn the_same_lock_gives_the_same_text() {
    let lock = Lock::parse(Path::new("garboard.lock"), SMALL).unwrap();
    let text = lock.to_text().unwrap();
    insta::assert_snapshot!(text);
    assert_eq!(Lock::parse(Path::new("garboard.lock"), &text).unwrap(), lock);
}

#[test]
fn what_is_wrong_in_a_lock_is_named_with_its_place() {
    let faults = [
        ("  runc:", "  runk:"),
        ("amd64: { url", "x86: { url"),
        ("size: 10", "size: ten"),
        ("size: 10", "bytes: 10"),
        ("sha256: \"f6ae8", "sha256: \"F6AE8"),
        ("index: \"sha256:f6", "index: \"sha1:f6"),
        ("  pause:", "  pause: ["),
        ("kubernetes: v1.36.3\n", ""),
    ];
    let told = faults.map(|(right, wrong)| {
        let broken = SMALL.replacen(right, wrong, 1);
        assert_ne!(broken, SMALL);
        Lock::parse(Path::new("garboard.lock"), &broken).unwrap_err().to_string()
    });
    let told = told.join("\n");
    insta::assert_snapshot!(told);
}

#[test]
fn a_lock_of_a_later_format_is_not_guessed_at() {
    let later = "version: 2\nkubernetes: v1.40.0\neverything: else\n";
    let error = Lock::parse(Path::new("garboard.lock"), later).unwrap_err();
    assert!(matches!(error, LockError::Format { version: 2, .. }), "{error:?}");
}
