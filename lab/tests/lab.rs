//! The lab on this machine: needs root, systemd-nspawn and, the first time, Debian's packages for the base image.

mod lab {
    mod down;
    mod faults;
    mod fixture;
    mod home;
    mod hosts;
    mod network;
    mod observer;
    mod state;
    #[cfg(feature = "vm")]
    mod vm;
}
