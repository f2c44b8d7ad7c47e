//! The VPN in a run: what its server needs of the laptop, profiles, and sessions that must end.

use std::path::{Path, PathBuf};

use garboard_inventory::{OpenVpn, Secret};
use garboard_playbooks::{OPENVPN, VpnMaterial};
use jiff::Timestamp;

use super::{Plan, Reached, Run, Writing};
use crate::membership::Membership;
use crate::output::text;
use crate::pki::{Authority, Issued, PkiError, ServerKey, Usage, Validity};
use crate::problem::{Ended, Exit, Problem};
use crate::session::Pipe;
use crate::vpn::management::{Connected, Management, ManagementError};
use crate::vpn::{Certificate, Folder, FolderError, MANAGEMENT_SOCKET, Profile, Record, ServerCertificate};

/// Asked where the inventory does not say where the passphrase is found.
const QUESTION: &str = "passphrase of the VPN's authority";

/// A profile that was written.
#[derive(Debug, serde::Serialize)]
pub struct Written {
    /// Whose.
    pub user: String,
    /// Where it lies.
    pub profile: PathBuf,
    /// The number of its certificate, in decimal.
    pub serial: String,
    /// Until when it lets in.
    pub until: Timestamp,
}

impl Run {
    /// The VPN of the inventory.
    pub fn openvpn(&self) -> Result<&OpenVpn, Problem> {
        self.inventory().openvpn().map(|(_, openvpn)| openvpn).ok_or_else(|| {
            Problem::new(Exit::Usage, "the inventory has no VPN")
                .help("add `edge: { openvpn: { remote: …, routes: […], users: […] } }`; see docs/vpn.md")
        })
    }

    /// Who has what.
    pub fn vpn_record(&self) -> Result<Record, Problem> {
        self.state.vpn().record().map_err(|error| failed(&error))
    }

    /// Keeps what was noted.
    pub fn keep_vpn_record(&self, record: &Record) -> Result<(), Problem> {
        self.state.vpn().write_record(record).map_err(|error| failed(&error))
    }

    /// Until when the server's certificate is good; nothing where there is none yet.
    pub fn vpn_server_until(&self) -> Result<Option<Timestamp>, Problem> {
        let folder = self.state.vpn();
        if !folder.is_made() {
            return Ok(None);
        }
        folder.server().map(|server| Some(server.validity.until)).map_err(|error| failed(&error))
    }

    /// What the VPN's server needs, where the inventory has one. Where writing is allowed, an authority is made if there is
    /// none, the server's certificate is renewed in its last third, and whoever is not in the inventory any more is revoked;
    /// else it is what would come of that, with keys that are thrown away.
    pub(super) async fn vpn_material(&self, writing: Writing) -> Result<Option<VpnMaterial>, Ended> {
        let Some((_, openvpn)) = self.inventory().openvpn() else { return Ok(None) };
        let (folder, now) = (self.state.vpn(), Timestamp::now());
        let mut record = folder.record().map_err(|error| failed(&error))?;
        let before = record.clone();
        let removed = record.settle(openvpn, now);
        if writing == Writing::Forbidden {
            return Ok(Some(preview(&folder, &record, now).map_err(|error| failed(&error))?));
        }
        self.prepare_vpn(&folder, openvpn, now).await?;
        if record != before {
            folder.write_record(&record).map_err(|error| failed(&error))?;
        }
        for name in removed {
            self.note(&format!("vpn: `{name}` is not in the inventory any more, and is shut out"));
        }
        let server = folder.server().map_err(|error| failed(&error))?;
        Ok(Some(material(&folder, &record, &server).map_err(|error| failed(&error))?))
    }

