//! Lengths of time: `30s`, `5m`, `1h 30m`.

use crate::fault::{Flaw, quote};

/// More than nothing, at most a day, in seconds.
pub(crate) fn interval(text: &str) -> Result<u32, Flaw> {
    const DAY: u32 = 24 * 60 * 60;
    let seconds = seconds(text).ok_or_else(|| {
        Flaw::new(format!("{} is no length of time", quote(text))).help("write it like `30s`, `5m` or `1h`")
    })?;
    if (1..=DAY).contains(&seconds) {
        Ok(seconds)
    } else {
        Err(Flaw::new(format!("{} is not between a second and a day", quote(text)))
            .help("write it like `30s`, `5m` or `1h`"))
    }
}

fn seconds(text: &str) -> Option<u32> {
    let mut rest = text.trim();
    let mut sum = 0_u32;
    let mut largest = u32::MAX;
    while !rest.is_empty() {
        let digits = rest.find(|one: char| !one.is_ascii_digit())?;
        let (number, behind) = rest.split_at(digits);
        let unit = match behind.chars().next()? {
            'h' => 3600,
            'm' => 60,
            's' => 1,
            _ => return None,
        };
        // The larger first, each once.
        if unit >= largest {
            return None;
        }
        largest = unit;
        sum = sum.checked_add(number.parse::<u32>().ok()?.checked_mul(unit)?)?;
        rest = behind[1..].trim_start();
    }
    (largest != u32::MAX).then_some(sum)
}

#[cfg(test)]
mod tests {
    use super::interval;

    #[test]
    fn a_length_of_time_has_its_unit() {
        for (text, seconds) in
            [("30s", 30), ("5m", 300), ("1h 30m", 5400), ("1h30m1s", 5401), ("24h", 86_400)]
        {
            assert_eq!(interval(text), Ok(seconds), "{text}");
        }
        for bad in ["", "30", "s", "5 m", "25h", "0s", "1m 1h", "1m 1m", "-5m", "99999999999h", "5min", "5ü"]
        {
            assert!(interval(bad).is_err(), "{bad} was taken");
        }
    }
}
