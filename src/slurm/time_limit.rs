//! Time limits in Slurm's spellings.

use std::{fmt, str::FromStr, time::Duration};

/// A time limit as Slurm writes it: `minutes`, `minutes:seconds`, `hours:minutes:seconds`, `days-hours`,
/// `days-hours:minutes` or `days-hours:minutes:seconds`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeLimit {
    written: String,
    /// How long that is.
    pub duration: Duration,
}

impl FromStr for TimeLimit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("`{text}` is not a time limit; valid: minutes, HH:MM:SS, D-HH or D-HH:MM:SS, such as 4:00:00");
        let (days, clock) = match text.split_once('-') {
            Some((days, clock)) => (Some(days.parse::<u32>().map_err(|_| wrong())?), clock),
            None => (None, text),
        };
        let parts: Vec<u32> = clock.split(':').map(str::parse).collect::<Result<_, _>>().map_err(|_| wrong())?;
        let [hours, minutes, seconds] = match (days, parts.as_slice()) {
            (None, &[minutes]) => [0, minutes, 0],
            (None, &[minutes, seconds]) => [0, minutes, seconds],
            (Some(_), &[hours]) => [hours, 0, 0],
            (Some(_), &[hours, minutes]) => [hours, minutes, 0],
            (_, &[hours, minutes, seconds]) => [hours, minutes, seconds],
            _ => return Err(wrong()),
        }
        .map(u64::from);
        let seconds = ((u64::from(days.unwrap_or(0)) * 24 + hours) * 60 + minutes) * 60 + seconds;
        if seconds == 0 {
            return Err(wrong());
        }
        Ok(Self { written: text.into(), duration: Duration::from_secs(seconds) })
    }
}

impl fmt::Display for TimeLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_a_limit() {
        let seconds = |text: &str| text.parse::<TimeLimit>().unwrap().duration.as_secs();
        assert_eq!(seconds("30"), 30 * 60);
        assert_eq!(seconds("1:30"), 90);
        assert_eq!(seconds("04:00:00"), 4 * 3600);
        assert_eq!(seconds("1-12"), 36 * 3600);
        assert_eq!(seconds("1-0:30"), 24 * 3600 + 1800);
        assert_eq!(seconds("2-1:02:03"), 49 * 3600 + 123);
        for wrong in ["", "0", "4h", "-1", "1:2:3:4", "1-", "-", "99999999999", "1-a"] {
            assert!(wrong.parse::<TimeLimit>().is_err(), "{wrong}");
        }
    }
}