    /// An authority is there, its key encrypted if the inventory says so, and the server's certificate is good for long
    /// enough.
    async fn prepare_vpn(&self, folder: &Folder, openvpn: &OpenVpn, now: Timestamp) -> Result<(), Problem> {
        if !folder.is_made() {
            let passphrase = match &openvpn.passphrase {
                Some(_) => Some(self.vpn_passphrase(openvpn).await?),
                None => None,
            };
            let name = format!("{} vpn", self.inventory().cluster.name);
            folder.make(&name, passphrase.as_ref(), now).map_err(|error| failed(&error))?;
            self.note(&format!(
                "vpn: made an authority in {}; its key is nowhere else, so keep a copy of the folder",
                folder.path().display()
            ));
        } else if openvpn.passphrase.is_some() && !folder.is_sealed().map_err(|error| failed(&error))? {
            folder.seal(&self.vpn_passphrase(openvpn).await?).map_err(|error| failed(&error))?;
            self.note("vpn: the authority's key is encrypted from now on");
        }
        let server = folder.server().map_err(|error| failed(&error))?;
        if !server.validity.is_in_its_last_third(now) {
            return Ok(());
        }
        let can_have = self.handle.secrets.can_have(openvpn.passphrase.as_ref());
        if folder.is_sealed().map_err(|error| failed(&error))? && !can_have && !server.validity.is_over(now) {
            self.note(&format!(
                "warning: vpn: the server's certificate ends on {}, and nobody is there to give the passphrase that its renewal takes",
                text::date(server.validity.until)
            ));
            return Ok(());
        }
        let authority = self.vpn_authority(folder, openvpn).await?;
        let renewed = ServerCertificate::issue(&authority, now).map_err(|error| failed(&error))?;
        folder.write_server(&renewed).map_err(|error| failed(&error))?;
        self.note(&format!(
            "vpn: renewed the server's certificate, which now ends on {}",
            text::date(renewed.validity.until)
        ));
        Ok(())
    }

    async fn vpn_passphrase(&self, openvpn: &OpenVpn) -> Result<Secret, Problem> {
        let secret = self.handle.secrets.get(openvpn.passphrase.as_ref(), QUESTION).await;
        secret.map_err(|error| {
            Problem::from_error(Exit::Usage, &error)
                .cause("the key of the VPN's authority is encrypted, and this takes it")
                .help("say where the passphrase is found: `edge: { openvpn: { passphrase: { env: NAME } } }`")
        })
    }

    async fn vpn_authority(&self, folder: &Folder, openvpn: &OpenVpn) -> Result<Authority, Problem> {
        let passphrase = if folder.is_sealed().map_err(|error| failed(&error))? {
            Some(self.vpn_passphrase(openvpn).await?)
        } else {
            None
        };
        folder.authority(passphrase.as_ref()).map_err(|error| failed(&error))
    }

    /// Gives a user a new profile: noted first, then written, so that none is out there that nobody knows of. With
    /// `replace`, those the user had are revoked.
    pub async fn write_profile(
        &self,
        user: &str,
        until: Option<Timestamp>,
        replace: bool,
        path: &Path,
    ) -> Result<Written, Ended> {
        let openvpn = self.openvpn()?;
        let (folder, now) = (self.state.vpn(), Timestamp::now());
        self.vpn_material(Writing::Allowed).await?;
        let authority = self.vpn_authority(&folder, openvpn).await?;
        let validity = match until {
            Some(until) => Validity::until(now, until),
            None => Validity::days(now, crate::vpn::PROFILE_DAYS),
        };
        let issued = authority.issue(Usage::Client, user, validity).map_err(|error| failed(&error))?;
        let server_key = folder.tls_crypt_key().map_err(|error| failed(&error))?;
        let client_key = server_key.client().map_err(|error| failed(&error))?;
        let mut record = self.vpn_record()?;
        record.note(user, unwritten(&issued, client_key.metadata));
        self.keep_vpn_record(&record)?;
        let profile = Profile {
            cluster: &self.inventory().cluster.name,
            user,
            openvpn,
            authority: authority.certificate(),
            certificate: &issued.certificate,
            key: &issued.key,
            tls_crypt_key: &client_key.pem,
        };
        crate::state::private_file::write_durably(path, profile.render().expose().as_bytes()).map_err(
            |error| Problem::from_error(Exit::Failed, &error).help("name another file with `--output-file`"),
        )?;
        record.note_written(user, issued.serial);
        if replace {
            record.revoke(user, now, Some(issued.serial));
        }
        self.keep_vpn_record(&record)?;
        Ok(Written {
            user: user.to_owned(),
            profile: path.to_owned(),
            serial: issued.serial.to_string(),
            until: issued.validity.until,
        })
    }

    /// Connects to the edge host.
    pub async fn reach_vpn(&self) -> Result<Reached, Ended> {
        self.reach_for(&self.shipped_alone(OPENVPN)?).await
    }

    /// Makes the server what inventory and record say, without anything else of the cluster. Gives the number of steps that
    /// changed something.
    pub async fn apply_vpn(&self, reached: &Reached) -> Result<u64, Ended> {
        let server = self.shipped_alone(OPENVPN)?;
        self.preflight_for(&server, reached)?;
        let membership: Membership = self.membership_for(&server, reached)?;
        let supply = self.supply_for(&server, reached, Writing::Allowed).await?;
        let mut plan: Plan = self.plan(server.site(), reached, &membership, &supply).await?;
        self.compare_alone(reached, &membership, &mut plan).await?;
        self.apply_alone(&server, reached, &membership, plan, supply).await
    }

