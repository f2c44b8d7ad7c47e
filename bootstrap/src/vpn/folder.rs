//! The files of the VPN on the laptop: `vpn/` in the cluster's folder, private to its user.
//!
//! | file | holds |
//! |---|---|
//! | `ca.crt`, `ca.key` | the authority; the key leaves this machine never, and is encrypted where there is a passphrase |
//! | `tls-crypt-v2.key` | the server's, which makes those of the clients |
//! | `server.pem` | the server's certificate and key |
//! | `record.json` | who has which address and certificates |
//!
//! The first three are made together, in a folder of their own that is then renamed: there is an authority, or there is
//! none. Each other file is written whole and is on the disk before anything follows from it.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use garboard_inventory::Secret;
use jiff::Timestamp;

use super::{Record, ServerCertificate};
use crate::pki::{self, Authority, PkiError, ServerKey};
use crate::state::private_file::write_durably;

const AUTHORITY: &str = "ca.crt";
const AUTHORITY_KEY: &str = "ca.key";
const TLS_CRYPT_KEY: &str = "tls-crypt-v2.key";
const SERVER: &str = "server.pem";
const RECORD: &str = "record.json";
/// Where an authority is made; what an interrupted command leaves there is nobody's.
const NEW: &str = "vpn.new";

/// Why the VPN's files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
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
    /// A file of ours is not what we wrote.
    #[error("`{}` is damaged", path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// A key or a certificate cannot be made or read.
    #[error("cannot use `{}`", path.display())]
    Pki {
        /// Which.
        path: PathBuf,
        /// Why.
        source: PkiError,
    },
}

/// The folder; it need not be there yet.
#[derive(Debug, Clone)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// In the folder of a cluster.
    pub fn of(cluster: &Path) -> Self {
        Self { path: cluster.join("vpn") }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// There is an authority.
    pub fn is_made(&self) -> bool {
        self.path.is_dir()
    }

    /// Makes the authority, the tls-crypt-v2 key and the server's certificate: all of them or none. The key of the authority is
    /// encrypted where there is a passphrase.
    pub fn make(&self, name: &str, passphrase: Option<&Secret>, now: Timestamp) -> Result<(), FolderError> {
        let pki = |source| FolderError::Pki { path: self.path.clone(), source };
        let authority = Authority::make(name, now).map_err(pki)?;
        let key = match passphrase {
            Some(passphrase) => pki::seal(&authority.key(), passphrase).map_err(pki)?,
            None => authority.key(),
        };
        let tls_crypt = ServerKey::make().map_err(pki)?.pem();
        let server = ServerCertificate::issue(&authority, now).map_err(pki)?;
        let new = self.path.with_file_name(NEW);
        match fs_err::remove_dir_all(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at("remove", &new)(error)),
            _ => {}
        }
        DirBuilder::new().mode(0o700).create(&new).map_err(at("create", &new))?;
        for (file, text) in [
            (AUTHORITY, authority.certificate()),
            (AUTHORITY_KEY, key.expose()),
            (TLS_CRYPT_KEY, tls_crypt.expose()),
            (SERVER, server.text().expose()),
        ] {
            let path = new.join(file);
            write_durably(&path, text.as_bytes()).map_err(at("write", &path))?;
        }
        fs_err::rename(&new, &self.path).map_err(at("create", &self.path))?;
        let parent = self.path.parent().unwrap_or(Path::new("."));
        crate::state::private_file::sync_folder(parent).map_err(at("write", parent))
    }

    /// Whether the authority's key takes a passphrase.
    pub fn is_sealed(&self) -> Result<bool, FolderError> {
        self.secret(AUTHORITY_KEY).map(|key| pki::is_sealed(key.expose()))
    }

    /// The authority, with its key.
    pub fn authority(&self, passphrase: Option<&Secret>) -> Result<Authority, FolderError> {
        let key = pki::open(&self.secret(AUTHORITY_KEY)?, passphrase).map_err(self.pki(AUTHORITY_KEY))?;
        Authority::open(&self.authority_certificate()?, &key).map_err(self.pki(AUTHORITY_KEY))
    }

    /// Encrypts the authority's key, which was not.
    pub fn seal(&self, passphrase: &Secret) -> Result<(), FolderError> {
        let sealed = pki::seal(&self.secret(AUTHORITY_KEY)?, passphrase).map_err(self.pki(AUTHORITY_KEY))?;
        self.write(AUTHORITY_KEY, sealed.expose())
    }

    /// The authority's certificate, PEM.
    pub fn authority_certificate(&self) -> Result<String, FolderError> {
        let path = self.path.join(AUTHORITY);
        fs_err::read_to_string(&path).map_err(at("read", &path))
    }

    /// The server's tls-crypt-v2 key.
    pub fn tls_crypt_key(&self) -> Result<ServerKey, FolderError> {
        ServerKey::parse(self.secret(TLS_CRYPT_KEY)?.expose()).map_err(self.pki(TLS_CRYPT_KEY))
    }

    /// The server's certificate and key.
    pub fn server(&self) -> Result<ServerCertificate, FolderError> {
        ServerCertificate::parse(&self.secret(SERVER)?).map_err(self.pki(SERVER))
    }

    /// A new certificate takes the place of the old one.
    pub fn write_server(&self, server: &ServerCertificate) -> Result<(), FolderError> {
        self.write(SERVER, server.text().expose())
    }

    /// Who has what; nobody anything, where there is no record yet.
    pub fn record(&self) -> Result<Record, FolderError> {
        let path = self.path.join(RECORD);
        match fs_err::read_to_string(&path) {
            Ok(text) => serde_json::from_str(&text).map_err(|source| FolderError::Damaged { path, source }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Record::default()),
            Err(error) => Err(at("read", &path)(error)),
        }
    }

    /// Keeps the record, before anything follows from it.
    pub fn write_record(&self, record: &Record) -> Result<(), FolderError> {
        let path = self.path.join(RECORD);
        let text =
            serde_json::to_string_pretty(record).map_err(|source| FolderError::Damaged { path, source })?;
        self.write(RECORD, &(text + "\n"))
    }

    fn secret(&self, name: &str) -> Result<Secret, FolderError> {
        let path = self.path.join(name);
        fs_err::read_to_string(&path).map(Secret::new).map_err(at("read", &path))
    }

    fn write(&self, name: &str, text: &str) -> Result<(), FolderError> {
        let path = self.path.join(name);
        write_durably(&path, text.as_bytes()).map_err(at("write", &path))
    }

    fn pki(&self, name: &str) -> impl FnOnce(PkiError) -> FolderError {
        let path = self.path.join(name);
        move |source| FolderError::Pki { path, source }
    }
}

