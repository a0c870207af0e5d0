//! Amounts of money as whole billionths, read from decimal text.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer};

/// Digits after the point that are kept.
const PLACES: usize = 9;

/// Billionths of the currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Amount(pub(crate) u64);

/// Not an amount.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotAnAmount(String);

impl fmt::Display for NotAnAmount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "`{}` is no amount: digits, a point, and at most {PLACES} digits", self.0)
    }
}

impl FromStr for Amount {
    type Err = NotAnAmount;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || NotAnAmount(text.chars().take(40).collect());
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(fraction) || whole.len() > 9 || fraction.len() > PLACES {
            return Err(wrong());
        }
        format!("{whole}{fraction:0<PLACES$}").parse().map(Self).map_err(|_overflow| wrong())
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<u64>) {
        assert_eq!(text.parse::<Amount>().ok(), expected.map(Amount), "{text}");
    }

    #[test]
    fn decimals_are_read_exactly_and_nothing_else_is() {
        check("0.0816", Some(81_600_000));
        check("1", Some(1_000_000_000));
        check("999999999.999999999", Some(999_999_999_999_999_999));
        for wrong in ["", ".5", "5.", "-1", "+1", "1e3", "0.0000000001", "1000000000", "1,0", "٣"] {
            check(wrong, None);
        }
    }
}
