//! Supply and heat of a Raspberry Pi. Whoever can tell is asked: the firmware's driver (a file of the Raspberry Pi kernels), the
//! tool of Raspberry Pi OS, and the sensor that every newer kernel has, which knows the voltage alone.

use std::path::Path;

use garboard_protocol::facts::Power;

use super::{line, text};
use crate::system::{Command, Look};

const PLATFORM: &str = "/sys/devices/platform";
const TOOLS: [&str; 2] = ["/usr/bin/vcgencmd", "/opt/vc/bin/vcgencmd"];
const SENSORS: &str = "/sys/class/hwmon";

pub(super) fn power(look: &dyn Look, raspberry_pi: bool) -> Option<Power> {
    if !raspberry_pi {
        return None;
    }
    firmware(look).or_else(|| tool(look)).map(of_bits).or_else(|| sensor(look))
}

/// `soc/soc:firmware/get_throttled`; on a Raspberry Pi 5 both names carry an address: `soc@107c000000`.
fn firmware(look: &dyn Look) -> Option<u32> {
    let names = |folder: &str| look.list(Path::new(folder)).unwrap_or_default();
    for soc in names(PLATFORM).into_iter().filter(|name| name.starts_with("soc")) {
        let soc = format!("{PLATFORM}/{soc}");
        for driver in names(&soc).into_iter().filter(|name| name.ends_with(":firmware")) {
            let found = line(look, &format!("{soc}/{driver}/get_throttled"));
            if let Ok(bits) = u32::from_str_radix(found.trim_start_matches("0x"), 16) {
                return Some(bits);
            }
        }
    }
    None
}

/// Prints `throttled=0x50000`.
fn tool(look: &dyn Look) -> Option<u32> {
    let tool = TOOLS.into_iter().find(|tool| super::exists(look, tool))?;
    let printed = look.ask(&Command::new(tool, ["get_throttled"])).ok()?.stdout;
    u32::from_str_radix(printed.trim().strip_prefix("throttled=0x")?, 16).ok()
}

/// `in0_lcrit_alarm` of the sensor `rpi_volt` (the kernel's `Documentation/hwmon/raspberrypi-hwmon.rst`).
fn sensor(look: &dyn Look) -> Option<Power> {
    let sensors = look.list(Path::new(SENSORS)).unwrap_or_default();
    let sensor = sensors.iter().find(|name| line(look, &format!("{SENSORS}/{name}/name")) == "rpi_volt")?;
    let alarm = text(look, &format!("{SENSORS}/{sensor}/in0_lcrit_alarm"));
    Some(Power { under_voltage: alarm.trim() == "1", ..Power::default() })
}

fn of_bits(bits: u32) -> Power {
    Power {
        under_voltage: bits & 0x1 != 0,
        throttled: bits & 0xe != 0,
        was_under_voltage: bits & 0x1_0000 != 0,
        was_throttled: bits & 0xe_0000 != 0,
    }
}
