//! `artifact`: one program or file from a blob.

use std::path::Path;

use garboard_protocol::Observation;
use garboard_protocol::change::{Change, Field};
use garboard_protocol::step::{Artifact, Outputs};

use super::path::{
    attributes, failed, kind_name, make_parents, only_attributes, refuse_unlike, set_attributes,
};
use super::{Context, Kind, ProbeContext, StepError};
use crate::system;

impl Kind for Artifact {
    fn probe(&self, context: &ProbeContext<'_>) -> Result<Observation, StepError> {
        let path = Path::new(&self.path);
        let wanted = self.blob.digest;
        let Some(found) = context.look.metadata(path).map_err(failed("read", &self.path))? else {
            let change = Change::new(&self.path, Field::Content, None, Some(wanted.to_string()));
            return Ok(Observation::from_changes(vec![change]));
        };
        if found.kind != system::Kind::File {
            let before = Some(kind_name(found.kind).to_owned());
            let change = Change::new(&self.path, Field::Kind, before, Some("file".to_owned()));
            return Ok(Observation::from_changes(vec![change]));
        }
        let mut changes = Vec::new();
        if !context.records.matches(context.look, path, wanted).map_err(failed("read", &self.path))? {
            let (digest, _) =
                context.records.digest(context.look, path).map_err(failed("read", &self.path))?;
            if digest != wanted {
                let (before, after) = (Some(digest.to_string()), Some(wanted.to_string()));
                changes.push(Change::new(&self.path, Field::Content, before, after));
            }
        }
        changes.extend(attributes(&self.path, &found, self.mode));
        Ok(Observation::from_changes(changes))
    }

    fn apply(&self, changes: &[Change], context: &Context<'_>) -> Result<Outputs, StepError> {
        let path = Path::new(&self.path);
        if only_attributes(changes) {
            context.note_path(&self.path)?;
            set_attributes(&self.path, self.mode, context)?;
        } else {
            refuse_unlike(&self.path, context.system.metadata(path).map_err(failed("read", &self.path))?)?;
            make_parents(&self.path, context)?;
            context.note_path(&self.path)?;
            let blob = context.blob(self.blob.digest);
            context
                .system
                .install(&blob, self.blob.digest, path, self.mode)
                .map_err(failed("install", &self.path))?;
        }
        context
            .records
            .note(context.system.look(), path, self.blob.digest)
            .map_err(failed("read", &self.path))?;
        Ok(Outputs::new())
    }
}
