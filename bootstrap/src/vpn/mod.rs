//! The VPN's side of the laptop: who has which certificate and address, the files all that lies in, profiles, and the
//! conversation with the running server.
//!
//! `record` and `profile` are pure; `folder` holds the files; `management` speaks with `OpenVPN` over any stream of bytes.
//! The playbook `openvpn` brings the server's part to its host.

mod folder;
mod list;
pub mod management;
mod profile;
mod record;
mod server;
#[cfg(all(test, feature = "lab"))]
mod tunnel;

pub use folder::{Folder, FolderError};
pub use list::List;
pub use profile::Profile;
pub use record::{Certificate, Record, Standing, User};
pub use server::ServerCertificate;

/// The name in the server's certificate. It is the same in every one, so that profiles outlive them.
pub const SERVER_NAME: &str = "garboard-vpn-server";
/// Where the running server is spoken with, on its host.
pub const MANAGEMENT_SOCKET: &str = "/run/garboard-openvpn/management.sock";
/// How long a profile is good where nobody says.
pub const PROFILE_DAYS: u32 = 2 * 365;
/// How long the server's certificate is good; it is renewed in its last third.
pub const SERVER_DAYS: u32 = 2 * 365;
