//! `kernel_module`: a kernel feature that may come as a module. What counts is that the feature is there; a kernel that
//! has it built in needs nothing.

use std::path::Path;

use garboard_protocol::Observation;
use garboard_protocol::change::{Change, Field};
use garboard_protocol::step::{KernelModule, Outputs};

use super::path::failed;
use super::{Context, Entry, Kind, ProbeContext, StepError, file};
use crate::system::{Command, CommandError, Look};

/// How the kernel has a feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Presence {
    /// Part of the kernel, or loaded by a host whose modules we cannot see.
    BuiltIn,
    /// Loaded as a module.
    Loaded,
    /// A module on disk that can be loaded.
    Loadable,
    /// Not to be had.
    Missing,
}

impl Kind for KernelModule {
    fn probe(&self, context: &ProbeContext<'_>) -> Result<Observation, StepError> {
        let presence = presence(&self.name, context.look)?;
        let mut changes = Vec::new();
        match presence {
            Presence::BuiltIn => return Ok(Observation::converged()),
            Presence::Missing if self.optional => return Ok(Observation::converged()),
            Presence::Loaded => {}
            Presence::Loadable | Presence::Missing => {
                let (before, after) = (Some("not loaded".to_owned()), Some("loaded".to_owned()));
                changes.push(Change::new(&self.name, Field::Loaded, before, after));
            }
        }
        changes.extend(file::changes(&file_of(&self.name), &line(&self.name), 0o644, false, context.look)?);
        Ok(Observation::from_changes(changes))
    }

    fn apply(&self, changes: &[Change], context: &Context<'_>) -> Result<Outputs, StepError> {
        if presence(&self.name, context.system.look())? == Presence::Missing {
            return Err(StepError::Failed {
                message: format!("the kernel has no `{}`: it is neither built in nor a module", self.name),
                help: Some(format!(
                    "install the kernel's extra modules (on Ubuntu for Raspberry Pi `linux-modules-extra-raspi`), \
                     check with `modprobe {}`",
                    self.name
                )),
            });
        }
        if changes.iter().any(|change| change.field == Field::Loaded) {
            context.baseline.note(Entry::KernelModule { name: self.name.clone() })?;
            context.system.run(&Command::new("modprobe", [self.name.as_str()]))?;
        }
        let of_file: Vec<_> =
            changes.iter().filter(|change| change.field != Field::Loaded).cloned().collect();
        if !of_file.is_empty() {
            file::write(&file_of(&self.name), &line(&self.name), 0o644, &of_file, context)?;
        }
        Ok(Outputs::new())
    }
}

pub(super) fn file_of(name: &str) -> String {
    format!("/etc/modules-load.d/garboard-{name}.conf")
}

fn line(name: &str) -> String {
    format!("{name}\n")
}

fn presence(name: &str, look: &dyn Look) -> Result<Presence, StepError> {
    let name = name.replace('-', "_");
    let exists = |path: &str| {
        Ok::<_, StepError>(look.metadata(Path::new(path)).map_err(failed("read", path))?.is_some())
    };
    let read = |path: &str| look.read_text(Path::new(path)).map_err(failed("read", path));
    let modules = read("/proc/modules")?;
    let listed = |text: &str| text.lines().any(|line| line.split(' ').next() == Some(name.as_str()));
    if modules.as_deref().is_some_and(listed) {
        return Ok(Presence::Loaded);
    }
    // A feature that is there without being listed is built in (or, in a container, the machine's own).
    let is_file_system =
        |text: String| text.lines().any(|line| line.split('\t').next_back() == Some(name.as_str()));
    if exists(&format!("/sys/module/{name}"))?
        || read("/proc/filesystems")?.is_some_and(is_file_system)
        || (name == "br_netfilter" && exists("/proc/sys/net/bridge")?)
    {
        return Ok(Presence::BuiltIn);
    }
    let release = read("/proc/sys/kernel/osrelease")?.unwrap_or_default();
    let built_in = read(&format!("/lib/modules/{}/modules.builtin", release.trim()))?.unwrap_or_default();
    let of_line = |line: &str| {
        let file = line.rsplit('/').next().unwrap_or(line);
        file.strip_suffix(".ko").is_some_and(|stem| stem.replace('-', "_") == name)
    };
    if built_in.lines().any(of_line) {
        return Ok(Presence::BuiltIn);
    }
    match look.ask(&Command::new("modprobe", ["--dry-run", "--quiet", &name])) {
        Ok(_) => Ok(Presence::Loadable),
        Err(CommandError::Exit { .. }) => Ok(Presence::Missing),
        Err(CommandError::Start { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            Ok(Presence::Missing)
        }
        Err(error) => Err(error.into()),
    }
}
