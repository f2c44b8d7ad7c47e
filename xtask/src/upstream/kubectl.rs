//! `kubectl` for the person at this machine, as the lock of a cluster pins it. A mirror brings its own; with the
//! official hosts it is fetched once.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::archive;

/// How long the host may be silent; the whole of some 60 MB may take longer.
const SILENCE: Duration = Duration::from_secs(30);

/// The lock, as far as it is read here.
#[derive(Deserialize)]
struct Lock {
    files: Files,
}

#[derive(Deserialize)]
struct Files {
    kubectl: File,
}

#[derive(Deserialize)]
struct File {
    platforms: std::collections::BTreeMap<String, Platform>,
}

#[derive(Deserialize)]
struct Platform {
    url: String,
    sha256: String,
}

/// The folder that holds the `kubectl` which the lock pins for this machine.
pub(crate) fn folder(lock: &Path) -> anyhow::Result<PathBuf> {
    fetched(lock, &crate::cache::of_user()?.join("kubectl"))
}

fn fetched(lock: &Path, cache: &Path) -> anyhow::Result<PathBuf> {
    let text = fs_err::read_to_string(lock)?;
    let Lock { files: Files { kubectl } } =
        serde_saphyr::from_str(&text).with_context(|| format!("`{}` cannot be used", lock.display()))?;
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let Platform { url, sha256 } = kubectl
        .platforms
        .get(architecture)
        .with_context(|| format!("`{}` pins no kubectl for {architecture}", lock.display()))?;
    let folder = cache.join(sha256);
    if !folder.join("kubectl").is_file() {
        crate::stopwatch::say(&format!("      fetching {url}"));
        let bytes = get(url)?;
        let found = archive::hex(&Sha256::digest(&bytes));
        anyhow::ensure!(found == *sha256, "`{url}` has the digest {found}, the lock pins {sha256}");
        store(&folder, &bytes)?;
    }
    Ok(folder)
}

fn get(url: &str) -> anyhow::Result<Vec<u8>> {
    // An error only says that some provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().read_timeout(SILENCE).connect_timeout(SILENCE).build()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let bytes = runtime.block_on(async { client.get(url).send().await?.error_for_status()?.bytes().await });
    Ok(bytes.with_context(|| format!("`{url}` cannot be fetched"))?.into())
}

/// Under its name only when it is whole: it will be executed.
fn store(folder: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    fs_err::create_dir_all(folder)?;
    let mut part = tempfile::NamedTempFile::new_in(folder)?;
    std::io::Write::write_all(&mut part, bytes)?;
    part.as_file().set_permissions(std::fs::Permissions::from_mode(0o755))?;
    part.as_file().sync_all()?;
    part.persist(folder.join("kubectl"))?;
    Ok(())
}

/// Puts a folder before all others on `PATH` of a command.
pub(crate) fn on_path(command: &mut std::process::Command, folder: &Path) -> anyhow::Result<()> {
    let others = std::env::var_os("PATH").unwrap_or_default();
    let all = std::iter::once(folder.to_owned()).chain(std::env::split_paths(&others));
    command.env("PATH", std::env::join_paths(all).context("the folder of kubectl cannot be on PATH")?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::process::Command;

    use super::*;
    use crate::program;

    const PROGRAM: &[u8] = b"#!/bin/sh\necho \"Client Version: v1.36.3\"\n";

    /// A lock that pins `sha256`, and a host that answers one request with `PROGRAM`.
    fn lock(place: &Path, sha256: &str) -> (PathBuf, std::thread::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let platform = format!(
            "{{ url: 'http://{}/kubectl', size: {}, sha256: '{sha256}' }}",
            listener.local_addr().unwrap(),
            PROGRAM.len()
        );
        let path = place.join("garboard.lock");
        let text = format!(
            "version: 1\nfiles:\n  kubectl: {{ version: v1.36.3, platforms: {{ amd64: {platform}, arm64: {platform} }} }}\n"
        );
        fs_err::write(&path, text).unwrap();
        let served = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]).unwrap();
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", PROGRAM.len());
            stream.write_all(&[head.as_bytes(), PROGRAM].concat()).unwrap();
        });
        (path, served)
    }

    fn digest() -> String {
        archive::hex(&Sha256::digest(PROGRAM))
    }

    #[test]
    fn kubectl_of_the_lock_is_fetched_once_and_found_on_path() {
        let place = tempfile::tempdir().unwrap();
        let (lock, served) = lock(place.path(), &digest());
        let folder = fetched(&lock, &place.path().join("cache")).unwrap();
        served.join().unwrap();
        // The host is gone by now.
        assert_eq!(fetched(&lock, &place.path().join("cache")).unwrap(), folder);
        let mut command = Command::new("env");
        on_path(command.arg("kubectl"), &folder).unwrap();
        assert_eq!(program::output(&mut command).unwrap(), "Client Version: v1.36.3");
    }

    #[test]
    fn another_kubectl_than_the_pinned_one_is_never_stored() {
        let place = tempfile::tempdir().unwrap();
        let (lock, _served) = lock(place.path(), &"0".repeat(64));
        let error = fetched(&lock, &place.path().join("cache")).unwrap_err().to_string();
        assert!(error.contains(&digest()) && error.contains(&"0".repeat(64)), "{error}");
        assert!(!place.path().join("cache").exists());
    }
}
