//! The login that is made on the hosts.

use garboard_inventory::{Secret, SecretReference};
use sha_crypt::{PasswordHasher as _, ShaCrypt};

use crate::problem::{Exit, Problem};

/// Characters of a login that every system's `useradd` takes (`useradd(8)`).
const LONGEST: usize = 32;

/// What is wrong with a login for this.
pub(super) fn fault(user: Option<&str>) -> Option<Problem> {
    let user = user.unwrap_or("root");
    if user == "root" {
        let message = "the first boot makes a login that may use `sudo`, and none was named";
        return Some(Problem::new(Exit::Usage, message).help("say `--user NAME`, such as `--user pi`"));
    }
    let mut characters = user.chars();
    let begins = characters.next().is_some_and(|first| first.is_ascii_lowercase() || first == '_');
    let allowed = |other: char| other.is_ascii_lowercase() || other.is_ascii_digit() || "_-".contains(other);
    if begins && characters.all(allowed) && user.len() <= LONGEST {
        return None;
    }
    let message = format!("no login `{user}` can be made on the hosts");
    let help = "it begins with a lower case letter; lower case letters, digits, `-` and `_` follow";
    Some(Problem::new(Exit::Usage, message).help(help))
}

/// A password as `/etc/shadow` holds it: what it was hashed from is in no file that is written.
pub(super) struct Password(Secret);

impl Password {
    /// Fetches the password and hashes it (SHA-512, which the `crypt(3)` of all these systems knows).
    pub(super) fn resolve(reference: &SecretReference) -> Result<Self, Problem> {
        let failed = |cause: String| {
            Problem::new(Exit::Usage, "the password that `sudo` is to ask for cannot be had").cause(cause)
        };
        let plain = reference.resolve().map_err(|error| failed(error.to_string()))?;
        if plain.expose().is_empty() {
            return Err(
                failed("it is empty".to_owned()).help("an empty password would open the login to everybody")
            );
        }
        // Twelve bytes are the sixteen characters that are the longest salt.
        let mut salt = [0_u8; 12];
        getrandom::fill(&mut salt).map_err(|error| failed(error.to_string()))?;
        Self::of(&plain, &salt).map_err(failed)
    }

    pub(super) fn of(plain: &Secret, salt: &[u8; 12]) -> Result<Self, String> {
        let hash = ShaCrypt::SHA512.hash_password_with_salt(plain.expose().as_bytes(), salt);
        Ok(Self(Secret::new(hash.map_err(|error| error.to_string())?.to_string())))
    }

    /// `$6$…`.
    pub(super) fn hash(&self) -> &str {
        self.0.expose()
    }
}
