//! From files to playbooks. Everything that is wrong in them is said at once.

mod cluster_step;
mod host_step;
mod owned;
mod playbook;
mod scalar;
mod step;

use std::collections::BTreeMap;

use garboard_inventory::OwnPlaybook;

use crate::Diagnostics;
use crate::Site;
use crate::diagnostic::{Fault, Faults, suggestion};
use crate::file::{Files, Span, Spanned};
use crate::template::Compiler;
use crate::yaml::{Fields, read};

/// What a reader of one playbook has at hand.
pub(crate) struct Reader<'a> {
    /// The playbook's name.
    pub(crate) name: &'a str,
    /// Its folder, as its files are listed.
    pub(crate) folder: &'a str,
    /// It is the user's own.
    pub(crate) own: bool,
    pub(crate) files: &'a Files,
    pub(crate) templates: &'a mut Compiler,
    pub(crate) faults: &'a mut Faults,
}

/// An entry of the table of contents.
#[derive(Debug)]
pub(crate) struct Listed {
    /// The playbook's name, and where it is listed.
    pub(crate) name: Spanned<String>,
    /// Where its files are.
    pub(crate) folder: String,
    /// It is the user's own.
    pub(crate) own: bool,
}

impl Site {
    /// Reads `site.yaml` and the playbooks it lists, and checks all that can be checked without an inventory. `sources`
    /// are file texts by path relative to the folder of `site.yaml`: `site.yaml`, `host/playbook.yaml`,
    /// `containerd/templates/config.toml.tera`…
    ///
    /// # Errors
    /// Every violation found, each with its place.
    pub fn parse(sources: &BTreeMap<String, String>) -> Result<Self, Diagnostics> {
        Self::assemble(sources, &[])
    }

    /// The same, joined by the user's own playbooks, whose folders are read.
    pub(crate) fn assemble(
        sources: &BTreeMap<String, String>,
        own: &[OwnPlaybook],
    ) -> Result<Self, Diagnostics> {
        let mut files = Files::default();
        for (path, text) in sources {
            files.add(path, text);
        }
        let mut faults = Faults::default();
        let mut templates = Compiler::new();
        let mut playbooks = Vec::new();
        let mut listed: Vec<Listed> = list(&mut files, &mut faults)
            .into_iter()
            .map(|name| Listed { folder: name.value.clone(), name, own: false })
            .collect();
        listed.extend(crate::own::listed(own, &listed, &mut files, &mut faults));
        for listed in &listed {
            let path = format!("{}/playbook.yaml", listed.folder);
            let Some((number, file)) = files.find(&path) else {
                faults.push(missing_playbook(&files, &listed.name));
                continue;
            };
            let Some(node) = read(number, &file.text, &mut faults) else { continue };
            let mut reader = Reader {
                name: &listed.name.value,
                folder: &listed.folder,
                own: listed.own,
                files: &files,
                templates: &mut templates,
                faults: &mut faults,
            };
            playbooks.extend(reader.playbook(&node));
        }
        let site = Self { playbooks, files, templates: templates.finish() };
        if faults.is_empty() {
            crate::check::structure(&site, &mut faults);
        }
        let files = site.files.clone();
        faults.or(&files, site)
    }
}

/// The names in `site.yaml`.
fn list(files: &mut Files, faults: &mut Faults) -> Vec<Spanned<String>> {
    let Some((number, file)) = files.find("site.yaml") else {
        let number = files.add("site.yaml", "");
        let message = "there is no file `site.yaml`, the table of contents";
        faults.push(
            Fault::new(Span { file: number, start: 0, end: 0 }, message)
                .help("`playbooks: [NAME, …]`: the folders of the playbooks in their order"),
        );
        return Vec::new();
    };
    let Some(node) = read(number, &file.text, faults) else { return Vec::new() };
    let Some(mut fields) = Fields::of(&node, "`site.yaml`", faults) else { return Vec::new() };
    let names = fields
        .required("playbooks", faults)
        .and_then(|node| node.texts("a list of playbooks' names", faults))
        .unwrap_or_default();
    fields.finish(faults);
    let mut once: Vec<Spanned<String>> = Vec::new();
    for name in names {
        match once.iter().find(|earlier| earlier.value == name.value) {
            Some(first) => faults.push(
                Fault::new(name.span, format!("`{}` is listed twice", name.value))
                    .related(first.span, "first listed here"),
            ),
            None => once.push(name),
        }
    }
    once
}

fn missing_playbook(files: &Files, name: &Spanned<String>) -> Fault {
    let there: Vec<&str> = files.paths().filter_map(|path| path.strip_suffix("/playbook.yaml")).collect();
    let fault = Fault::new(name.span, format!("there is no file `{}/playbook.yaml`", name.value));
    match suggestion(&name.value, there) {
        Some(help) => fault.help(help),
        None => fault,
    }
}
