//! A lab's mirror server: a process of its own, from `up` to `down`.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use fs_err::File;
use serde::{Deserialize, Serialize};

use crate::process::Process;
use crate::record::write_json;
use crate::{Error, Lab, Places, Result, mirror};

/// A running server (`mirror.json` in the lab's folder).
#[derive(Debug, Serialize, Deserialize)]
struct Service {
    process: Process,
    address: String,
}

/// Starts the server of a lab that has a mirror, unless it runs; returns when it can be asked.
pub(crate) fn start(lab: &Lab) -> Result<()> {
    if lab.record.mirror.is_none() || address(lab)?.is_some() {
        return Ok(());
    }
    let places = &lab.places;
    let folder = places.lab(lab.name());
    let log = File::options().create(true).append(true).open(folder.join("mirror.log"))?.into_parts().0;
    let spawn = |source| Error::Spawn { command: places.program.display().to_string(), source };
    let mut command = Command::new(&places.program);
    crate::exec::set_places(&mut command, places);
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut child = command
        .args(["lab", "serve", lab.name()])
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .map_err(spawn)?;
    // Its only line says that it listens; its end without one is a failure.
    let mut line = String::new();
    if let Some(stdout) = child.stdout.take() {
        BufReader::new(stdout).read_line(&mut line)?;
    }
    if line.is_empty() {
        let said = fs_err::read_to_string(folder.join("mirror.log")).unwrap_or_default();
        return Err(Error::Refused {
            message: format!("the mirror cannot be served: {}", crate::program::tail(&said, 3)),
        });
    }
    Ok(())
}

/// Where the lab's mirror is served: what `--upstream` takes. None when it has no mirror or the server is gone.
pub(crate) fn address(lab: &Lab) -> Result<Option<String>> {
    let path = lab.places.lab(lab.name()).join("mirror.json");
    let service: Service = match fs_err::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|source| Error::Damaged { path, source })?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    Ok(service.process.is_alive().then_some(service.address))
}

/// Serves a lab's mirror until it is ended: `lab serve LAB`.
///
/// # Errors
/// When the folder is no mirror or no port can be had.
pub(crate) fn serve(places: &Places, name: &str) -> Result<()> {
    let _ = nix::unistd::setsid();
    let lab = Lab::open(places, name)?;
    let Some(folder) = lab.record.mirror.clone() else {
        return Err(Error::Refused {
            message: format!("lab `{name}` has no mirror; name one with `lab up --mirror DIR`"),
        });
    };
    let state = places.lab(name);
    let options = mirror::Options {
        control: Some(state.join("mirror-faults.json")),
        log: Some(state.join("mirror-requests.jsonl")),
        ..mirror::Options::default()
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        // Loopback of the machine: the CLI fetches, the hosts never do.
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = format!("http://{}", listener.local_addr()?);
        let failed = |error: mirror::MirrorError| Error::Refused { message: error.to_string() };
        let mirror = mirror::Mirror::start(&folder, listener, options).await.map_err(failed)?;
        write_json(&state.join("mirror.json"), &Service { process: Process::own()?, address })?;
        // Whoever started us waits for this line; it may be gone already.
        let _ = writeln!(std::io::stdout(), "{}", mirror.url());
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        terminate.recv().await;
        Ok(())
    })
}
