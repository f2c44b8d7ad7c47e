//! Clocks: certificates are made on hosts and looked at from this machine, and both must think it is the same time.

use super::{Row, Subject};
use crate::output::text;

/// kubeadm dates certificates five minutes back: one that is further ahead than this makes some that are not valid yet elsewhere
/// before long.
const BLOCKS: u64 = 60_000;
/// A difference worth a word; from here on the step `clock` sets it.
const WARNS: u64 = 5_000;

const TIMESYNCD: &str = "systemd-timesyncd.service";

pub(super) fn rows(subject: &Subject<'_>, rows: &mut Vec<Row>) {
    rows.push(clock(subject));
    rows.push(time_service(subject));
}

fn clock(subject: &Subject<'_>) -> Row {
    let difference = subject.clock_ahead_milliseconds.unsigned_abs();
    if difference <= WARNS {
        return subject.fine("clock", "right");
    }
    let (host, own) =
        if subject.clock_ahead_milliseconds < 0 { ("behind", "ahead of") } else { ("ahead of", "behind") };
    let difference_text = text::duration(difference);
    let text = format!("{difference_text} {host} this machine's");
    let is_far_off = difference > BLOCKS;
    if subject.facts.shared_kernel {
        let help = "set the clock of the machine that the container runs on";
        return if is_far_off {
            subject.blocking("clock", text, help)
        } else {
            subject.warning("clock", text, help)
        };
    }
    if subject.facts.clock.synchronised {
        let text = format!(
            "follows a time service, so it is this machine's that is wrong: {difference_text} {own} the host's"
        );
        let help = "set this machine's clock, or turn on its time service: on Linux `timedatectl set-ntp true`, on macOS \
                    `sudo sntp -sS time.apple.com`";
        return if is_far_off {
            subject.blocking("clock", text, help)
        } else {
            subject.warning("clock", text, help)
        };
    }
    subject.warning(
        "clock",
        format!("{text}; will be set"),
        "nothing to do, if this machine's clock is right",
    )
}

fn time_service(subject: &Subject<'_>) -> Row {
    const CHECK: &str = "time service";
    let clock = &subject.facts.clock;
    if subject.facts.shared_kernel {
        return subject.fine(CHECK, "the machine's, not the container's");
    }
    if let Some(service) = clock.services.iter().find(|service| service.active) {
        let name = service.unit.trim_end_matches(".service");
        let state = if clock.synchronised { "" } else { ", which has met no time server yet" };
        return subject.fine(CHECK, format!("{name}{state}"));
    }
    let drifts = if clock.hardware {
        "nothing keeps the clock right"
    } else {
        "nothing keeps the clock right, and without a battery it stands still while the machine is off"
    };
    if clock.services.iter().any(|service| service.unit == TIMESYNCD) {
        return subject.warning(
            CHECK,
            format!("{drifts}; systemd-timesyncd will be turned on"),
            "nothing to do; `reset` puts it back",
        );
    }
    let help = match clock.services.first() {
        Some(service) => format!("turn it on: `systemctl enable --now {}`", service.unit),
        None => "install one: `apt-get install systemd-timesyncd`".to_owned(),
    };
    subject.warning(CHECK, drifts, help)
}
