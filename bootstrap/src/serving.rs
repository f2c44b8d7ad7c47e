//! An authority of the laptop's for servers, and the certificates that it has given them: a folder of its own in the
//! cluster's.
//!
//! | file | holds |
//! |---|---|
//! | `ca.crt`, `ca.key` | the authority; the key leaves this machine never |
//! | `NAME.pem` | a server's certificate and key |
//!
//! Authority and key are made together, in a folder that is then renamed: there is an authority, or there is none.

use std::collections::BTreeMap;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use garboard_inventory::Secret;
use jiff::Timestamp;

use crate::pki::{Authority, PkiError, ServerCertificate, Validity};
use crate::state::private_file::write_durably;
use crate::vpn::FolderError;

const AUTHORITY: &str = "ca.crt";
const AUTHORITY_KEY: &str = "ca.key";

/// A server that needs a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its name, and that of its file.
    pub name: String,
    /// By which others call it: DNS names and IPv4 addresses.
    pub names: Vec<String>,
}

/// What the authority shows, and what it has signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The authority's certificate, PEM.
    pub authority: String,
    /// Of each server, by its name.
    pub servers: BTreeMap<String, ServerCertificate>,
    /// Servers that got a new one.
    pub renewed: Vec<String>,
    /// The authority is new.
    pub made: bool,
}

/// The folder; it need not be there yet.
#[derive(Debug, Clone)]
pub struct Folder {
    path: PathBuf,
    /// What the authority calls itself.
    title: String,
    /// How long a server's certificate is good, in days.
    days: u32,
}

impl Folder {
    /// In the folder of a cluster.
    pub fn of(cluster: &Path, name: &str, title: String, days: u32) -> Self {
        Self { path: cluster.join(name), title, days }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The authority's certificate.
    pub fn authority_file(&self) -> PathBuf {
        self.path.join(AUTHORITY)
    }

    /// Certificates for these servers. One that is there stays, unless it is for other names, of another authority, or in its last
    /// third. With `keep`, an authority that is missing and certificates that are new are written; else they are for a look, and
    /// thrown away.
    pub fn sign(&self, servers: &[Server], now: Timestamp, keep: bool) -> Result<Signed, FolderError> {
        let made = !self.path.is_dir();
        let authority = if made { self.make(now, keep)? } else { self.authority()? };
        let mut signed = Signed {
            authority: authority.certificate().to_owned(),
            servers: BTreeMap::new(),
            renewed: Vec::new(),
            made,
        };
        for server in servers {
            let certificate = if let Some(known) = self.known(server, &signed.authority, now)? {
                known
            } else {
                let validity = Validity::days(now, self.days);
                let issued = authority.issue_for(&server.name, &server.names, validity);
                let issued = ServerCertificate::from(issued.map_err(self.pki(&file(server)))?);
                if keep {
                    self.write(&file(server), issued.text().expose())?;
                }
                signed.renewed.push(server.name.clone());
                issued
            };
            signed.servers.insert(server.name.clone(), certificate);
        }
        Ok(signed)
    }

    /// The certificate that is there, where it still does.
    fn known(
        &self,
        server: &Server,
        authority: &str,
        now: Timestamp,
    ) -> Result<Option<ServerCertificate>, FolderError> {
        let name = file(server);
        let Some(text) = self.read(&name)? else { return Ok(None) };
        let known = ServerCertificate::parse(&text).map_err(self.pki(&name))?;
        let fits = known.is_for(&server.names, authority).map_err(self.pki(&name))?;
        Ok(Some(known).filter(|known| fits && !known.validity.is_in_its_last_third(now)))
    }

    fn make(&self, now: Timestamp, keep: bool) -> Result<Authority, FolderError> {
        let authority = Authority::make(&self.title, now).map_err(self.pki(AUTHORITY))?;
        if !keep {
            return Ok(authority);
        }
        let mut new = self.path.clone().into_os_string();
        new.push(".new");
        let new = PathBuf::from(new);
        match fs_err::remove_dir_all(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at("remove", &new)(error)),
            _ => {}
        }
        DirBuilder::new().mode(0o700).create(&new).map_err(at("create", &new))?;
        for (file, text) in [(AUTHORITY, authority.certificate()), (AUTHORITY_KEY, authority.key().expose())]
        {
            let path = new.join(file);
            write_durably(&path, text.as_bytes()).map_err(at("write", &path))?;
        }
        fs_err::rename(&new, &self.path).map_err(at("create", &self.path))?;
        let parent = self.path.parent().unwrap_or(Path::new("."));
        crate::state::private_file::sync_folder(parent).map_err(at("write", parent))?;
        Ok(authority)
    }

