//! The forms single values may have. Each function takes a text and says what is wrong with it and what was meant.

mod address;
mod domain_name;
mod endpoint;
mod fingerprint;
mod interval;
mod jump;
mod label;
mod name;
mod network;
mod server_url;
mod version;

pub(crate) use address::{address, is_loopback, login, node_ip, port, public_port, same_host};
pub(crate) use domain_name::{domain_name, is_in_zone};
pub(crate) use endpoint::{API_PORT, WrittenEndpoint, endpoint};
pub(crate) use fingerprint::fingerprint;
pub(crate) use interval::interval;
pub use jump::Jump;
pub(crate) use jump::jumps;
pub(crate) use label::{label_key, label_value};
pub(crate) use name::{cluster_name, host_name, is_domain, namespace, public_name, user_name};
pub(crate) use network::{addresses, cidr, ipv4_network, network};
pub(crate) use server_url::{server_url, url_host};
pub(crate) use version::kubernetes_version;
