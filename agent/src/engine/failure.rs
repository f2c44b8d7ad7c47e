//! Errors as the client gets them.

use std::error::Error;
use std::io;

use garboard_protocol::StepId;
use garboard_protocol::event::{Failure, FailureKind};

use crate::steps::StepError;

/// What the client is told of `error`, which happened in `step`.
pub fn failure(error: &StepError, step: Option<StepId>) -> Failure {
    let (kind, help) = match error {
        StepError::NeedsPerson { help, .. } => (FailureKind::NeedsPerson, Some(help.clone())),
        StepError::Failed { help, .. } | StepError::Explained { help, .. } => {
            (FailureKind::Step, help.clone())
        }
        StepError::File { .. } | StepError::Command(_) => (FailureKind::Step, None),
    };
    let causes = sources(error).map(ToString::to_string).collect();
    let help = help.or_else(|| disk_help(error));
    Failure { step, kind, message: error.to_string(), causes, help }
}

/// What is behind `error`, outermost first.
pub fn sources<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(error.source(), |error| (*error).source())
}

fn disk_help(error: &StepError) -> Option<String> {
    let kind =
        sources(error).filter_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind).next()?;
    match kind {
        io::ErrorKind::StorageFull => Some("free some space on that file system, then run again".to_owned()),
        io::ErrorKind::QuotaExceeded => Some("raise the quota of root there, then run again".to_owned()),
        io::ErrorKind::ReadOnlyFilesystem => Some(
            "that file system is read-only: remount it read-write, or repair it if errors made the kernel do this".to_owned(),
        ),
        _ => None,
    }
}
