//! What steps change of a host in memory.

use std::io;
use std::path::Path;
use std::time::Duration;

use garboard_protocol::Digest;

use super::files::Node;
use super::{BEGIN, Fake, State};
use crate::system::{Command, CommandError, Kind, Live, Look, Output, System};

impl System for Fake {
    fn look(&self) -> &dyn Look {
        self
    }

    fn write(&self, path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
        self.replace(path, content, mode)
    }

    fn install(&self, from: &Path, digest: Digest, path: &Path, mode: u32) -> io::Result<()> {
        let content = self.read(from)?;
        if Digest::of(&content) != digest {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "another digest"));
        }
        self.replace(path, &content, mode)
    }

    fn write_stream(&self, path: &Path, content: &mut dyn io::Read, mode: u32) -> io::Result<(Digest, u64)> {
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes)?;
        self.replace(path, &bytes, mode)?;
        Ok((Digest::of(&bytes), bytes.len() as u64))
    }

    fn append(&self, path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
        let add = |state: &mut State, piece: &[u8]| {
            let mut whole = state.nodes.get(path).map(|node| node.content.clone()).unwrap_or_default();
            whole.extend_from_slice(piece);
            let mode = state.nodes.get(path).map_or(mode, |node| node.mode);
            state.place(path, Node::file(&whole, mode));
        };
        self.change(
            format!("append {}", path.display()),
            |state| {
                state.parent_of(path)?;
                add(state, content);
                Ok(())
            },
            |state| add(state, &content[..content.len() / 2]),
        )
    }

    fn poke(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        self.change_whole(format!("poke {}", path.display()), |state| {
            let mut node = state.get(path)?.clone();
            content.clone_into(&mut node.content);
            state.place(path, node);
            Ok(())
        })
    }

    fn create_directory(&self, path: &Path, mode: u32) -> io::Result<()> {
        self.change_whole(format!("create_directory {}", path.display()), |state| {
            state.parent_of(path)?;
            state.absent(path)?;
            state.place(path, Node::directory(mode));
            Ok(())
        })
    }

    fn set_mode(&self, path: &Path, mode: u32) -> io::Result<()> {
        self.change_whole(format!("set_mode {}", path.display()), |state| {
            let node = Node { mode, ..state.get(path)?.clone() };
            state.place(path, node);
            Ok(())
        })
    }

    fn set_owner(&self, path: &Path, user: u32, group: u32) -> io::Result<()> {
        self.change_whole(format!("set_owner {}", path.display()), |state| {
            let node = Node { user, group, ..state.get(path)?.clone() };
            state.place(path, node);
            Ok(())
        })
    }

    fn symlink(&self, target: &Path, path: &Path) -> io::Result<()> {
        self.change_whole(format!("symlink {}", path.display()), |state| {
            state.parent_of(path)?;
            state.absent(path)?;
            state.place(path, Node::link(target));
            Ok(())
        })
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.change_whole(format!("remove_file {}", path.display()), |state| {
            if state.get(path)?.kind == Kind::Directory {
                return Err(io::Error::from_raw_os_error(nix::libc::EISDIR));
            }
            state.nodes.remove(path);
            Ok(())
        })
    }

    fn remove_directory(&self, path: &Path) -> io::Result<()> {
        self.change_whole(format!("remove_directory {}", path.display()), |state| {
            if state.get(path)?.kind != Kind::Directory {
                return Err(io::ErrorKind::NotADirectory.into());
            }
            if state.nodes.keys().any(|other| other != path && other.starts_with(path)) {
                return Err(io::ErrorKind::DirectoryNotEmpty.into());
            }
            state.nodes.remove(path);
            Ok(())
        })
    }

    fn run(&self, command: &Command) -> Result<Output, CommandError> {
        self.execute(command, "run")
    }

    fn run_live(&self, command: &Command, live: Live<'_>) -> Result<Output, CommandError> {
        let mut command = command.clone();
        if let Some(feed) = live.feed {
            let mut input = Vec::new();
            feed(&mut input).map_err(|source| CommandError::Input { command: command.display(), source })?;
            command.input = Some(input);
        }
        let output = self.execute(&command, "run")?;
        if let Some(line) = live.line {
            output.stdout.lines().chain(output.stderr.lines()).for_each(line);
        }
        Ok(output)
    }

    /// The holder lets go while it is waited for; see [`Fake::lock`].
    fn wait_for_lock(&self, path: &Path, _longest: Duration) -> io::Result<()> {
        let mut state = self.state();
        state.calls.push(format!("ask wait for {}", path.display()));
        state.locks.remove(path);
        Ok(())
    }

    fn unmount(&self, path: &Path) -> io::Result<()> {
        self.change_whole(format!("unmount {}", path.display()), |_| Ok(()))
    }

    fn set_hostname(&self, name: &str) -> io::Result<()> {
        self.change_whole(format!("set_hostname {name}"), |state| {
            name.clone_into(&mut state.hostname);
            let node = Node::file(format!("{name}\n").as_bytes(), 0o644);
            state.place(Path::new("/proc/sys/kernel/hostname"), node);
            Ok(())
        })
    }
    fn set_clock(&self, nanoseconds: i128) -> io::Result<()> {
        self.change_whole("set_clock".to_owned(), |state| {
            state.clock_ahead = nanoseconds - (BEGIN + state.ticks);
            Ok(())
        })
    }

    fn set_hardware_clock(&self, _nanoseconds: i128) -> io::Result<()> {
        self.change_whole("set_hardware_clock".to_owned(), |_| Ok(()))
    }

    fn sync_latencies(&self, folder: &Path, longest: Duration) -> io::Result<Vec<Duration>> {
        let state = self.state();
        state.get(folder)?;
        let each = state.sync_latency.max(Duration::from_micros(1));
        let count = usize::try_from(longest.as_nanos() / each.as_nanos()).unwrap_or(1).clamp(1, 100);
        let mut latencies = vec![Duration::from_micros(1); count];
        latencies.iter_mut().take(2).for_each(|slow| *slow = each);
        Ok(latencies)
    }
}
