//! What starts the host, and with which kernel parameters. Sources: [`crate::boot`].

use garboard_protocol::facts::Boot;

use super::exists;
use crate::boot::{Loader, Ordered, REBOOT_REQUIRED, running_line};
use crate::system::Look;

pub(super) fn boot(look: &dyn Look) -> Boot {
    let owned = |files: Vec<&str>| files.into_iter().map(str::to_owned).collect();
    let (loader, files, unmounted) = match Loader::find(look) {
        Ok(Loader::Firmware { files, unmounted }) => ("firmware", owned(files), unmounted),
        Ok(Loader::Grub) => ("grub", vec!["/etc/default/grub".to_owned()], None),
        Ok(Loader::Unknown) | Err(_) => ("", Vec::new(), None),
    };
    Boot {
        loader: loader.to_owned(),
        files,
        unmounted: unmounted.map(str::to_owned),
        command_line: running_line(look),
        in_vain: Ordered::load(look).map(|ordered| ordered.in_vain(look)).unwrap_or_default(),
        reboot_required: exists(look, REBOOT_REQUIRED),
    }
}
