//! The kernel's clock, and the machine's own that runs while it is off.

#![allow(unsafe_code, reason = "system calls that no library wraps; each with its reason")]

use std::io;
use std::os::fd::AsRawFd as _;
use std::time::Duration;

use fs_err as fs;
use nix::libc;
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_gettime, clock_settime};

use crate::civil_time::CivilTime;
use crate::system::KernelClock;

/// The first clock of the machine; `/dev/rtc` leads there.
const HARDWARE: &str = "/dev/rtc0";
/// `RTC_SET_TIME` of `linux/rtc.h`: `_IOW('p', 0x0a, struct rtc_time)`, nine integers.
const RTC_SET_TIME: libc::Ioctl = 0x4024_700a;

/// `struct rtc_time` of `linux/rtc.h`.
#[repr(C)]
struct RtcTime {
    second: libc::c_int,
    minute: libc::c_int,
    hour: libc::c_int,
    day_of_month: libc::c_int,
    /// From 0.
    month: libc::c_int,
    /// From 1900.
    year: libc::c_int,
    day_of_week: libc::c_int,
    day_of_year: libc::c_int,
    is_summer_time: libc::c_int,
}

/// Reads the kernel's clock.
pub(super) fn read() -> io::Result<KernelClock> {
    let since_boot = clock_gettime(ClockId::CLOCK_BOOTTIME)?;
    // SAFETY: all of `timex` are integers, for which zero is a value; `modes` of zero asks and sets nothing.
    let mut state: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel fills the structure that is given, and keeps nothing of it.
    let answer = unsafe { libc::adjtimex(&raw mut state) };
    if answer < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(KernelClock {
        since_boot: Duration::from(since_boot),
        synchronised: state.status & libc::STA_UNSYNC == 0,
    })
}

/// Sets the kernel's clock.
pub(super) fn set(nanoseconds: i128) -> io::Result<()> {
    let seconds = i64::try_from(nanoseconds.div_euclid(1_000_000_000)).map_err(io::Error::other)?;
    let rest = i64::try_from(nanoseconds.rem_euclid(1_000_000_000)).map_err(io::Error::other)?;
    Ok(clock_settime(ClockId::CLOCK_REALTIME, TimeSpec::new(seconds, rest))?)
}

/// Sets the clock that runs while the machine is off, to UTC.
pub(super) fn set_hardware(nanoseconds: i128) -> io::Result<()> {
    let hardware = fs::File::open(HARDWARE)?;
    let seconds = i64::try_from(nanoseconds.div_euclid(1_000_000_000)).map_err(io::Error::other)?;
    let time = broken_down(seconds);
    // SAFETY: the kernel reads the structure, which has the layout it expects, and keeps nothing of it.
    let answer = unsafe { libc::ioctl(hardware.as_raw_fd(), RTC_SET_TIME, &raw const time) };
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn broken_down(seconds: i64) -> RtcTime {
    let CivilTime { year, month, day, hour, minute, second } = CivilTime::of(seconds);
    let small = |value: i64| libc::c_int::try_from(value).unwrap_or(0);
    RtcTime {
        second: small(second),
        minute: small(minute),
        hour: small(hour),
        day_of_month: small(day),
        month: small(month - 1),
        year: small(year - 1900),
        day_of_week: 0,
        day_of_year: 0,
        is_summer_time: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::{broken_down, read};

    #[test]
    fn seconds_are_told_as_a_calendar_has_them() {
        // From `date --utc --date=@SECONDS`.
        for (seconds, date) in [
            (0, (1970, 1, 1, 0, 0, 0)),
            (1_709_164_799, (2024, 2, 28, 23, 59, 59)),
            (1_709_164_800, (2024, 2, 29, 0, 0, 0)),
            (1_795_253_760, (2026, 11, 21, 9, 36, 0)),
            (4_107_542_400, (2100, 3, 1, 0, 0, 0)),
        ] {
            let found = broken_down(seconds);
            let found = (
                found.year + 1900,
                found.month + 1,
                found.day_of_month,
                found.hour,
                found.minute,
                found.second,
            );
            assert_eq!(found, date);
        }
    }

    #[test]
    fn the_count_since_the_boot_goes_on() {
        let first = read().unwrap();
        assert!(read().unwrap().since_boot > first.since_boot);
    }
}
