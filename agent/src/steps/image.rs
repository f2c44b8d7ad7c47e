//! `image`: images in containerd's `k8s.io` namespace, under tag and index digest, pinned, unpacked, never pulled.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::Duration;

use garboard_protocol::Observation;
use garboard_protocol::change::{Change, Field};
use garboard_protocol::step::{Image, ImageSource, Outputs};

use super::oci_layout;
use super::path::failed;
use super::{Context, Kind, ProbeContext, StepError};
use crate::system::{Command, CommandError, Live, Look};

const SOCKET: &str = "/run/containerd/containerd.sock";
/// The label by which the CRI plugin keeps an image from the kubelet's garbage collection
/// (containerd `internal/cri/labels`).
const PINNED: &str = "io.cri-containerd.pinned=pinned";

impl Kind for Image {
    fn probe(&self, context: &ProbeContext<'_>) -> Result<Observation, StepError> {
        match stored(context.look)? {
            Stored::Images(images) => Ok(Observation::from_changes(
                self.images.iter().filter_map(|image| change(image, &images)).collect(),
            )),
            Stored::Unknown(because) => Ok(Observation::Unknown { because }),
        }
    }

    fn apply(&self, _changes: &[Change], context: &Context<'_>) -> Result<Outputs, StepError> {
        // Looked at again, because a probe before containerd ran could not tell.
        let images = match stored(context.system.look())? {
            Stored::Images(images) => images,
            Stored::Unknown(because) => {
                return Err(StepError::Failed {
                    message: because,
                    help: Some(
                        "on the host: `systemctl status containerd`, `journalctl -u containerd`".to_owned(),
                    ),
                });
            }
        };
        let missing: Vec<_> = self.images.iter().filter(|image| change(image, &images).is_some()).collect();
        for (number, image) in missing.iter().enumerate() {
            (context.progress)(&format!(
                "importing {} ({} of {})",
                image.reference,
                number + 1,
                missing.len()
            ));
            import(image, context)?;
        }
        Ok(Outputs::new())
    }
}

/// What containerd has.
enum Stored {
    /// By name.
    Images(BTreeMap<String, StoredImage>),
    /// It cannot be asked.
    Unknown(String),
}

struct StoredImage {
    target: String,
    pinned: bool,
}

fn stored(look: &dyn Look) -> Result<Stored, StepError> {
    let stopped = || Stored::Unknown("containerd is not running".to_owned());
    if look.metadata(Path::new(SOCKET)).map_err(failed("read", SOCKET))?.is_none() {
        return Ok(stopped());
    }
    match look.ask(&ctr(&["--connect-timeout", "5s"], &["images", "ls"]).whole()) {
        Ok(output) => Ok(Stored::Images(parse(&output.stdout))),
        // The socket of a dead containerd stays behind.
        Err(CommandError::Exit { .. } | CommandError::Timeout { .. }) => Ok(stopped()),
        Err(CommandError::Start { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(stopped()),
        Err(error) => Err(error.into()),
    }
}

/// `REF TYPE DIGEST SIZE PLATFORMS LABELS`, where the size contains a blank and labels are joined by commas.
fn parse(text: &str) -> BTreeMap<String, StoredImage> {
    text.lines()
        .skip(1)
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let (name, target) = (words.next()?, words.nth(1)?);
            let pinned =
                words.next_back().is_some_and(|labels| labels.split(',').any(|label| label == PINNED));
            Some((name.to_owned(), StoredImage { target: target.to_owned(), pinned }))
        })
        .collect()
}

/// What is missing of an image.
fn change(image: &ImageSource, stored: &BTreeMap<String, StoredImage>) -> Option<Change> {
    let wanted = image.index.digest.to_string();
    let found = stored.get(&image.reference);
    let right =
        |found: Option<&StoredImage>| found.is_some_and(|found| found.target == wanted && found.pinned);
    if right(found) && right(stored.get(&oci_layout::digest_name(image))) {
        return None;
    }
    let before = found.map(|found| match found.pinned {
        true if found.target == wanted => format!("{} without its digest's name", found.target),
        true => found.target.clone(),
        false => format!("{} (not pinned)", found.target),
    });
    Some(Change::new(&image.reference, Field::Image, before, Some(wanted)))
}

fn import(image: &ImageSource, context: &Context<'_>) -> Result<(), StepError> {
    // `--local` with a strict platform: the index names manifests of other platforms whose content is not here, and
    // `--sync-fs` makes the unpacked layers survive a power cut.
    let platform = format!("linux/{}", oci_layout::architecture());
    let arguments =
        ["images", "import", "--local", "--sync-fs", "--platform", &platform, "--label", PINNED, "-"];
    let command = ctr(&[], &arguments).timeout(Duration::from_mins(15));
    let mut feed = |input: &mut dyn io::Write| oci_layout::write(image, context, input);
    let live = Live { feed: Some(&mut feed), line: None };
    match context.system.run_live(&command, live) {
        Ok(_) => Ok(()),
        Err(CommandError::Input { source, .. }) => {
            Err(StepError::File { action: "import", path: image.reference.clone(), source })
        }
        Err(error) => Err(error.into()),
    }
}

fn ctr(options: &[&str], arguments: &[&str]) -> Command {
    let base = ["--address", SOCKET, "--namespace", "k8s.io"];
    Command::new("ctr", base.iter().chain(options).chain(arguments).copied())
}

#[cfg(test)]
mod tests {
    use super::{change, parse};
    use garboard_protocol::Digest;
    use garboard_protocol::step::{Blob, ImageSource};

    fn image() -> ImageSource {
        let blob = |text: &[u8]| Blob { digest: Digest::of(text), size: text.len() as u64 };
        ImageSource {
            reference: "registry.k8s.io/pause:3.10.2".to_owned(),
            index: blob(b"index"),
            manifest: blob(b"manifest"),
            config: blob(b"config"),
            layers: vec![blob(b"layer")],
        }
    }

    fn list(target: &str, labels: &str) -> String {
        let digest = Digest::of(b"index");
        format!(
            "REF TYPE DIGEST SIZE PLATFORMS LABELS \n\
             registry.k8s.io/pause:3.10.2 application/vnd.oci.image.index.v1+json {target} 306.4 KiB linux/amd64 {labels} \n\
             registry.k8s.io/pause@{digest} application/vnd.oci.image.index.v1+json {digest} 306.4 KiB linux/amd64 io.cri-containerd.image=managed,io.cri-containerd.pinned=pinned \n"
        )
    }

    #[test]
    fn an_image_is_there_only_under_both_names_with_the_right_target_and_pinned() {
        let right = Digest::of(b"index").to_string();
        let wrong = Digest::of(b"another").to_string();
        let pinned = "io.cri-containerd.image=managed,io.cri-containerd.pinned=pinned";
        assert_eq!(change(&image(), &parse(&list(&right, pinned))), None);
        assert!(change(&image(), &parse(&list(&wrong, pinned))).is_some(), "another target was taken");
        assert!(
            change(&image(), &parse(&list(&right, "-"))).is_some(),
            "an image that is not pinned was taken"
        );
        let both = list(&right, pinned);
        let one_name = both.lines().take(2).collect::<Vec<_>>().join("\n");
        assert!(change(&image(), &parse(&one_name)).is_some(), "a missing digest name was not seen");
    }
}
