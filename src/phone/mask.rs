//! A number as those may see it who must not know it: country code, dots, two digits.

use std::fmt;

use serde::{Serialize, Serializer};

use super::metadata::Split;
use super::number::PhoneNumber;

/// What is shown of a number: `+84 ••• ••• •67`.
///
/// As many dots for every number, so that its length is not told. No digits where the national number has fewer than
/// eight, since with two of them shown fewer than 10⁶ subscribers would be left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Masked {
    country_code: Option<u16>,
    last_two: Option<u8>,
}

impl Masked {
    /// The mask of `number`.
    pub fn of(number: &PhoneNumber) -> Self {
        let split = Split::of(number.digits());
        let shown = split.as_ref().is_some_and(|split| split.national.len() >= SHORTEST_SHOWN);
        Self {
            country_code: split.map(|split| split.country_code),
            last_two: shown.then(|| u8::try_from(number.digits() % 100).unwrap_or_default()),
        }
    }
}

impl fmt::Display for Masked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.country_code {
            Some(code) => write!(f, "+{code}")?,
            None => f.write_str("+••")?,
        }
        f.write_str(" ••• ••• •")?;
        match self.last_two {
            Some(two) => write!(f, "{two:02}"),
            None => f.write_str("••"),
        }
    }
}

impl Serialize for Masked {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Two of eight digits shown leave 10⁶ numbers.
const SHORTEST_SHOWN: usize = 8;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn mask(digits: u64) -> String {
        Masked::of(&PhoneNumber::from_digits(digits).unwrap()).to_string()
    }

    #[test]
    fn shows_country_code_and_last_two_digits() {
        assert_eq!(mask(84_901_234_567), "+84 ••• ••• •67");
        assert_eq!(mask(12_025_550_103), "+1 ••• ••• •03");
        assert_eq!(mask(447_700_900_100), "+44 ••• ••• •00");
        assert_eq!(
            serde_json::to_string(&Masked::of(&PhoneNumber::from_digits(84_901_234_567).unwrap())).unwrap(),
            "\"+84 ••• ••• •67\""
        );
    }

    #[test]
    fn shows_no_digit_where_under_a_million_subscribers_would_be_left() {
        assert_eq!(mask(3_541_234_567), "+354 ••• ••• •••");
        assert_eq!(mask(6_561_234_567), "+65 ••• ••• •67");
        assert_eq!(mask(29_012_345), "+290 ••• ••• •••");
    }

    #[test]
    fn tells_nothing_of_a_number_without_a_country() {
        assert_eq!(mask(999_123_456_789_012), "+•• ••• ••• •••");
    }

    #[test]
    fn masks_of_numbers_of_every_length_have_one_length() {
        let lengths = [84_901_234_567, 8_490_123_456, 84_901_234_567_890].map(|digits| mask(digits).chars().count());
        assert_eq!(lengths, [15; 3]);
    }
}
