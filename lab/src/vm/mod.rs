//! Virtual machines: QEMU, the disk, what starts the kernel, and the agent through which programs run on one.

pub(crate) mod boot_partition;
pub(crate) mod disk;
pub(crate) mod guest;
pub(crate) mod monitor;

mod firmware;
mod qemu;

pub(crate) use qemu::boot;