    /// Speaks with the running server, where its host was reached.
    pub async fn vpn_server(&self, reached: &Reached) -> Result<Option<Management<Pipe>>, Problem> {
        let Some((edge, _)) = self.inventory().openvpn() else { return Ok(None) };
        let Some(host) = reached.hosts.get(&edge.name) else { return Ok(None) };
        let pipe = host.session.pipe(&format!("unix:{MANAGEMENT_SOCKET}")).await;
        let pipe = pipe.map_err(|error| error.problem(&edge.name))?;
        let server = Management::greet(pipe).await.map_err(|error| self.vpn_silent(&error))?;
        Ok(Some(server))
    }

    /// Ends the sessions of those who may not come in any more: a server that runs looks at what is revoked only when
    /// somebody connects. Gives the names.
    pub async fn end_vpn_sessions(&self, reached: &Reached) -> Result<Vec<String>, Ended> {
        let Some((edge, _)) = self.inventory().openvpn() else { return Ok(Vec::new()) };
        if !self.may_change(&edge.name) {
            return Ok(Vec::new());
        }
        let (record, now) = (self.vpn_record()?, Timestamp::now());
        self.end_sessions(reached, |session| !record.lets_in(&session.user, now)).await
    }

    /// Ends the sessions that are meant. Gives the names of their users.
    pub async fn end_sessions(
        &self,
        reached: &Reached,
        is_meant: impl Fn(&Connected) -> bool,
    ) -> Result<Vec<String>, Ended> {
        let Some(mut server) = self.vpn_server(reached).await? else { return Ok(Vec::new()) };
        let connected = server.connected().await.map_err(|error| self.vpn_silent(&error))?;
        let mut ended = Vec::new();
        for session in connected.iter().filter(|session| is_meant(session)) {
            server.end(&session.user).await.map_err(|error| self.vpn_silent(&error))?;
            self.note(&format!("vpn: ended the session of `{}` from {}", session.user, session.from));
            ended.push(session.user.clone());
        }
        Ok(ended)
    }

    /// The server does not speak as it should.
    pub fn vpn_silent(&self, error: &ManagementError) -> Problem {
        let edge = self.inventory().openvpn().map(|(edge, _)| edge.name.clone()).unwrap_or_default();
        let problem = Problem::new(Exit::Failed, "the VPN's server cannot be spoken with").host(edge);
        problem.cause(error.to_string()).help("on the host: `systemctl status garboard-openvpn`")
    }
}

fn unwritten(issued: &Issued, tls_crypt_metadata: String) -> Certificate {
    Certificate {
        serial: issued.serial,
        validity: issued.validity,
        tls_crypt_metadata,
        written: false,
        revoked: None,
    }
}

fn material(
    folder: &Folder,
    record: &Record,
    server: &ServerCertificate,
) -> Result<VpnMaterial, FolderError> {
    let tls_crypt_key = folder.tls_crypt_key()?.pem();
    Ok(of(&folder.authority_certificate()?, server, &tls_crypt_key, record))
}

/// What would be brought to the host. Where there is no authority yet, or a new certificate is due, it is one that is thrown
/// away: `plan` writes nothing, and needs no passphrase.
fn preview(folder: &Folder, record: &Record, now: Timestamp) -> Result<VpnMaterial, FolderError> {
    let pki = |source: PkiError| FolderError::Pki { path: folder.path().to_owned(), source };
    let thrown_away = || Authority::make("thrown away", now).map_err(pki);
    if !folder.is_made() {
        let authority = thrown_away()?;
        let server = ServerCertificate::issue(&authority, now).map_err(pki)?;
        let tls_crypt_key = ServerKey::make().map_err(pki)?.pem();
        return Ok(of(authority.certificate(), &server, &tls_crypt_key, record));
    }
    let mut server = folder.server()?;
    if server.validity.is_in_its_last_third(now) {
        server = ServerCertificate::issue(&thrown_away()?, now).map_err(pki)?;
    }
    material(folder, record, &server)
}

fn of(authority: &str, server: &ServerCertificate, tls_crypt_key: &Secret, record: &Record) -> VpnMaterial {
    VpnMaterial {
        authority: authority.to_owned(),
        certificate: server.certificate.clone(),
        key: garboard_protocol::Secret::new(server.key.expose()),
        tls_crypt_key: garboard_protocol::Secret::new(tls_crypt_key.expose()),
        users: record.addresses(),
        revoked: record.revoked(),
    }
}

fn failed(error: &dyn std::error::Error) -> Problem {
    Problem::from_error(Exit::Failed, error)
}
