//! Builds the mirror: programs first, one after another because Go uses every core; then files and images side by side.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use anyhow::Context as _;

use super::archive::{self, Archive, Content as Digest};
use super::cache::Folder;
use super::debian::{self, BaseLayer};
use super::image::{self, Written};
use super::lock::Lock;
use super::progress::Progress;
use super::recipe::{self, ARCHITECTURE, COMPONENTS, Content, FILES, File, HANDY, IMAGES, Image};
use super::{address, go, packages, program};

/// One piece of the second half.
#[derive(Clone, Copy)]
enum Piece {
    File(&'static File),
    Image(&'static Image),
}

/// Where the pieces of one build lie.
struct Work {
    /// The mirror in the making.
    mirror: PathBuf,
    /// The built programs, by their name in the recipe.
    programs: PathBuf,
}

/// Builds the mirror of that address, or takes the one another builder made meanwhile.
pub(super) fn build(folder: &Folder, address: &str, yes: bool) -> anyhow::Result<PathBuf> {
    anyhow::ensure!(
        std::env::consts::ARCH == "x86_64",
        "the mirror can only be built on amd64 so far, and this machine is {}",
        std::env::consts::ARCH
    );
    let lock = folder.lock(|| super::note("waiting: another process builds the mirror"))?;
    if let Some(path) = folder.find(address) {
        return Ok(path);
    }
    packages::ensure(packages::UPSTREAM, yes)?;
    let temporary = folder.begin(&lock)?;
    let work = Work { mirror: temporary.join("mirror"), programs: temporary.join("programs") };
    for path in [&work.mirror, &work.programs] {
        fs_err::create_dir(path)?;
    }
    let built: usize = COMPONENTS.iter().map(|component| component.programs.len()).sum();
    let progress = Progress::new(3 + built + FILES.len() + IMAGES.len());

    let base = programs(folder, &work, &progress)?;
    let document = pack(&work, &base, &progress)?;
    link_handy(&work)?;
    fs_err::write(work.mirror.join("garboard.lock"), document.render()?)?;
    sync(&work.mirror)?;
    let path = folder.publish(&lock, &work.mirror, address)?;
    fs_err::remove_dir_all(&temporary)?;
    progress.finish();
    Ok(path)
}

/// Builds every program, and the base layer that some of them stand on.
fn programs(folder: &Folder, work: &Work, progress: &Progress) -> anyhow::Result<BaseLayer> {
    let data = address::data();
    let base = progress.step("base layer: nftables and iptables", || debian::base_layer(folder))?;
    progress.step("flannel CNI plugin, from Debian", || {
        debian::flannel_cni(folder, &work.programs.join(recipe::FLANNEL_CNI))
    })?;
    progress.step("pause", || {
        let mut gcc = Command::new("gcc");
        gcc.args(["-Os", "-static", "-s", "-Wl,--build-id=none", "-o"]);
        gcc.arg(work.programs.join(recipe::PAUSE)).arg(data.join("pause/pause.c"));
        Ok(program::output(&mut gcc).map(drop)?)
    })?;
    for component in COMPONENTS {
        for (name, package) in component.programs {
            progress.step(&format!("{}: {name}", component.name), || {
                Ok(go::build(component, package, &data.join(component.name), &work.programs.join(name))?)
            })?;
        }
    }
    Ok(base)
}

/// Packs files and images with as many hands as there are cores.
fn pack(work: &Work, base: &BaseLayer, progress: &Progress) -> anyhow::Result<Lock> {
    // Popped from the end: the images with the largest programs come first, so that no core is left with one at the end.
    let queue = Mutex::new(
        FILES.iter().map(Piece::File).chain(IMAGES.iter().rev().map(Piece::Image)).collect::<Vec<_>>(),
    );
    let lock = Mutex::new(Lock::new());
    let hands = std::thread::available_parallelism().map_or(1, usize::from);
    let next = || queue.lock().ok().and_then(|mut queue| queue.pop());
    let one_hand = || -> anyhow::Result<()> {
        while let Some(piece) = next() {
            match piece {
                Piece::File(file) => {
                    let (url, content) =
                        progress.step(&format!("file: {}", file.name), || write_file(work, file))?;
                    settle(&lock)?.file(file, url, content);
                }
                Piece::Image(image) => {
                    let written = progress
                        .step(&format!("image: {}", image.name), || write_image(work, base, image))?;
                    settle(&lock)?.image(image, written);
                }
            }
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let hands: Vec<_> = (0..hands).map(|_| scope.spawn(one_hand)).collect();
        hands
            .into_iter()
            .try_for_each(|hand| hand.join().map_err(|_| anyhow::anyhow!("a packing thread panicked"))?)
    })?;
    lock.into_inner().map_err(|_| anyhow::anyhow!("a packing thread panicked"))
}

fn settle<T>(mutex: &Mutex<T>) -> anyhow::Result<std::sync::MutexGuard<'_, T>> {
    mutex.lock().map_err(|_| anyhow::anyhow!("a packing thread panicked"))
}

/// Writes one plain file where the official host has it.
fn write_file(work: &Work, file: &File) -> anyhow::Result<(String, Digest)> {
    let url = file.url.replace("{arch}", ARCHITECTURE);
    let path = place(work, &url)?;
    fs_err::create_dir_all(path.parent().context("a URL has a path")?)?;
    let content = match file.content {
        Content::Program(name) => {
            fs_err::hard_link(work.programs.join(name), &path)?;
            archive::content_of(&path)?
        }
        Content::Archive(members) => {
            let mut archive = Archive::create(&path)?;
            for (member, name) in members {
                archive.program(member, &work.programs.join(name))?;
            }
            archive.finish()?.compressed
        }
    };
    Ok((url, content))
}

fn write_image(work: &Work, base: &BaseLayer, image: &'static Image) -> anyhow::Result<Written> {
    image::write(image, base, &work.programs, &work.mirror.join("registry"))
}

/// `https://HOST/PATH` is kept at `files/HOST/PATH`.
fn place(work: &Work, url: &str) -> anyhow::Result<PathBuf> {
    let rest = url.strip_prefix("https://").with_context(|| format!("`{url}` is no https address"))?;
    Ok(work.mirror.join("files").join(rest))
}

/// Puts programs for the person at this machine into `bin`.
fn link_handy(work: &Work) -> anyhow::Result<()> {
    let bin = work.mirror.join("bin");
    fs_err::create_dir(&bin)?;
    for name in HANDY {
        fs_err::hard_link(work.programs.join(name), bin.join(name))?;
    }
    Ok(())
}

/// The published folder must survive a power cut as a whole, or not be there.
fn sync(path: &Path) -> anyhow::Result<()> {
    program::output(Command::new("sync").arg("--file-system").arg(path))?;
    Ok(())
}
