//! `lab observe`.

use std::io::{Read as _, Write as _};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use crate::observer::Observer;
use crate::process::wait_readable;
use crate::{Lab, Result};

/// Watches a host. The first line, `{"observing":true}`, says that the watch has begun; the events follow at its end.
pub(super) fn observe(lab: &Lab, host: &str, limit: Duration, until_stdin_closes: bool) -> Result<()> {
    let observer = Observer::start(lab, host)?;
    let mut out = std::io::stdout();
    writeln!(out, "{}", serde_json::json!({ "observing": true }))?;
    out.flush()?;
    let deadline = Instant::now() + limit;
    if until_stdin_closes {
        let mut input = std::io::stdin().lock();
        let mut buffer = [0; 1024];
        while wait_readable(std::io::stdin().as_fd(), deadline.saturating_duration_since(Instant::now())) {
            if input.read(&mut buffer)? == 0 {
                break;
            }
        }
    } else {
        // Nothing will be readable: this waits for the time to pass.
        let (reader, _writer) = nix::unistd::pipe().map_err(crate::Error::system("make a pipe"))?;
        wait_readable(reader.as_fd(), limit);
    }
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for event in observer.stop()? {
        serde_json::to_writer(&mut out, &event).map_err(std::io::Error::from)?;
        writeln!(out)?;
    }
    Ok(out.flush()?)
}
