//! `directory`: a folder with its mode.

use std::path::Path;

use garboard_protocol::Observation;
use garboard_protocol::change::{Change, Field};
use garboard_protocol::step::{Directory, Outputs};

use super::path::{attributes, failed, kind_name, make_directory, make_parents, set_attributes};
use super::{Context, Kind, ProbeContext, StepError};
use crate::system;

impl Kind for Directory {
    fn probe(&self, context: &ProbeContext<'_>) -> Result<Observation, StepError> {
        let found = context.look.metadata(Path::new(&self.path)).map_err(failed("read", &self.path))?;
        let wanted = || Some("directory".to_owned());
        Ok(Observation::from_changes(match found {
            None => vec![Change::new(&self.path, Field::Kind, None, wanted())],
            Some(found) if found.kind != system::Kind::Directory => {
                vec![Change::new(&self.path, Field::Kind, Some(kind_name(found.kind).to_owned()), wanted())]
            }
            Some(found) => attributes(&self.path, &found, self.mode),
        }))
    }

    fn apply(&self, _changes: &[Change], context: &Context<'_>) -> Result<Outputs, StepError> {
        let path = Path::new(&self.path);
        match context.system.metadata(path).map_err(failed("read", &self.path))?.map(|found| found.kind) {
            None => {
                make_parents(&self.path, context)?;
                make_directory(&self.path, self.mode, context)?;
            }
            Some(system::Kind::Directory) => context.note_path(&self.path)?,
            Some(kind) => {
                return Err(StepError::NeedsPerson {
                    message: format!(
                        "`{}` should be a folder, but a {} is there",
                        self.path,
                        kind_name(kind)
                    ),
                    help: format!("look at `{}`, move it away, and run again", self.path),
                });
            }
        }
        set_attributes(&self.path, self.mode, context)?;
        Ok(Outputs::new())
    }
}
