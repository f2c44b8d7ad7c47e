//! `archive`: chosen members of a `.tar.gz`, each put in place atomically under its last component.

use std::collections::BTreeSet;
use std::path::{Component, Path};

use flate2::read::GzDecoder;
use garboard_protocol::Observation;
use garboard_protocol::change::{Change, Field};
use garboard_protocol::step::{Archive, Outputs};

use super::path::{
    attributes, failed, kind_name, make_directory, make_parents, refuse_unlike, set_attributes,
};
use super::{Context, Kind, ProbeContext, StepError};
use crate::system;

impl Kind for Archive {
    fn probe(&self, context: &ProbeContext<'_>) -> Result<Observation, StepError> {
        let mut changes = Vec::new();
        for member in &self.members {
            let path = path_of(self, member)?;
            let found = context.look.metadata(Path::new(&path)).map_err(failed("read", &path))?;
            // The digest of one member is not known beforehand: the record says which archive it came from.
            let wanted = format!("{} of {}", member, self.blob.digest);
            match found {
                None => changes.push(Change::new(&path, Field::Content, None, Some(wanted))),
                Some(found) if found.kind != system::Kind::File => {
                    let before = Some(kind_name(found.kind).to_owned());
                    changes.push(Change::new(&path, Field::Kind, before, Some("file".to_owned())));
                }
                Some(found) => {
                    let known = context.records.matches(context.look, Path::new(&path), self.blob.digest);
                    if !known.map_err(failed("read", &path))? {
                        let digest = context.records.digest(context.look, Path::new(&path));
                        let (digest, _) = digest.map_err(failed("read", &path))?;
                        changes.push(Change::new(
                            &path,
                            Field::Content,
                            Some(digest.to_string()),
                            Some(wanted),
                        ));
                    }
                    changes.extend(attributes(&path, &found, self.mode));
                }
            }
        }
        Ok(Observation::from_changes(changes))
    }

    fn apply(&self, changes: &[Change], context: &Context<'_>) -> Result<Outputs, StepError> {
        let mut unpack = BTreeSet::new();
        for member in &self.members {
            let path = path_of(self, member)?;
            let of_path: Vec<_> = changes.iter().filter(|change| change.subject == path).collect();
            if of_path.iter().any(|change| matches!(change.field, Field::Content | Field::Kind)) {
                unpack.insert(member.as_str());
            } else if !of_path.is_empty() {
                context.note_path(&path)?;
                set_attributes(&path, self.mode, context)?;
                record(self, &path, context)?;
            }
        }
        if !unpack.is_empty() {
            extract(self, unpack, context)?;
        }
        Ok(Outputs::new())
    }
}

/// Where a member lands. Names that could land anywhere else are refused.
fn path_of(archive: &Archive, member: &str) -> Result<String, StepError> {
    let name = Path::new(member);
    let plain = name.components().all(|part| matches!(part, Component::Normal(_)));
    match name.file_name() {
        Some(last) if plain => {
            Ok(format!("{}/{}", archive.destination.trim_end_matches('/'), last.to_string_lossy()))
        }
        _ => Err(StepError::Failed {
            message: format!("archive member `{member}` is not a plain relative path"),
            help: Some("name members as the archive lists them, without `..` or a leading `/`".to_owned()),
        }),
    }
}

fn record(archive: &Archive, path: &str, context: &Context<'_>) -> Result<(), StepError> {
    context
        .records
        .note(context.system.look(), Path::new(path), archive.blob.digest)
        .map_err(failed("read", path))
}

fn extract(archive: &Archive, mut wanted: BTreeSet<&str>, context: &Context<'_>) -> Result<(), StepError> {
    let blob = context.blob(archive.blob.digest);
    let blob_text = blob.to_string_lossy().into_owned();
    // Hashed again before anything of it is unpacked: a bit may have flipped since it arrived.
    let (digest, _) = context.system.digest(&blob).map_err(failed("read", &blob_text))?;
    if digest != archive.blob.digest {
        return Err(StepError::Failed {
            message: format!(
                "the blob `{}` on this host is damaged: its content is {digest}",
                archive.blob.digest
            ),
            help: Some("check the disk and memory of this host; a re-run sends the blob again".to_owned()),
        });
    }
    if context
        .system
        .metadata(Path::new(&archive.destination))
        .map_err(failed("read", &archive.destination))?
        .is_none()
    {
        make_parents(&archive.destination, context)?;
        make_directory(&archive.destination, 0o755, context)?;
    }
    let file = context.system.open(&blob).map_err(failed("read", &blob_text))?;
    let mut members = tar::Archive::new(GzDecoder::new(file));
    for entry in members.entries().map_err(failed("unpack", &blob_text))? {
        let mut entry = entry.map_err(failed("unpack", &blob_text))?;
        let name = entry.path().map_err(failed("unpack", &blob_text))?.to_string_lossy().into_owned();
        let Some(member) = wanted.take(name.strip_prefix("./").unwrap_or(&name)) else { continue };
        if !entry.header().entry_type().is_file() {
            return Err(StepError::Failed {
                message: format!("`{member}` in the archive {} is not a regular file", archive.blob.digest),
                help: None,
            });
        }
        let path = path_of(archive, member)?;
        refuse_unlike(&path, context.system.metadata(Path::new(&path)).map_err(failed("read", &path))?)?;
        context.note_path(&path)?;
        // The mode is the step's; setuid and the like of the archive's header never reach the host.
        context
            .system
            .write_stream(Path::new(&path), &mut entry, archive.mode & 0o777)
            .map_err(failed("unpack", &path))?;
        record(archive, &path, context)?;
        if wanted.is_empty() {
            return Ok(());
        }
    }
    let missing: Vec<_> = wanted.into_iter().collect();
    Err(StepError::Failed {
        message: format!("the archive {} has no member `{}`", archive.blob.digest, missing.join("`, `")),
        help: Some("compare the step's `members` with `tar -tzf` of the archive".to_owned()),
    })
}
