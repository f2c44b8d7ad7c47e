//! `garboard-agent`: see the library for what its commands do.

mod arguments;

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::Arc;

use arguments::Arguments;
use garboard_agent::engine::{Host, sources};
use garboard_agent::executor::{Services, serve};
use garboard_agent::program::own_digest;
use garboard_agent::store::Layout;
use garboard_agent::system::{Real, keep_secrets};
use garboard_agent::{bridge, facts, pipe, reset, steps};

fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(error) => {
            complain(&format!("{error}\n{}", arguments::USAGE));
            return ExitCode::from(2);
        }
    };
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let causes = sources(&*error).map(ToString::to_string);
            complain(&std::iter::once(error.to_string()).chain(causes).collect::<Vec<_>>().join(": "));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<(), Box<dyn std::error::Error>> {
    keep_secrets()?;
    let layout = Layout::host();
    let host = Real::host();
    match arguments {
        Arguments::Connect { run, owner } => bridge::connect(&host, &layout, &run, &owner)?,
        Arguments::Serve { run, owner } => {
            let socket = std::env::var_os("NOTIFY_SOCKET");
            serve(services(Arc::new(host), layout), &run, &owner, socket.as_deref())?;
        }
        Arguments::Pipe { target } => pipe::pipe(target)?,
        Arguments::Facts { query } => {
            let facts = facts::collect(&host, &layout, &query);
            say(&serde_json::to_string_pretty(&facts)?)?;
        }
        Arguments::Digest => say(&own_digest()?.to_string())?,
        Arguments::Version => {
            say(&format!("garboard-agent {} ({})", env!("CARGO_PKG_VERSION"), own_digest()?))?;
        }
    }
    Ok(())
}

fn services(system: Arc<Real>, layout: Layout) -> Services {
    Services {
        host: Host {
            system,
            layout,
            kinds: steps::kind,
            snapshot: reset::snapshot::take,
            note_places: reset::snapshot::note_places,
        },
        facts: facts::collect,
        reset: reset::reset,
        verify: reset::verify,
    }
}

fn say(text: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{text}")
}

fn complain(text: &str) {
    // When nobody reads it, there is nobody to tell.
    let _ = writeln!(io::stderr(), "garboard-agent: {text}");
}
