//! Where a number points, as far as routes look: its country and its leading digits, never all of them.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};
use zeroize::Zeroize;

use super::metadata::{self, Split};
use super::number::PhoneNumber;
use super::parse::classify;

/// The leading digits of numbers, from the country code on: 1 to [`Prefix::LONGEST`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix(u32);

/// A text is no prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write 1 to 9 digits from the country code on, \"4477\" say")]
pub struct PrefixError;

impl Prefix {
    /// So many digits a prefix may have.
    pub const LONGEST: u32 = 9;

    /// How many digits it has.
    pub const fn digits(self) -> u32 {
        self.0.ilog10() + 1
    }

    /// Whether every number that begins with `other` begins with this.
    pub fn covers(self, other: Self) -> bool {
        other.digits() >= self.digits() && other.0 / 10_u32.pow(other.digits() - self.digits()) == self.0
    }

    /// The country code that it begins with, if it goes that far.
    pub fn country_code(self) -> Option<u16> {
        Split::of(self.0.into()).map(|split| split.country_code)
    }

    /// The same without its last digit, as long as one is left.
    pub(super) fn shorter(self) -> Option<Self> {
        (self.0 >= 10).then_some(Self(self.0 / 10))
    }
}

impl FromStr for Prefix {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let digits = text.strip_prefix('+').unwrap_or(text);
        let fit = (1..=9).contains(&digits.len())
            && digits.bytes().all(|digit| digit.is_ascii_digit())
            && !digits.starts_with('0');
        fit.then(|| digits.parse().ok().map(Self)).flatten().ok_or(PrefixError)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Prefix {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Where a number points. Holds at most nine of its digits and never the last four.
pub struct Bearing {
    lead: u32,
    country_code: Option<u16>,
    region: Option<String>,
}

impl Drop for Bearing {
    fn drop(&mut self) {
        self.lead.zeroize();
    }
}

impl Bearing {
    /// Of a number, without its region, which costs more to find out.
    pub fn of(number: &PhoneNumber) -> Self {
        let mut lead = number.digits() / 10_000;
        while lead >= 10_u64.pow(Prefix::LONGEST) {
            lead /= 10;
        }
        let country_code = Split::of(number.digits()).map(|split| split.country_code);
        Self { lead: u32::try_from(lead).unwrap_or_default(), country_code, region: None }
    }

    /// Of a number, with its region.
    pub fn with_region(number: &PhoneNumber) -> Self {
        let (region, _) = classify(number);
        Self { region: (region != NOWHERE).then_some(region), ..Self::of(number) }
    }

    /// Of all numbers that begin with `prefix`, in `region` or where most of its country code are.
    pub fn of_prefix(prefix: Prefix, region: Option<String>) -> Self {
        let country_code = prefix.country_code();
        let region = region.or_else(|| country_code.and_then(metadata::main_region));
        Self { lead: prefix.0, country_code, region }
    }

    /// Whether the number begins with `prefix`.
    pub fn begins_with(&self, prefix: Prefix) -> bool {
        self.lead > 0 && prefix.covers(Prefix(self.lead))
    }

    /// Its leading digits, longest first.
    pub(super) fn leads(&self) -> impl Iterator<Item = Prefix> {
        std::iter::successors((self.lead > 0).then_some(Prefix(self.lead)), |prefix| prefix.shorter())
    }

    /// Its country code, where that is one that is assigned.
    pub fn country_code(&self) -> Option<u16> {
        self.country_code
    }

    /// ISO 3166-1 alpha-2, where it is known and was asked for.
    pub fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }
}

/// Whether numbers of this country code can be in this region (ISO 3166-1 alpha-2).
pub fn is_code_of(country_code: u16, region: &str) -> bool {
    metadata::regions(country_code).any(|known| known == region)
}

/// What stands for numbers of no country.
const NOWHERE: &str = "ZZ";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn prefix(text: &str) -> Prefix {
        text.parse().unwrap()
    }

    fn bearing(digits: u64) -> Bearing {
        Bearing::with_region(&PhoneNumber::from_digits(digits).unwrap())
    }

    #[test]
    fn a_number_begins_with_its_own_leading_digits_and_no_others() {
        let london = bearing(447_700_900_123);
        for text in ["4", "44", "+44", "4477", "44770090"] {
            assert!(london.begins_with(prefix(text)), "{text}");
        }
        for text in ["5", "45", "4478", "447700901"] {
            assert!(!london.begins_with(prefix(text)), "{text}");
        }
        assert_eq!((london.country_code(), london.region()), (Some(44), Some("GB")));
    }

    #[test]
    fn the_last_four_digits_are_never_looked_at() {
        let short = bearing(29_012_345);
        assert!(short.begins_with(prefix("2901")));
        assert!(!short.begins_with(prefix("29012")), "what is hidden matches nothing");
        assert!(bearing(12_025_550_143).begins_with(prefix("1202555")));
        assert!(!bearing(12_025_550_143).begins_with(prefix("12025550")));
    }

    #[test]
    fn a_prefix_is_digits_from_the_country_code_on() {
        assert_eq!(prefix("+4477").to_string(), "4477");
        for text in ["", "+", "0", "044", "44a", "4477009001", "４４", "+ 44", "-4"] {
            assert_eq!(text.parse::<Prefix>(), Err(PrefixError), "{text}");
        }
        assert!(prefix("44").covers(prefix("4477")) && !prefix("4477").covers(prefix("44")));
        assert!(!prefix("44").covers(prefix("45")));
        assert_eq!(prefix("4477").country_code(), Some(44));
        assert_eq!(prefix("8").country_code(), None);
    }

    #[test]
    fn a_prefix_alone_points_to_the_main_region_of_its_code_unless_one_is_named() {
        assert_eq!(Bearing::of_prefix(prefix("1867"), None).region(), Some("US"));
        assert_eq!(Bearing::of_prefix(prefix("1867"), Some("CA".into())).region(), Some("CA"));
        assert!(is_code_of(1, "CA") && is_code_of(44, "GB") && !is_code_of(44, "FR"));
    }
}
