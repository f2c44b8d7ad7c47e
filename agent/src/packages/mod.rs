//! Packages of the operating system, as dpkg and apt keep them: what is installed, who is at work on it, and the orders.

mod apt;
mod locks;
mod needed;
mod remove;
mod status;

pub(crate) use apt::{Plan, apt_get, has_no_sources, parse_plan};
pub(crate) use locks::{Patience, with_locks};
pub(crate) use remove::{Came, remove};
pub(crate) use status::{State, Status};