fn at(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FolderError + use<> {
    let path = path.to_owned();
    move |source| FolderError::File { action, path, source }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use garboard_inventory::Secret;

    use super::{Folder, FolderError};
    use crate::pki::PkiError;

    #[test]
    fn the_files_are_private_and_an_interrupted_start_leaves_nothing_half() {
        let cluster = tempfile::tempdir().unwrap();
        let now = "2026-11-21T12:00:00Z".parse().unwrap();
        let folder = Folder::of(cluster.path());
        fs_err::create_dir(cluster.path().join("vpn.new")).unwrap();
        fs_err::write(cluster.path().join("vpn.new/ca.key"), "half").unwrap();
        assert!(!folder.is_made());
        folder.make("home", None, now).unwrap();
        assert!(folder.is_made() && !folder.is_sealed().unwrap());
        assert!(!cluster.path().join("vpn.new").exists());
        let mode = |path: &std::path::Path| fs_err::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(folder.path()), 0o700);
        for file in fs_err::read_dir(folder.path()).unwrap() {
            let path = file.unwrap().path();
            assert_eq!(mode(&path), 0o600, "{}", path.display());
        }
        let authority = folder.authority(None).unwrap();
        assert_eq!(authority.certificate(), folder.authority_certificate().unwrap());
        folder.server().unwrap();
        folder.tls_crypt_key().unwrap();
        assert!(folder.record().unwrap().users.is_empty());
    }

    #[test]
    fn a_passphrase_seals_the_authoritys_key_then_and_later() {
        let cluster = tempfile::tempdir().unwrap();
        let now = "2026-11-21T12:00:00Z".parse().unwrap();
        let folder = Folder::of(cluster.path());
        folder.make("home", None, now).unwrap();
        let passphrase = Secret::new("correct horse");
        folder.seal(&passphrase).unwrap();
        assert!(folder.is_sealed().unwrap());
        folder.authority(Some(&passphrase)).unwrap();
        let refused = folder.authority(None).err().unwrap();
        assert!(matches!(refused, FolderError::Pki { source: PkiError::Sealed, .. }), "{refused}");
        let text = fs_err::read_to_string(folder.path().join("ca.key")).unwrap();
        assert!(!text.contains("BEGIN PRIVATE KEY"), "{text}");
    }
}
