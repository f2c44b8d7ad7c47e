//! Network faults as a user writes them.

use super::arguments::Net;
use crate::Faults;

/// The faults that the arguments name; none with `--clear`.
pub(super) fn from_arguments(net: &Net) -> Faults {
    Faults { loss: net.loss.unwrap_or(0), delay: net.delay.unwrap_or(0), blocks: net.block.clone() }
}

/// `5%` or `0.5%`, as parts of ten thousand.
pub(super) fn parse_loss(text: &str) -> Result<u16, String> {
    let percent: Option<f64> = text.strip_suffix('%').and_then(|number| number.parse().ok());
    match percent {
        Some(percent) if (0.0..=100.0).contains(&percent) => {
            // In range by the check above.
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            Ok((percent * 100.0).round() as u16)
        }
        _ => Err("expected a percentage such as `5%`".into()),
    }
}

/// `20ms` or `1s`, in milliseconds.
pub(super) fn parse_delay(text: &str) -> Result<u32, String> {
    let parsed = match text.strip_suffix("ms") {
        Some(number) => number.parse().ok(),
        None => text.strip_suffix('s').and_then(|number| number.parse::<u32>().ok()?.checked_mul(1000)),
    };
    parsed
        .filter(|time| *time <= 60_000)
        .ok_or_else(|| "expected a time up to a minute such as `20ms` or `1s`".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_and_times_are_read_exactly_or_refused() {
        assert_eq!(parse_loss("5%"), Ok(500));
        assert_eq!(parse_loss("0.25%"), Ok(25));
        assert_eq!(parse_delay("20ms"), Ok(20));
        assert_eq!(parse_delay("2s"), Ok(2000));
        for text in ["5", "101%", "-1%", "%", "NaN%"] {
            assert!(parse_loss(text).is_err(), "{text}");
        }
        for text in ["20", "ms", "61s", "-1ms"] {
            assert!(parse_delay(text).is_err(), "{text}");
        }
    }
}
