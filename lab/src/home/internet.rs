//! The internet of a home: its provider's side of the line, a client, and a DNS server with a zone.
//!
//! All of it is one namespace. Every address of the two documentation networks (RFC 5737) is a machine there: whatever
//! listens on one answers.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use fs_err::File;

use super::daemon::Daemon;
use crate::places::run_folder;
use crate::record::write_whole;
use crate::{Lab, Places, Result, namespace, network};

/// The address with which programs come that are run there.
pub(super) const CLIENT: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 9);
/// The DNS server.
pub(super) const NAME_SERVER: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 53);
/// What it serves.
pub(super) const ZONE: &str = "example.org";
/// Whose addresses are machines there.
const NETWORKS: [&str; 2] = ["203.0.113.0/24", "198.51.100.0/24"];
/// The name of the key that may change the zone.
const KEY: &str = "home";

/// Two names of services at home, which lead to a third that nobody has given an address yet.
const ZONE_TEXT: &str = "\
$ORIGIN example.org.
$TTL 60
@    SOA ns1 admin 1 60 60 3600 60
@    NS ns1
ns1  A 203.0.113.53
app1 CNAME home
app2 CNAME home
";

/// Makes its namespace, unless it is there.
pub(super) fn make(lab: &str) -> Result<()> {
    let name = namespace::of_internet(lab);
    if network::exists(&name) {
        return Ok(());
    }
    crate::program::run(&["ip", "netns", "add", &name])?;
    let [one, other] = NETWORKS;
    let made = network::batch(
        &name,
        &format!(
            "link set lo up\naddr add {CLIENT}/32 dev lo\nroute add local {one} dev lo\nroute add local {other} dev lo\n"
        ),
    );
    super::router::all_or_nothing(&name, made)
}

/// Starts the DNS server.
pub(super) fn serve_names(lab: &Lab) -> Result<()> {
    let folder = super::folder(&lab.places, lab.name());
    let zone = folder.join("example.org.zone");
    if !zone.exists() {
        write_whole(&zone, ZONE_TEXT.as_bytes())?;
    }
    let secret = secret(&key_file(&lab.places, lab.name()))?;
    let resolver = format!("nameserver {NAME_SERVER}\n");
    write_whole(&resolver_file(&lab.places, lab.name()), resolver.as_bytes())?;
    let run = run_files(lab.name());
    for place in [&run, &folder.join("knot")] {
        fs_err::create_dir_all(place)?;
    }
    let configuration = folder.join("knot.conf");
    write_private(&configuration, &knot(&folder, &run, &secret))?;
    Daemon {
        lab,
        namespace: namespace::of_internet(lab.name()),
        argv: ["knotd", "-c", &configuration.to_string_lossy()].map(str::to_owned).into(),
        answers_at: SocketAddr::from((NAME_SERVER, 53)),
    }
    .ensure()
}

/// Where the DNS server has its socket: in a folder whose name is short, as those of sockets have to be.
pub(crate) fn run_files(lab: &str) -> PathBuf {
    run_folder().join(format!("{lab}.names"))
}

/// The file with the key, as Knot's own tools read it.
pub(super) fn key_file(places: &Places, lab: &str) -> PathBuf {
    super::folder(places, lab).join("tsig.key")
}

/// What programs on the internet have for `/etc/resolv.conf`.
pub(crate) fn resolver_file(places: &Places, lab: &str) -> PathBuf {
    super::folder(places, lab).join("resolv.conf")
}

/// The key's secret, made the first time.
fn secret(path: &Path) -> Result<String> {
    let head = format!("hmac-sha256:{KEY}:");
    if let Some(secret) =
        fs_err::read_to_string(path).ok().as_deref().and_then(|text| text.strip_prefix(&head))
    {
        return Ok(secret.trim().to_owned());
    }
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
    let secret = base64::engine::general_purpose::STANDARD.encode(bytes);
    write_private(path, &format!("{head}{secret}\n"))?;
    Ok(secret)
}

fn write_private(path: &Path, text: &str) -> Result<()> {
    use std::io::Write as _;
    match fs_err::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    let mut options = File::options();
    fs_err::os::unix::fs::OpenOptionsExt::mode(options.write(true).create_new(true), 0o600);
    Ok(options.open(path)?.write_all(text.as_bytes())?)
}

/// The configuration of the DNS server: <https://www.knot-dns.cz/docs/3.2/html/reference.html>.
fn knot(folder: &Path, run: &Path, secret: &str) -> String {
    let (folder, run) = (folder.display(), run.display());
    format!(
        "server:\n    rundir: \"{run}\"\n    listen: {NAME_SERVER}@53\n    udp-workers: 1\n    tcp-workers: 1\n    \
         background-workers: 1\n\
         log:\n  - target: stderr\n    any: info\n\
         database:\n    storage: \"{folder}/knot\"\n\
         key:\n  - id: {KEY}\n    algorithm: hmac-sha256\n    secret: {secret}\n\
         acl:\n  - id: change\n    key: {KEY}\n    action: [update, transfer]\n\
         zone:\n  - domain: {ZONE}\n    file: \"{folder}/{ZONE}.zone\"\n    acl: change\n"
    )
}
