//! `garboard.yaml`: types, defaults, every check, JSON Schema.
//!
//! # Shape
//!
//! text → tree with places ([`yaml`](self)) → source types, faults collected (`source`, forms of single values in
//! `syntax`) → rules between fields (`rules`) → [`Inventory`], with defaults filled in and paths placed (`resolve`).
//!
//! Nothing here opens a connection, and only [`load`], [`load_text`] (for the home folder) and [`SecretReference::resolve`] touch the machine at
//! all.
//!
//! # Faults
//!
//! Every fault of a file is reported at once, as [`Diagnostics`]; only text that is not YAML ends with its first fault.
//!
//! # Current limitations
//!
//! Keys of later versions, a second control plane, a second edge host, IPv6, networks other
//! than flannel's VXLAN and Kubernetes other than v1.36.x are refused as "not in this version".

mod addon;
mod cluster;
mod defaults;
mod diagnostic;
mod edge;
mod fault;
mod foreign_text;
mod host;
mod inventory;
mod load;
mod playbook;
mod resolve;
mod rules;
mod schema;
mod secret;
mod source;
mod span;
mod ssh;
mod suggestion;
mod syntax;
mod yaml;

pub use addon::Addon;
pub use cluster::{Cluster, Cni, Endpoint, FlannelBackend, Swap};
pub use diagnostic::{Diagnostic, Diagnostics, Excerpt};
pub use edge::{
    Acme, AddressFamily, Challenge, Ddns, DdnsAccount, DdnsGateway, DdnsIntervals, DdnsName, DdnsProvider,
    DdnsSources, DdnsToken, DnsChallenge, DnsSource, Edge, Firewall, HttpsFormat, HttpsSource, Ingress,
    OpenVpn, RouterProtocol, Tls, TsigKey,
};
pub use foreign_text::{harmless, is_harmful, one_line};
pub use host::{Host, Role, Zone};
pub use inventory::Inventory;
pub use load::{load, load_text, load_with_home, parse};
pub use playbook::{OwnPlaybook, Place};
pub use schema::schema;
pub use secret::{Secret, SecretError, SecretReference};
pub use ssh::{Ssh, SshTransport};
pub use syntax::Jump;
