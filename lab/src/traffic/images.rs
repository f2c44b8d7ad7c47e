//! The images that every node of the cluster holds already, as the lab's lock names them.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{Error, Lab, Result};

/// References of the images that servers and clients run from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Images {
    /// CoreDNS: has a server for HTTP (plugin `health`).
    pub(super) server: String,
    /// flannel: has a shell, and `wget` (Alpine, as published) or `bash` (Debian, as the mirror builds it).
    pub(super) client: String,
}

#[derive(Deserialize)]
struct Document {
    images: BTreeMap<String, Image>,
}

#[derive(Deserialize)]
struct Image {
    reference: String,
}

/// From the lock beside the lab's inventory.
pub(super) fn of_lab(lab: &Lab) -> Result<Images> {
    let path = lab.inventory().with_file_name("garboard.lock");
    let text = match fs_err::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(Error::Refused {
                message: format!(
                    "there is no `{}`; make the cluster first: `garboard up -i {}`",
                    path.display(),
                    lab.inventory().display()
                ),
            });
        }
        Err(error) => return Err(error.into()),
    };
    parse(&text).map_err(|reason| Error::Refused {
        message: format!("`{}` cannot be used: {reason}", path.display()),
    })
}

fn parse(text: &str) -> std::result::Result<Images, String> {
    let document: Document = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
    let reference = |name: &str| {
        document
            .images
            .get(name)
            .map(|image| image.reference.clone())
            .ok_or(format!("it has no image `{name}`"))
    };
    Ok(Images { server: reference("coredns")?, client: reference("flannel")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_those_of_the_lock() {
        let text = "version: 1\nfiles: {}\nimages:\n  coredns: { reference: 'r/coredns:1', index: 'x' }\n  \
            flannel: { reference: 'g/flannel:2' }\n";
        let expected = Images { server: "r/coredns:1".into(), client: "g/flannel:2".into() };
        assert_eq!(parse(text), Ok(expected));
        assert_eq!(parse("images: {}\n"), Err("it has no image `coredns`".into()));
    }
}
