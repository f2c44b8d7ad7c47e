//! A host: its folder, and what makes one machine different from another made of the same image.

mod boot;
mod identity;

pub(crate) use boot::boot;
pub(crate) use identity::{host_key_fingerprint, make, make_login_key};
