//! `sysctl`: a kernel setting, live and in a file of its own for the next boot.

use std::path::PathBuf;

use garboard_protocol::Observation;
use garboard_protocol::change::{Change, Field};
use garboard_protocol::step::{Outputs, Sysctl};

use super::path::failed;
use super::{Context, Entry, Kind, ProbeContext, StepError, file};
use crate::system::Look;

impl Kind for Sysctl {
    fn probe(&self, context: &ProbeContext<'_>) -> Result<Observation, StepError> {
        let mut changes = Vec::new();
        let live = live(&self.key, context.look)?;
        if live.as_deref() != Some(normal(&self.value).as_str()) {
            changes.push(Change::new(&self.key, Field::Value, live, Some(normal(&self.value))));
        }
        changes.extend(file::changes(&file_of(&self.key), &line(self), 0o644, false, context.look)?);
        Ok(Observation::from_changes(changes))
    }

    fn apply(&self, changes: &[Change], context: &Context<'_>) -> Result<Outputs, StepError> {
        let path = path_of(&self.key);
        let text = path.to_string_lossy().into_owned();
        let Some(before) = live(&self.key, context.system.look())? else {
            return Err(StepError::Failed {
                message: format!("the kernel has no setting `{}` (`{text}` is not there)", self.key),
                help: Some("a kernel module that brings it may be missing".to_owned()),
            });
        };
        let of_file: Vec<_> =
            changes.iter().filter(|change| change.subject == file_of(&self.key)).cloned().collect();
        if !of_file.is_empty() {
            file::write(&file_of(&self.key), &line(self), 0o644, &of_file, context)?;
        }
        if before != normal(&self.value) {
            context.baseline.note(Entry::Sysctl { key: self.key.clone(), before })?;
            context.system.poke(&path, self.value.as_bytes()).map_err(failed("set", &text))?;
        }
        Ok(Outputs::new())
    }
}

/// One file a key: two playbooks never write one file. 90: after what the OS ships.
pub(crate) fn file_of(key: &str) -> String {
    format!("/etc/sysctl.d/90-garboard-{}.conf", key.replace('/', "."))
}

fn line(setting: &Sysctl) -> String {
    format!("{} = {}\n", setting.key, setting.value)
}

/// The file under `/proc/sys`. As sysctl(8) has it, a key that contains a slash before any dot uses slashes as its
/// separator (interface names may contain dots).
pub(crate) fn path_of(key: &str) -> PathBuf {
    let slashes = match (key.find('/'), key.find('.')) {
        (Some(slash), Some(dot)) => slash < dot,
        (Some(_), None) => true,
        _ => false,
    };
    let below: String = if slashes {
        key.to_owned()
    } else {
        key.chars()
            .map(|c| {
                if c == '.' {
                    '/'
                } else if c == '/' {
                    '.'
                } else {
                    c
                }
            })
            .collect()
    };
    PathBuf::from("/proc/sys").join(below)
}

/// The live value; `None` when the kernel has no such setting.
pub(crate) fn live(key: &str, look: &dyn Look) -> Result<Option<String>, StepError> {
    let path = path_of(key);
    let text = look.read_text(&path).map_err(failed("read", &path.to_string_lossy()))?;
    Ok(text.map(|text| normal(&text)))
}

/// Values with several numbers are shown with tabs and written with blanks.
fn normal(value: &str) -> String {
    value.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::path_of;

    #[test]
    fn keys_become_paths_as_sysctl_has_it() {
        for (key, path) in [
            ("net.ipv4.ip_forward", "/proc/sys/net/ipv4/ip_forward"),
            ("net/ipv4/conf/eth0.100/forwarding", "/proc/sys/net/ipv4/conf/eth0.100/forwarding"),
            ("net.ipv4.conf.eth0/100.forwarding", "/proc/sys/net/ipv4/conf/eth0.100/forwarding"),
        ] {
            assert_eq!(path_of(key).to_string_lossy(), path);
        }
    }
}
