//! Builds the mirror: programs first, one after another because Go uses every core; then files and images side by side.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use anyhow::Context as _;

use super::architecture::{AMD64, Architecture, EVERYWHERE};
use super::archive::{self, Archive, Content as Digest};
use super::cache::Folder;
use super::debian::{self, BaseLayer};
use super::image::{self, Written};
use super::lock::Lock;
use super::progress::Progress;
use super::recipe::{self, COMPONENTS, Content, FILES, File, HANDY, IMAGES, Image};
use super::{address, go, packages, program};

/// One piece of the second half.
#[derive(Clone, Copy)]
enum Piece {
    File(&'static File, Architecture),
    Image(&'static Image),
}

/// Where the pieces of one build lie.
struct Work {
    /// The mirror in the making.
    mirror: PathBuf,
    /// The built programs: a folder for each architecture, and in it their names in the recipe.
    programs: PathBuf,
}

/// What images of one architecture stand on.
struct Base {
    architecture: Architecture,
    layer: BaseLayer,
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
    fs_err::create_dir(&work.mirror)?;
    for architecture in EVERYWHERE {
        fs_err::create_dir_all(work.programs.join(architecture.name))?;
    }
    let progress = Progress::new(steps());

    let bases = bases(folder, &progress)?;
    programs(folder, &work, &progress)?;
    let document = pack(&work, &bases, &progress)?;
    link_handy(&work)?;
    fs_err::write(work.mirror.join("garboard.lock"), document.render()?)?;
    sync(&work.mirror)?;
    let path = folder.publish(&lock, &work.mirror, address)?;
    fs_err::remove_dir_all(&temporary)?;
    progress.finish();
    Ok(path)
}

/// How many steps a build has.
fn steps() -> usize {
    let for_one = |architecture: &Architecture| {
        let base_plugin_and_pause = 3;
        let libraries = usize::from(architecture.foreign);
        base_plugin_and_pause + libraries + go_programs(*architecture).count() + FILES.len()
    };
    EVERYWHERE.iter().map(for_one).sum::<usize>() + IMAGES.len()
}

/// The Go programs that are needed for an architecture: component, program, package.
fn go_programs(
    architecture: Architecture,
) -> impl Iterator<Item = (&'static recipe::Component, &'static str, &'static str)> {
    COMPONENTS
        .iter()
        .flat_map(|component| {
            component.programs.iter().map(move |(name, package)| (component, *name, *package))
        })
        .filter(move |(_, name, _)| recipe::needs(architecture, name))
}

/// The base layers that some images stand on.
fn bases(folder: &Folder, progress: &Progress) -> anyhow::Result<Vec<Base>> {
    let one = |architecture: &Architecture| {
        let name = format!("base layer for {}: nftables and iptables", architecture.name);
        let layer = progress.step(&name, || debian::base_layer(folder, *architecture))?;
        Ok(Base { architecture: *architecture, layer })
    };
    EVERYWHERE.iter().map(one).collect()
}

/// Builds every program, for one architecture after the other.
fn programs(folder: &Folder, work: &Work, progress: &Progress) -> anyhow::Result<()> {
    let data = address::data();
    for architecture in EVERYWHERE {
        let programs = work.programs.join(architecture.name);
        let step = |name: &str| format!("{name} for {}", architecture.name);
        progress.step(&step("flannel CNI plugin, from Debian,"), || {
            debian::flannel_cni(folder, *architecture, &programs.join(recipe::FLANNEL_CNI))
        })?;
        progress.step(&step("pause"), || {
            let mut compiler = Command::new(architecture.compiler);
            compiler.args(["-Os", "-static", "-s", "-Wl,--build-id=none", "-o"]);
            compiler.arg(programs.join(recipe::PAUSE)).arg(data.join("pause/pause.c"));
            Ok(program::output(&mut compiler).map(drop)?)
        })?;
        let root = if architecture.foreign {
            let libraries = || debian::libraries(folder, *architecture);
            Some(progress.step(&step("C libraries, from Debian,"), libraries)?)
        } else {
            None
        };
        let target = go::Target { architecture: *architecture, root: root.as_deref() };
        for (component, name, package) in go_programs(*architecture) {
            progress.step(&step(&format!("{}: {name}", component.name)), || {
                let folder = data.join(component.name);
                Ok(go::build(component, package, &target, &folder, &programs.join(name))?)
            })?;
        }
    }
    Ok(())
}

/// Packs files and images with as many hands as there are cores.
fn pack(work: &Work, bases: &[Base], progress: &Progress) -> anyhow::Result<Lock> {
    // Popped from the end: the images with the largest programs come first, so that no core is left with one at the end.
    let files =
        EVERYWHERE.iter().flat_map(|architecture| FILES.iter().map(|file| Piece::File(file, *architecture)));
    let queue = Mutex::new(files.chain(IMAGES.iter().rev().map(Piece::Image)).collect::<Vec<_>>());
    let lock = Mutex::new(Lock::new());
    let hands = std::thread::available_parallelism().map_or(1, usize::from);
    let next = || queue.lock().ok().and_then(|mut queue| queue.pop());
    let one_hand = || -> anyhow::Result<()> {
        while let Some(piece) = next() {
            match piece {
                Piece::File(file, architecture) => {
                    let name = format!("file: {} for {}", file.name, architecture.name);
                    let (url, content) = progress.step(&name, || write_file(work, file, architecture))?;
                    settle(&lock)?.file(file, architecture, url, content);
                }
                Piece::Image(image) => {
                    let written = progress
                        .step(&format!("image: {}", image.name), || write_image(work, bases, image))?;
                    // What only tests run is nothing that a cluster is made of.
                    if image.name != recipe::BACKEND {
                        settle(&lock)?.image(image, written);
                    }
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
fn write_file(work: &Work, file: &File, architecture: Architecture) -> anyhow::Result<(String, Digest)> {
    let url = file.url.replace("{arch}", architecture.name);
    let programs = work.programs.join(architecture.name);
    let path = place(work, &url)?;
    fs_err::create_dir_all(path.parent().context("a URL has a path")?)?;
    let content = match file.content {
        Content::Program(name) => {
            fs_err::hard_link(programs.join(name), &path)?;
            archive::content_of(&path)?
        }
        Content::Archive(members) => {
            let mut archive = Archive::create(&path)?;
            for (member, name) in members {
                archive.program(member, &programs.join(name))?;
            }
            archive.finish()?.compressed
        }
    };
    Ok((url, content))
}

fn write_image(work: &Work, bases: &[Base], image: &'static Image) -> anyhow::Result<Written> {
    let bases: Vec<&Base> =
        bases.iter().filter(|base| image.architectures.contains(&base.architecture)).collect();
    let folders: Vec<PathBuf> = bases.iter().map(|base| work.programs.join(base.architecture.name)).collect();
    let parts: Vec<image::Parts> = std::iter::zip(&bases, &folders)
        .map(|(base, programs)| image::Parts { architecture: base.architecture, base: &base.layer, programs })
        .collect();
    image::write(image, &parts, &work.mirror.join("registry"))
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
        fs_err::hard_link(work.programs.join(AMD64.name).join(name), bin.join(name))?;
    }
    Ok(())
}

/// The published folder must survive a power cut as a whole, or not be there.
fn sync(path: &Path) -> anyhow::Result<()> {
    program::output(Command::new("sync").arg("--file-system").arg(path))?;
    Ok(())
}
