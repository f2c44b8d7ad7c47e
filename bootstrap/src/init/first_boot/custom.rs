//! `custom.toml`, which Raspberry Pi OS bookworm reads at its first boot. Its keys are those of
//! `/usr/lib/raspberrypi-sys-mods/init_config` there.

use serde::Serialize;

use super::{File, Prepared, PreparedHost};
use crate::problem::{Exit, Problem};

#[derive(Serialize)]
struct Custom<'a> {
    config_version: u8,
    system: SystemTable<'a>,
    user: User<'a>,
    ssh: Ssh<'a>,
}

#[derive(Serialize)]
struct SystemTable<'a> {
    hostname: &'a str,
}

#[derive(Serialize)]
struct User<'a> {
    name: &'a str,
    /// Without it the login has none that opens it.
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<&'a str>,
    password_encrypted: bool,
}

#[derive(Serialize)]
struct Ssh<'a> {
    enabled: bool,
    password_authentication: bool,
    authorized_keys: &'a [String],
}

pub(super) fn file(prepared: &Prepared, host: &PreparedHost) -> Result<File, Problem> {
    let password = prepared.password.as_ref().map(super::login::Password::hash);
    let custom = Custom {
        config_version: 1,
        system: SystemTable { hostname: &host.name },
        user: User { name: &prepared.user, password, password_encrypted: true },
        ssh: Ssh { enabled: true, password_authentication: false, authorized_keys: &prepared.public_keys },
    };
    let settings = toml::to_string(&custom).map_err(|error| Problem::from_error(Exit::Failed, &error))?;
    let about = format!(
        "# The first boot of {}. `garboard init` wrote it for {}; the host deletes it once it is read.\n",
        host.name,
        prepared.first_boot.system.called()
    );
    Ok(File::new("custom.toml", about + &settings))
}
