//! Where the tests find the product and the mirror, and where they keep their own state.

use std::path::{Path, PathBuf};

/// The release build of the product: what users run.
pub(crate) fn product() -> PathBuf {
    from("GARBOARD_BINARY")
}

/// The upstream mirror's folder.
pub(crate) fn mirror_folder() -> PathBuf {
    from("GARBOARD_MIRROR")
}

fn from(variable: &str) -> PathBuf {
    let path = std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    path.unwrap_or_else(|| panic!("`{variable}` is not set: run these tests with `cargo xtask test`"))
}

/// The folder of one lab's tests, always the same: what a killed run left is found there, and removed.
pub(crate) fn folder_of(lab: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("lab").join(lab)
}

/// Held as long as a lab of these tests exists.
pub(crate) struct Turn {
    _name: fs_err::File,
    _machine: fs_err::File,
}

/// Whom a lab shares this machine with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Company {
    /// Labs of other tests, of this run or another one.
    Others,
    /// Nobody: an emulated machine needs all processors there are.
    Nobody,
}

/// Waits until a lab of that name may exist: two runs at once would take each other's labs away.
pub(crate) fn turn(lab: &str, company: Company) -> Turn {
    // The machine's, not the checkout's: labs are found by their names wherever they were made.
    let file = |name: &str| {
        let path = format!("/run/garboard-lab-tests{name}.lock");
        fs_err::File::options().create(true).append(true).open(path).unwrap()
    };
    let (name, machine) = (file(&format!(".{lab}")), file(""));
    if name.file().try_lock().is_err() {
        println!("   waiting for another run of this test");
        name.file().lock().unwrap();
    }
    let taken = match company {
        Company::Others => machine.file().try_lock_shared(),
        Company::Nobody => machine.file().try_lock(),
    };
    if taken.is_err() {
        println!("   waiting for other tests on lab hosts");
        match company {
            Company::Others => machine.file().lock_shared(),
            Company::Nobody => machine.file().lock(),
        }
        .unwrap();
    }
    Turn { _name: name, _machine: machine }
}

/// The cache that labs share: the user's own base images, and the tests' blobs.
pub(crate) fn shared_cache() -> PathBuf {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("lab/cache");
    make_cache(&cache);
    cache
}

/// A cache folder for `XDG_CACHE_HOME` in which only the base images are the user's own.
pub(crate) fn make_cache(cache: &Path) {
    let ours = cache.join("garboard");
    fs_err::create_dir_all(&ours).unwrap();
    let bases = ours.join("lab");
    if bases.symlink_metadata().is_err() {
        let users = users_cache().join("garboard/lab");
        fs_err::create_dir_all(&users).unwrap();
        fs_err::os::unix::fs::symlink(users, bases).unwrap();
    }
}

fn users_cache() -> PathBuf {
    std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| std::env::home_dir().map(|home| home.join(".cache")))
        .expect("`HOME` is set")
}