    fn authority(&self) -> Result<Authority, FolderError> {
        let missing = |name: &str| {
            let path = self.path.join(name);
            at("read", &path)(io::Error::from(io::ErrorKind::NotFound))
        };
        let certificate = self.read(AUTHORITY)?.ok_or_else(|| missing(AUTHORITY))?;
        let key = self.read(AUTHORITY_KEY)?.ok_or_else(|| missing(AUTHORITY_KEY))?;
        Authority::open(certificate.expose(), &key).map_err(self.pki(AUTHORITY_KEY))
    }

    fn read(&self, name: &str) -> Result<Option<Secret>, FolderError> {
        let path = self.path.join(name);
        match fs_err::read_to_string(&path) {
            Ok(text) => Ok(Some(Secret::new(text))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(at("read", &path)(error)),
        }
    }

    fn write(&self, name: &str, text: &str) -> Result<(), FolderError> {
        let path = self.path.join(name);
        write_durably(&path, text.as_bytes()).map_err(at("write", &path))
    }

    fn pki(&self, name: &str) -> impl FnOnce(PkiError) -> FolderError + use<> {
        let path = self.path.join(name);
        move |source| FolderError::Pki { path, source }
    }
}

fn file(server: &Server) -> String {
    format!("{}.pem", server.name)
}

fn at(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FolderError + use<> {
    let path = path.to_owned();
    move |source| FolderError::File { action, path, source }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use jiff::{SignedDuration, Timestamp};

    use super::{Folder, Server, Signed};

    const DAYS: u32 = 299;

    fn now() -> Timestamp {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    fn server(name: &str, address: &str) -> Server {
        Server { name: name.to_owned(), names: vec![name.to_owned(), address.to_owned()] }
    }

    fn sign(cluster: &tempfile::TempDir, servers: &[Server], days_later: i64, keep: bool) -> Signed {
        let folder = Folder::of(cluster.path(), "serving", "home".to_owned(), DAYS);
        folder.sign(servers, now() + SignedDuration::from_hours(24 * days_later), keep).unwrap()
    }

    #[test]
    fn a_certificate_stays_until_its_last_third_or_until_its_names_change() {
        let cluster = tempfile::tempdir().unwrap();
        let servers = [server("cp1", "192.168.1.11"), server("w1", "192.168.1.12")];
        let first = sign(&cluster, &servers, 0, true);
        assert!(first.made);
        assert_eq!(first.renewed, ["cp1", "w1"]);
        let second = sign(&cluster, &servers, 199, true);
        assert_eq!((second.made, second.renewed.len()), (false, 0));
        assert_eq!(second.servers, first.servers);
        let moved = [servers[0].clone(), server("w1", "192.168.1.99")];
        assert_eq!(sign(&cluster, &moved, 1, true).renewed, ["w1"]);
        assert_eq!(sign(&cluster, &moved, 200, true).renewed, ["cp1"]);
    }

    #[test]
    fn a_look_writes_nothing() {
        let cluster = tempfile::tempdir().unwrap();
        let servers = [server("w1", "192.168.1.12")];
        assert_eq!(sign(&cluster, &servers, 0, false).renewed, ["w1"]);
        assert!(fs_err::read_dir(cluster.path()).unwrap().next().is_none());
        let kept = sign(&cluster, &servers, 0, true);
        let moved = [server("w1", "192.168.1.13")];
        assert_eq!(sign(&cluster, &moved, 0, false).renewed, ["w1"]);
        assert_eq!(sign(&cluster, &servers, 0, true).servers, kept.servers);
    }

    #[test]
    fn the_files_are_private_and_a_new_authority_signs_anew() {
        let cluster = tempfile::tempdir().unwrap();
        let servers = [server("w1", "192.168.1.12")];
        let first = sign(&cluster, &servers, 0, true);
        let folder = cluster.path().join("serving");
        for file in fs_err::read_dir(&folder).unwrap() {
            let path = file.unwrap().path();
            let mode = fs_err::metadata(&path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{}", path.display());
        }
        let other = tempfile::tempdir().unwrap();
        sign(&other, &servers, 0, true);
        let take =
            |file: &str| fs_err::copy(other.path().join("serving").join(file), folder.join(file)).unwrap();
        take("ca.crt");
        let damaged = Folder::of(cluster.path(), "serving", "home".to_owned(), DAYS);
        assert!(damaged.sign(&servers, now(), true).is_err(), "a key of another certificate is taken");
        take("ca.key");
        let second = sign(&cluster, &servers, 0, true);
        assert_eq!(second.renewed, ["w1"]);
        assert_ne!(second.servers, first.servers);
    }
}
