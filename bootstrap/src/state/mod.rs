//! What the laptop remembers: a folder a cluster, private to its user, and the store of blobs.

pub(crate) mod private_file;

use std::fs::{DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use garboard_protocol::reset::Keepsake;
use garboard_protocol::step::ClusterId;

use private_file::write_privately;

const KNOWN_HOSTS: &str = "known_hosts";

/// Why the laptop's memory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Neither a folder was named nor is there a home.
    #[error("no folder to remember clusters in: neither `--state` nor XDG_STATE_HOME nor HOME is set")]
    NoFolder,
    /// A file or folder cannot be used.
    #[error("cannot {action} `{}`", path.display())]
    File {
        /// `read`, `write`…
        action: &'static str,
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another command on this laptop works on the same cluster.
    #[error("another `garboard` on this machine is at work on cluster `{cluster}`")]
    Busy {
        /// The cluster's name.
        cluster: String,
    },
    /// A file of ours is not what we wrote.
    #[error("`{}` is damaged; remove it", path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
}

/// The folder of one cluster, held for the length of the invocation.
#[derive(Debug)]
pub struct ClusterState {
    folder: PathBuf,
    /// Freed by the kernel when the process ends, however it ends.
    _lock: File,
}

/// `$XDG_CACHE_HOME/garboard/blobs`, or below `~/.cache`, or below the temporary folder when there is no home.
pub fn blobs_folder() -> PathBuf {
    folder_of("XDG_CACHE_HOME", ".cache").unwrap_or_else(std::env::temp_dir).join("garboard/blobs")
}

fn folder_of(variable: &str, below_home: &str) -> Option<PathBuf> {
    let named = std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    named.or_else(|| std::env::home_dir().map(|home| home.join(below_home)))
}

impl ClusterState {
    /// Opens the folder of `cluster` below `root` (default `$XDG_STATE_HOME/garboard`), mode 0700, and holds it.
    pub fn open(root: Option<&Path>, cluster: &str) -> Result<Self, StateError> {
        let root = match root {
            Some(root) => root.to_owned(),
            None => folder_of("XDG_STATE_HOME", ".local/state").ok_or(StateError::NoFolder)?.join("garboard"),
        };
        let folder = root.join(cluster);
        DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(at("create", &folder))?;
        let path = folder.join("lock");
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(at("open", &path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { folder, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(StateError::Busy { cluster: cluster.to_owned() }),
            Err(TryLockError::Error(error)) => Err(at("lock", &path)(error)),
        }
    }

    /// The unfinished run's id, or a new one that is unfinished from now on.
    pub fn take_run(&self) -> Result<String, StateError> {
        let path = self.folder.join("run");
        if let Some(id) = read(&path)? {
            return Ok(id.trim().to_owned());
        }
        let id = new_run().map_err(at("make an id for", &path))?;
        self.write("run", id.as_bytes())?;
        Ok(id)
    }

    /// The run is finished: the next one is another.
    pub fn finish_run(&self) -> Result<(), StateError> {
        self.forget("run")
    }

    /// The cluster's identity, once it is known.
    pub fn cluster_id(&self) -> Result<Option<ClusterId>, StateError> {
        self.read_json("cluster.json")
    }

    /// Remembers the cluster's identity; written only when it is news.
    pub fn remember_cluster(&self, id: &ClusterId) -> Result<(), StateError> {
        if self.cluster_id()?.as_ref() == Some(id) {
            return Ok(());
        }
        self.write_json("cluster.json", id)
    }

    /// There is no cluster any more, or a new one is about to be made.
    pub fn forget_cluster(&self) -> Result<(), StateError> {
        self.forget("cluster.json")
    }

    /// Where the report of a run goes.
    pub fn report_path(&self, name: &str) -> PathBuf {
        self.folder.join("reports").join(format!("{name}.json"))
    }

    /// Host keys pinned by this tool.
    pub fn known_hosts_path(&self) -> PathBuf {
        self.folder.join(KNOWN_HOSTS)
    }

    /// What the VPN needs to keep.
    pub fn vpn(&self) -> crate::vpn::Folder {
        crate::vpn::Folder::of(&self.folder)
    }

    /// The authority for servers inside the cluster. Ten years for each: a laptop may be away for long, and nobody else renews them
    /// (ADR 16).
    pub fn serving(&self) -> crate::serving::Folder {
        let name = self.folder.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        crate::serving::Folder::of(&self.folder, "serving", format!("{name} servers"), 3650)
    }

    /// The authority for names at home. Browsers and phones take no certificate for longer than 825 days, also of an authority that
    /// their owner trusts.
    pub fn ingress_authority(&self) -> crate::serving::Folder {
        let name = self.folder.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        crate::serving::Folder::of(&self.folder, "ingress", format!("{name} ingress"), 820)
    }

    /// The cluster's own kubeconfig.
    pub fn kubeconfig_path(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    /// The cluster's own kubeconfig, if there is one.
    pub fn kubeconfig(&self) -> Result<Option<String>, StateError> {
        read(&self.kubeconfig_path())
    }

    /// Writes it, mode 0600; whether it was news.
    pub fn write_kubeconfig(&self, text: &str) -> Result<bool, StateError> {
        if self.kubeconfig()?.as_deref() == Some(text) {
            return Ok(false);
        }
        self.write("kubeconfig", text.as_bytes()).map(|()| true)
    }

    /// Its cluster is gone.
    pub fn forget_kubeconfig(&self) -> Result<(), StateError> {
        self.forget("kubeconfig")
    }

    /// What a host handed over when it was given back.
    pub fn keepsake(&self, host: &str) -> Result<Option<Keepsake>, StateError> {
        self.read_json(&format!("keepsakes/{host}.json"))
    }

    /// Keeps it for `reset --verify`.
    pub fn write_keepsake(&self, host: &str, keepsake: &Keepsake) -> Result<(), StateError> {
        let folder = self.folder.join("keepsakes");
        DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(at("create", &folder))?;
        self.write_json(&format!("keepsakes/{host}.json"), keepsake)
    }

    fn read_json<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<Option<T>, StateError> {
        let path = self.folder.join(name);
        match read(&path)? {
            None => Ok(None),
            Some(text) => {
                serde_json::from_str(&text).map(Some).map_err(|source| StateError::Damaged { path, source })
            }
        }
    }

    fn write_json(&self, name: &str, value: &impl serde::Serialize) -> Result<(), StateError> {
        let path = self.folder.join(name);
        let text = serde_json::to_vec_pretty(value).map_err(|error| at("write", &path)(error.into()))?;
        self.write(name, &text)
    }

    fn write(&self, name: &str, content: &[u8]) -> Result<(), StateError> {
        let path = self.folder.join(name);
        write_privately(&path, content).map_err(at("write", &path))
    }

    fn forget(&self, name: &str) -> Result<(), StateError> {
        let path = self.folder.join(name);
        match fs_err::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at("remove", &path)(error)),
            _ => Ok(()),
        }
    }
}

/// The id of a run that nobody has seen yet.
pub(crate) fn new_run() -> io::Result<String> {
    let mut random = [0_u8; 4];
    getrandom::fill(&mut random).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(format!("{:08x}", u32::from_be_bytes(random)))
}

/// Where [`ClusterState::known_hosts_path`] will be, for a cluster that this laptop may know nothing of yet.
pub(crate) fn known_hosts_of(root: Option<&Path>, cluster: &str) -> Option<PathBuf> {
    let root = root
        .map(Path::to_owned)
        .or_else(|| Some(folder_of("XDG_STATE_HOME", ".local/state")?.join("garboard")));
    Some(root?.join(cluster).join(KNOWN_HOSTS))
}

fn read(path: &Path) -> Result<Option<String>, StateError> {
    match fs_err::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(at("read", path)(error)),
    }
}

fn at(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StateError + use<> {
    let path = path.to_owned();
    move |source| StateError::File { action, path, source }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use garboard_protocol::step::ClusterId;

    use super::{ClusterState, StateError};

    fn state(root: &tempfile::TempDir) -> ClusterState {
        ClusterState::open(Some(root.path()), "home").unwrap()
    }

    #[test]
    fn an_unfinished_run_is_taken_over_and_a_finished_one_is_not() {
        let root = tempfile::tempdir().unwrap();
        let first = state(&root).take_run().unwrap();
        let again = state(&root);
        assert_eq!(again.take_run().unwrap(), first);
        again.finish_run().unwrap();
        assert_ne!(again.take_run().unwrap(), first);
    }

    #[test]
    fn two_commands_on_one_cluster_do_not_interleave() {
        let root = tempfile::tempdir().unwrap();
        let _held = state(&root);
        assert!(matches!(ClusterState::open(Some(root.path()), "home"), Err(StateError::Busy { .. })));
        assert!(ClusterState::open(Some(root.path()), "other").is_ok());
    }

    #[test]
    fn the_kubeconfig_is_private_and_written_only_when_it_is_news() {
        let root = tempfile::tempdir().unwrap();
        let state = state(&root);
        assert!(state.write_kubeconfig("a: 1\n").unwrap());
        assert!(!state.write_kubeconfig("a: 1\n").unwrap());
        let mode = fs_err::metadata(state.kubeconfig_path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        state.forget_kubeconfig().unwrap();
        assert_eq!(state.kubeconfig().unwrap(), None);
    }

    #[test]
    fn a_cluster_is_remembered_until_it_is_forgotten() {
        let root = tempfile::tempdir().unwrap();
        let state = state(&root);
        let id = ClusterId { name: "home".into(), ca_hash: "sha256:a".into(), uid: "u".into() };
        state.remember_cluster(&id).unwrap();
        assert_eq!(state.cluster_id().unwrap(), Some(id));
        state.forget_cluster().unwrap();
        assert_eq!(state.cluster_id().unwrap(), None);
    }
}
