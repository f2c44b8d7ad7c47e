//! The lock as a file: read with line and column of what is wrong, written stable and atomically.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write as _;
use std::marker::PhantomData;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use garboard_playbooks::{FILES, IMAGES};
use semver::Version;
use serde::de::{DeserializeSeed, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::{FilePlatform, ImagePlatform, Lock, LockError, LockedFile, LockedImage};

const FORMAT: u32 = 1;
const HEADER: &str = "# Written by garboard: everything it installs, by digest. Keep it with the inventory; delete it to pin anew.\n";
/// Of every architecture hosts may have.
pub(super) const ARCHITECTURES: [&str; 2] = ["amd64", "arm64"];
/// For the laptop only.
pub(super) const KUBECTL: &str = "kubectl";

impl Lock {
    /// One that pins nothing yet.
    pub(super) fn empty(kubernetes: &Version) -> Self {
        Self {
            version: FORMAT,
            kubernetes: format!("v{kubernetes}"),
            files: BTreeMap::new(),
            images: BTreeMap::new(),
        }
    }

    /// Reads the lock at `path`; `None` when there is none.
    pub fn read(path: &Path) -> Result<Option<Self>, LockError> {
        let text = match fs_err::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(cause) => return Err(LockError::Read { path: path.to_owned(), cause }),
        };
        Self::parse(path, &text).map(Some)
    }

    /// Reads a lock; `path` is for errors.
    pub fn parse(path: &Path, text: &str) -> Result<Self, LockError> {
        let syntax = |error: &serde_saphyr::Error| {
            let (line, column) =
                error.location().map_or((1, 1), |location| (location.line(), location.column()));
            let message = error.without_snippet().to_string();
            // The location is in front of the line already.
            let message = message.lines().next().unwrap_or_default();
            let message = message.split(" at line ").next().unwrap_or_default().to_owned();
            LockError::Syntax { path: path.to_owned(), line, column, message }
        };
        // Its format first: a later one may have other keys.
        let format: Format = serde_saphyr::from_str(text).map_err(|error| syntax(&error))?;
        if format.version != FORMAT {
            return Err(LockError::Format { path: path.to_owned(), version: format.version });
        }
        serde_saphyr::from_str(text).map_err(|error| syntax(&error))
    }

    /// The text of the file; the same lock gives the same text.
    pub fn to_text(&self) -> Result<String, std::io::Error> {
        let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
        let body = serde_saphyr::to_string_with_options(self, options).map_err(std::io::Error::other)?;
        Ok(format!("{HEADER}{body}"))
    }

    /// Writes it to `path`: wholly or not at all.
    pub fn write(&self, path: &Path) -> Result<(), LockError> {
        let failed = |cause| LockError::Write { path: path.to_owned(), cause };
        let text = self.to_text().map_err(failed)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
        file.write_all(text.as_bytes()).map_err(failed)?;
        // It holds no secret and is meant to be kept beside the inventory, in a repository perhaps.
        file.as_file().set_permissions(std::fs::Permissions::from_mode(0o644)).map_err(failed)?;
        file.as_file().sync_all().map_err(failed)?;
        file.persist(path).map_err(|error| failed(error.error))?;
        fs_err::File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
    }
}

#[derive(Deserialize)]
struct Format {
    version: u32,
}

/// Digests without their `sha256:`.
pub(super) mod hex {
    use garboard_protocol::Digest;
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(in crate::lock) fn serialize<S: Serializer>(
        digest: &Digest,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&digest.hex())
    }

    pub(in crate::lock) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Digest, D::Error> {
        let text = String::deserialize(deserializer)?;
        Digest::from_hex(&text)
            .map_err(|_| D::Error::custom(format!("`{text}` is not 64 lower-case hex digits of SHA-256")))
    }
}

pub(super) fn files<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<String, LockedFile>, D::Error> {
    let mut known = FILES.to_vec();
    known.push(KUBECTL);
    from.deserialize_map(Named { what: "file", known, value: PhantomData })
}

pub(super) fn images<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<String, LockedImage>, D::Error> {
    from.deserialize_map(Named { what: "image", known: IMAGES.to_vec(), value: PhantomData })
}

/// Entries by architecture.
pub(super) fn platforms<'de, D, V>(from: D) -> Result<BTreeMap<String, V>, D::Error>
where
    D: Deserializer<'de>,
    V: Platform + Deserialize<'de>,
{
    from.deserialize_map(Named { what: "architecture", known: ARCHITECTURES.to_vec(), value: PhantomData })
}

/// What is kept by architecture.
pub(super) trait Platform {}
impl Platform for FilePlatform {}
impl Platform for ImagePlatform {}

/// A map whose keys are of a known few: a misspelt one would otherwise be ignored.
struct Named<V> {
    what: &'static str,
    known: Vec<&'static str>,
    value: PhantomData<V>,
}

impl<'de, V: Deserialize<'de>> Visitor<'de> for Named<V> {
    type Value = BTreeMap<String, V>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "entries by {}", self.what)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let mut entries = BTreeMap::new();
        while let Some(name) = access.next_key_seed(Name { what: self.what, known: &self.known })? {
            entries.insert(name, access.next_value()?);
        }
        Ok(entries)
    }
}

struct Name<'a> {
    what: &'static str,
    known: &'a [&'static str],
}

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        let name = String::deserialize(deserializer)?;
        if self.known.contains(&name.as_str()) {
            return Ok(name);
        }
        let known = self.known.join(", ");
        Err(D::Error::custom(format!("unknown {} `{name}`, expected one of {known}", self.what)))
    }
}
