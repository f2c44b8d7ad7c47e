//! `file`: a small text file, written whole.

use std::path::Path;

use garboard_protocol::change::{Change, Field};
use garboard_protocol::step::{File, Outputs};
use garboard_protocol::{Digest, Observation};

use super::path::{
    attributes, failed, kind_name, make_parents, only_attributes, refuse_unlike, set_attributes,
};
use super::{Context, Kind, ProbeContext, StepError};
use crate::system::{self, Look};

impl Kind for File {
    fn probe(&self, context: &ProbeContext<'_>) -> Result<Observation, StepError> {
        changes(&self.path, &self.content, self.mode, self.secret, context.look)
            .map(Observation::from_changes)
    }

    fn apply(&self, changes: &[Change], context: &Context<'_>) -> Result<Outputs, StepError> {
        write(&self.path, &self.content, self.mode, changes, context)?;
        Ok(Outputs::new())
    }
}

/// How the file at `path` differs from `content` and `mode`.
pub(crate) fn changes(
    path: &str,
    content: &str,
    mode: u32,
    secret: bool,
    look: &dyn Look,
) -> Result<Vec<Change>, StepError> {
    let shown = |content: &[u8]| match std::str::from_utf8(content) {
        Ok(text) if !secret => text.to_owned(),
        _ => Digest::of(content).to_string(),
    };
    let after = Some(shown(content.as_bytes()));
    let Some(found) = look.metadata(Path::new(path)).map_err(failed("read", path))? else {
        return Ok(vec![Change::new(path, Field::Content, None, after)]);
    };
    if found.kind != system::Kind::File {
        let before = Some(kind_name(found.kind).to_owned());
        return Ok(vec![Change::new(path, Field::Kind, before, Some("file".to_owned()))]);
    }
    let mut changes = Vec::new();
    // A large foreign file is not read just to be compared.
    if found.size != content.len() as u64 && found.size > garboard_protocol::limits::INLINE_BYTES as u64 {
        let (digest, _) = look.digest(Path::new(path)).map_err(failed("read", path))?;
        changes.push(Change::new(path, Field::Content, Some(digest.to_string()), after));
    } else {
        let before = look.read(Path::new(path)).map_err(failed("read", path))?;
        if before != content.as_bytes() {
            changes.push(Change::new(path, Field::Content, Some(shown(&before)), after));
        }
    }
    changes.extend(attributes(path, &found, mode));
    Ok(changes)
}

/// Removes those differences. Writes nothing when there are none.
pub(crate) fn write(
    path: &str,
    text: &str,
    mode: u32,
    changes: &[Change],
    context: &Context<'_>,
) -> Result<(), StepError> {
    if only_attributes(changes) {
        context.note_path(path)?;
        return set_attributes(path, mode, context);
    }
    refuse_unlike(path, context.system.metadata(Path::new(path)).map_err(failed("read", path))?)?;
    make_parents(path, context)?;
    context.note_path(path)?;
    context.system.write(Path::new(path), text.as_bytes(), mode).map_err(failed("write", path))
}
