//! Secrets by reference.

mod reference;
mod resolve;

pub use reference::SecretReference;
pub use resolve::{Secret, SecretError};
