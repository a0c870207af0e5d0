//! Time as evidence uses it: instants on the UTC time line, and a clock that callers hand in.
//!
//! The pure rooms never ask what time it is. They are told, which is what makes two runs over the same
//! evidence produce the same bytes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An instant, printed as RFC 3339 in UTC (`2026-11-21T10:24:28Z`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(jiff::Timestamp);

/// A time that is not RFC 3339.
#[derive(Debug, thiserror::Error)]
#[error("`{text}` is not a time: write it as RFC 3339, like `2026-11-21T10:24:28Z`")]
pub struct TimestampError {
    text: String,
    #[source]
    source: jiff::Error,
}

impl Timestamp {
    /// The instant that lies `seconds` after 1970-01-01T00:00:00Z, or `None` outside the years -9999 to 9999.
    #[must_use]
    pub fn from_seconds(seconds: i64) -> Option<Self> {
        jiff::Timestamp::from_second(seconds).ok().map(Self)
    }

    /// The instant that lies `milliseconds` after 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn from_milliseconds(milliseconds: i64) -> Option<Self> {
        jiff::Timestamp::from_millisecond(milliseconds).ok().map(Self)
    }

    /// Whole seconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn seconds(self) -> i64 {
        self.0.as_second()
    }

    /// Whole seconds from `earlier` to `self`; negative when `earlier` is the later one.
    #[must_use]
    pub fn seconds_since(self, earlier: Self) -> i64 {
        self.seconds().saturating_sub(earlier.seconds())
    }

    /// The same instant without its fraction of a second, as records carry it.
    #[must_use]
    pub fn truncated_to_seconds(self) -> Self {
        Self::from_seconds(self.seconds()).unwrap_or(self)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self).map_err(|source| TimestampError { text: text.to_owned(), source })
    }
}

/// Where an edge asks for the time.
pub trait Clock: Send + Sync {
    /// The present instant.
    fn now(&self) -> Timestamp;
}

/// The machine's clock. Only commands and collectors construct it.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp(jiff::Timestamp::now())
    }
}

/// A clock that always answers with the same instant, for tests and recorded runs.
#[derive(Debug, Clone, Copy)]
pub struct FixedClock(pub Timestamp);

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        self.0
    }
}

/// A length of time as people declare it: a whole number and a unit, `30s`, `15m`, `24h`, `90d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period {
    seconds: i64,
}

/// A period that does not read as number and unit.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is not a period: write a whole number and one of s, m, h, d, like `24h` or `90d`")]
pub struct PeriodError(String);

impl Period {
    /// A period of so many days of 24 hours.
    #[must_use]
    pub const fn days(days: i64) -> Self {
        Self { seconds: days * 86_400 }
    }

    /// A period of so many seconds.
    #[must_use]
    pub const fn of_seconds(seconds: i64) -> Self {
        Self { seconds }
    }

    /// Its length in seconds.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.seconds
    }
}

impl FromStr for Period {
    type Err = PeriodError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || PeriodError(text.to_owned());
        let split = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(error)?;
        let (number, unit) = text.split_at(split);
        let number: i64 = number.parse().map_err(|_e| error())?;
        let unit = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            _ => return Err(error()),
        };
        number.checked_mul(unit).map(|seconds| Self { seconds }).ok_or_else(error)
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, unit) = match self.seconds {
            s if s % 86_400 == 0 => (s / 86_400, "d"),
            s if s % 3_600 == 0 => (s / 3_600, "h"),
            s if s % 60 == 0 => (s / 60, "m"),
            s => (s, "s"),
        };
        write!(f, "{number}{unit}")
    }
}

/// Serialised as a number of seconds, which is what policies compute with.
impl Serialize for Period {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(self.seconds)
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_reads_number_and_unit_and_nothing_else() {
        assert_eq!("24h".parse::<Period>().map(Period::seconds), Ok(86_400));
        assert_eq!("90d".parse::<Period>(), Ok(Period::days(90)));
        for wrong in ["", "d", "24", "-1d", "1.5h", "24 h", "24H", "9999999999999999d"] {
            assert!(wrong.parse::<Period>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_period_prints_as_it_was_written() {
        for text in ["30s", "15m", "25h", "90d"] {
            assert_eq!(text.parse::<Period>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn an_instant_prints_and_reads_as_rfc_3339() {
        let instant: Timestamp = "2026-11-21T10:24:28Z".parse().unwrap();
        assert_eq!(instant.to_string(), "2026-11-21T10:24:28Z");
        assert_eq!(instant.seconds_since("2026-11-21T10:24:00Z".parse().unwrap()), 28);
    }
}
