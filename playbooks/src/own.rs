//! The user's own playbooks beside the shipped ones.

use garboard_inventory::{OwnPlaybook, Place};

use crate::diagnostic::{Fault, Faults};
use crate::file::{Files, Span, Spanned};
use crate::folder::Folder;
use crate::parse::Listed;
use crate::shipped::sources;
use crate::{Diagnostics, Site};

/// The shipped playbooks, and those of the user's own in their order. Their folders are read here.
///
/// # Errors
/// Everything that is wrong with the user's playbooks, each with its place: in the inventory, or in their own files.
pub fn site(own: &[OwnPlaybook]) -> Result<Site, Diagnostics> {
    Site::assemble(&sources(), own)
}

/// Reads the folders into `files`, and gives what can be parsed further.
pub(crate) fn listed(
    own: &[OwnPlaybook],
    shipped: &[Listed],
    files: &mut Files,
    faults: &mut Faults,
) -> Vec<Listed> {
    let mut listed: Vec<Listed> = Vec::new();
    for playbook in own {
        let span = span(&playbook.place, files);
        let folder = match Folder::read(&playbook.folder) {
            Ok(folder) => folder,
            Err(unfit) => {
                for unfit in unfit {
                    faults.push(Fault::new(span, unfit.message).help(unfit.help));
                }
                continue;
            }
        };
        if shipped.iter().any(|shipped| shipped.name.value == folder.name) {
            let message = format!("`{}` is the name of a playbook that comes with Garboard", folder.name);
            faults.push(Fault::new(span, message).help("give the folder another name"));
            continue;
        }
        if let Some(first) = listed.iter().find(|listed| listed.name.value == folder.name) {
            faults.push(
                Fault::new(span, format!("two playbooks have the name `{}`", folder.name))
                    .related(first.name.span, "the first one")
                    .help("give one of the folders another name: a playbook's name is its folder's"),
            );
            continue;
        }
        for (path, text) in &folder.files {
            files.add(&format!("{}/{path}", folder.path), text);
        }
        listed.push(Listed { name: Spanned { value: folder.name, span }, folder: folder.path, own: true });
    }
    listed
}

/// A place of the inventory as one of these files.
fn span(place: &Place, files: &mut Files) -> Span {
    let known = files.find(&place.file).filter(|(_, file)| *file.text == *place.text);
    let file = known.map(|(number, _)| number);
    let file = file.unwrap_or_else(|| files.add(&place.file, &place.text));
    Span { file, start: place.range.start, end: place.range.end }
}
