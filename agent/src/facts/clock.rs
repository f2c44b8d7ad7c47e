//! The clock and what keeps it.

use std::path::Path;

use garboard_protocol::facts::{Clock, TimeService};

use super::exists;
use crate::system::Look;

/// Units that keep the clock, as Debian, Ubuntu, Fedora and Arch name them. An alias stands behind its unit.
pub(crate) const TIME_SERVICES: [&str; 7] = [
    "systemd-timesyncd.service",
    "chrony.service",
    "chronyd.service",
    "ntpsec.service",
    "ntp.service",
    "ntpd.service",
    "openntpd.service",
];

/// What systemd-timesyncd touches once it has met a server (systemd-timesyncd.service(8)).
const SYNCHRONISED: &str = "/run/systemd/timesync/synchronized";

pub(super) fn clock(look: &dyn Look) -> Clock {
    let kernel = look.kernel_clock().unwrap_or_default();
    let services: Vec<TimeService> = TIME_SERVICES
        .iter()
        .filter(|unit| is_installed(look, unit))
        .map(|unit| TimeService { unit: (*unit).to_owned(), active: is_active(look, unit) })
        .collect();
    Clock {
        hardware: look.list(Path::new("/sys/class/rtc")).is_ok_and(|clocks| !clocks.is_empty()),
        synchronised: is_synchronised(look),
        services,
        boot_milliseconds: u64::try_from(kernel.since_boot.as_millis()).unwrap_or(u64::MAX),
    }
}

/// Whether the clock follows a source.
pub(crate) fn is_synchronised(look: &dyn Look) -> bool {
    look.kernel_clock().is_ok_and(|clock| clock.synchronised) || exists(look, SYNCHRONISED)
}

/// A file of the unit, not a link: aliases are links.
pub(crate) fn is_installed(look: &dyn Look, unit: &str) -> bool {
    ["/etc/systemd/system", "/lib/systemd/system", "/usr/lib/systemd/system"].iter().any(|folder| {
        let found = look.metadata(Path::new(folder).join(unit).as_path()).ok().flatten();
        found.is_some_and(|found| found.kind == crate::system::Kind::File)
    })
}

/// Its processes have a control group as long as it runs, on either hierarchy.
pub(crate) fn is_active(look: &dyn Look, unit: &str) -> bool {
    ["/sys/fs/cgroup", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified"]
        .iter()
        .any(|root| exists(look, &format!("{root}/system.slice/{unit}")))
}
