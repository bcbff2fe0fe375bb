//! Numbers that regulators keep free for films, documents and tests, and that can reach nobody.
//!
//! Test tenants may use them whether or not the metadata know them as valid.

use super::metadata::{Class, class};
use super::number::LineType;

/// The class of the number that `digits` spells, if it is kept for fiction.
pub(super) fn fictional(digits: u64) -> Option<Class> {
    let digits = zeroize::Zeroizing::new(digits.to_string());
    let range = RANGES.iter().find(|range| range.holds(&digits))?;
    Some(Class { country: range.country.to_owned(), line_type: range.line_type, costly: false })
}

/// Valid by the metadata, or fictional.
pub(super) fn class_in_tests(digits: u64) -> Option<Class> {
    class(digits).or_else(|| fictional(digits))
}

/// Digits stand for themselves, `x` for any digit, `N` for 2 to 9.
struct Range {
    pattern: &'static str,
    country: &'static str,
    line_type: LineType,
}

impl Range {
    fn holds(&self, digits: &str) -> bool {
        self.pattern.len() == digits.len()
            && self.pattern.bytes().zip(digits.bytes()).all(|(wanted, digit)| match wanted {
                b'x' => true,
                b'N' => digit >= b'2',
                _ => wanted == digit,
            })
    }
}

const fn range(pattern: &'static str, country: &'static str, line_type: LineType) -> Range {
    Range { pattern, country, line_type }
}

const FIXED: LineType = LineType::FixedLine;
const MOBILE: LineType = LineType::Mobile;

/// NANPA (555-0100 to 555-0199 in every area), Ofcom, ACMA, ComReg, Arcep, Bundesnetzagentur (Mitteilung 148/2021).
const RANGES: &[Range] = &[
    range("1Nxx55501xx", "US", LineType::FixedLineOrMobile),
    range("447700900xxx", "GB", MOBILE),
    range("441134960xxx", "GB", FIXED),
    range("441144960xxx", "GB", FIXED),
    range("441154960xxx", "GB", FIXED),
    range("441164960xxx", "GB", FIXED),
    range("441174960xxx", "GB", FIXED),
    range("441184960xxx", "GB", FIXED),
    range("441214960xxx", "GB", FIXED),
    range("441314960xxx", "GB", FIXED),
    range("441414960xxx", "GB", FIXED),
    range("441514960xxx", "GB", FIXED),
    range("441614960xxx", "GB", FIXED),
    range("441914980xxx", "GB", FIXED),
    range("442079460xxx", "GB", FIXED),
    range("442896496xxx", "GB", FIXED),
    range("442920180xxx", "GB", FIXED),
    range("441632960xxx", "GB", FIXED),
    range("443069990xxx", "GB", LineType::Other),
    range("448081570xxx", "GB", LineType::Other),
    range("61491570xxx", "AU", MOBILE),
    range("6125550xxxx", "AU", FIXED),
    range("6127010xxxx", "AU", FIXED),
    range("6135550xxxx", "AU", FIXED),
    range("6137010xxxx", "AU", FIXED),
    range("6175550xxxx", "AU", FIXED),
    range("6177010xxxx", "AU", FIXED),
    range("6185550xxxx", "AU", FIXED),
    range("6187010xxxx", "AU", FIXED),
    range("3532091xxxxx", "IE", FIXED),
    range("3319900xxxx", "FR", FIXED),
    range("3326191xxxx", "FR", FIXED),
    range("3335301xxxx", "FR", FIXED),
    range("3346571xxxx", "FR", FIXED),
    range("3353649xxxx", "FR", FIXED),
    range("3363998xxxx", "FR", MOBILE),
    range("493023125xxx", "DE", FIXED),
    range("496990009xxx", "DE", FIXED),
    range("494066969xxx", "DE", FIXED),
    range("492214710xxx", "DE", FIXED),
    range("498999998xxx", "DE", FIXED),
    range("49176040690xx", "DE", MOBILE),
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::phone::metadata::Split;

    #[test]
    fn what_regulators_keep_free_is_known() {
        for (digits, country) in [
            (12_025_550_123, "US"),
            (447_700_900_123, "GB"),
            (442_079_460_000, "GB"),
            (61_491_570_006, "AU"),
            (61_255_501_234, "AU"),
            (33_639_981_234, "FR"),
            (493_023_125_999, "DE"),
        ] {
            assert_eq!(fictional(digits).unwrap().country, country);
        }
    }

    #[test]
    fn their_neighbours_are_not() {
        for digits in [12_025_550_200, 11_025_550_100, 447_700_901_000, 44_770_090_012, 61_491_571_006, 0] {
            assert!(fictional(digits).is_none(), "{digits}");
        }
    }

    #[test]
    fn every_range_belongs_to_an_assigned_country_code() {
        for range in RANGES {
            let lowest: u64 = range.pattern.replace('x', "0").replace('N', "2").parse().unwrap();
            assert!(Split::of(lowest).is_some(), "{}", range.pattern);
            assert!(range.holds(&lowest.to_string()), "{}", range.pattern);
        }
    }
}
