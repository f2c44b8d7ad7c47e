//! `boot_config`: kernel parameters in the file that the firmware of a Raspberry Pi reads. One line stays one line.
//!
//! The file is replaced as a whole, so that a power cut leaves the old or the new one. On the boot partition's FAT, owner and mode
//! are the mount's: the file's own are given again, which FAT accepts.

use std::path::Path;

use garboard_protocol::Observation;
use garboard_protocol::change::{Change, Field};
use garboard_protocol::step::{BootConfig, Outputs};

use super::path::failed;
use super::{Context, Entry, Kind, ProbeContext, StepError};
use crate::boot::{Line, Loader, has_word, running_line};
use crate::system::{Look, System, temporary};

/// Output of the step: parameters that are in the file and wait for a boot, with blanks between.
const WAITING: &str = "waiting_for_boot";

impl Kind for BootConfig {
    fn probe(&self, context: &ProbeContext<'_>) -> Result<Observation, StepError> {
        let look = context.look;
        let mut changes = Vec::new();
        for file in files(&self.kernel_parameters, look)? {
            let bytes = read(file, look)?;
            let line = parse(file, &bytes)?;
            let lacking = self.kernel_parameters.iter().filter(|parameter| !line.has(parameter));
            changes.extend(
                lacking.map(|parameter| Change::new(file, Field::Value, None, Some(parameter.clone()))),
            );
        }
        if !changes.is_empty() {
            return Ok(Observation::from_changes(changes));
        }
        let running = running_line(look);
        let waiting: Vec<&str> = self
            .kernel_parameters
            .iter()
            .map(String::as_str)
            .filter(|parameter| !has_word(&running, parameter))
            .collect();
        let mut outputs = Outputs::new();
        if !waiting.is_empty() {
            outputs.insert(WAITING.to_owned(), waiting.join(" "));
        }
        Ok(Observation::Converged { outputs })
    }

    fn apply(&self, _changes: &[Change], context: &Context<'_>) -> Result<Outputs, StepError> {
        let look = context.system.look();
        for file in files(&self.kernel_parameters, look)? {
            let bytes = read(file, look)?;
            let line = parse(file, &bytes)?;
            let lacking = self.kernel_parameters.iter().filter(|parameter| !line.has(parameter));
            for parameter in lacking {
                let (path, parameter) = (file.to_owned(), parameter.clone());
                context.baseline.note(Entry::KernelParameter { path, parameter })?;
            }
            let wanted = line.with(&self.kernel_parameters);
            if wanted.as_bytes() != bytes {
                replace(file, &wanted, context.system)?;
            }
        }
        Ok(Outputs::new())
    }
}

/// The parameter is taken out of the file again; all else of it stays, whoever wrote it.
pub(crate) fn remove(path: &str, parameter: &str, system: &dyn System) -> Result<(), StepError> {
    // What a crash left of a write.
    let unfinished = temporary(Path::new(path));
    if system.metadata(&unfinished).map_err(failed("read", path))?.is_some() {
        system.remove_file(&unfinished).map_err(failed("remove", &unfinished.to_string_lossy()))?;
    }
    if let Loader::Firmware { unmounted: Some(folder), .. } =
        Loader::find(system.look()).map_err(failed("read", path))?
        && path.starts_with(folder)
    {
        return Err(not_mounted(folder, parameter));
    }
    if system.metadata(Path::new(path)).map_err(failed("read", path))?.is_none() {
        return Ok(());
    }
    let bytes = read(path, system.look())?;
    let line = parse(path, &bytes)?;
    if !line.has(parameter) {
        return Ok(());
    }
    replace(path, &line.without(parameter), system)
}

/// Whether the parameter is still in the file.
pub(crate) fn is_there(path: &str, parameter: &str, look: &dyn Look) -> Result<bool, StepError> {
    let text = look.read_text(Path::new(path)).map_err(failed("read", path))?.unwrap_or_default();
    Ok(has_word(&text, parameter))
}

/// The files to edit, or why none is.
fn files(parameters: &[String], look: &dyn Look) -> Result<Vec<&'static str>, StepError> {
    let wanted = parameters.join(" ");
    let message = |what: &str| format!("the kernel parameters `{wanted}` cannot be set: {what}");
    match Loader::find(look).map_err(failed("look at", "/boot"))? {
        Loader::Firmware { files, unmounted: None } => Ok(files),
        Loader::Firmware { unmounted: Some(folder), .. } => Err(not_mounted(folder, &wanted)),
        Loader::Grub => Err(StepError::NeedsPerson {
            message: message("this host boots by GRUB, whose configuration is not edited in this version"),
            help: format!(
                "add `{wanted}` to `GRUB_CMDLINE_LINUX` in `/etc/default/grub`, run `update-grub` and reboot"
            ),
        }),
        Loader::Unknown => Err(StepError::NeedsPerson {
            message: message(
                "neither a `cmdline.txt` of a Raspberry Pi's firmware nor `/etc/default/grub` is there",
            ),
            help: format!("add `{wanted}` to the kernel's command line in your boot loader and reboot"),
        }),
    }
}

fn not_mounted(folder: &str, parameters: &str) -> StepError {
    StepError::NeedsPerson {
        message: format!(
            "the boot partition is not mounted at `{folder}`, so that `{parameters}` would not be where the firmware reads it"
        ),
        help: format!("mount it (`mount {folder}`; see its line in `/etc/fstab`) and run again"),
    }
}

fn read(file: &str, look: &dyn Look) -> Result<Vec<u8>, StepError> {
    look.read(Path::new(file)).map_err(failed("read", file))
}

fn parse<'a>(file: &str, content: &'a [u8]) -> Result<Line<'a>, StepError> {
    Line::parse(content).map_err(|fault| StepError::NeedsPerson {
        message: format!("`{file}` {fault}"),
        help: format!("make it one line of kernel parameters, as `/proc/cmdline` shows them (the firmware's own aside), and run again; keep a copy: a host whose `{file}` is wrong does not boot"),
    })
}

fn replace(file: &str, content: &str, system: &dyn System) -> Result<(), StepError> {
    let path = Path::new(file);
    let found = system.metadata(path).map_err(failed("read", file))?;
    let mode = found.map_or(0o755, |found| found.mode & 0o7777);
    system.write(path, content.as_bytes(), mode).map_err(failed("write", file))?;
    match found {
        Some(found) if (found.user, found.group) != (0, 0) => {
            system.set_owner(path, found.user, found.group).map_err(failed("set the owner of", file))
        }
        _ => Ok(()),
    }
}
