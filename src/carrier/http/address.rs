//! Addresses as HTTP carriers write them: `+` and digits, digits alone, short codes, names.
//!
//! Pure. Invariant: what could be a person's number becomes a [`PhoneNumber`] or loses its digits; it never stays in a
//! printable [`Origin`].

use crate::carrier::{Address, Origin};
use crate::phone::{self, PhoneNumber, Rules, VirtualNumber};

/// Who wrote or called. `region` (ISO 3166-1 alpha-2) is where a number without country code is from.
pub(in crate::carrier) fn origin(text: &str, region: Option<&str>) -> Origin {
    let text = text.trim();
    let digits = text.strip_prefix('+').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|octet| octet.is_ascii_digit()) {
        return spelled(text, region);
    }
    let marked = text.len() > digits.len();
    match digits.strip_prefix("00") {
        _ if WITHHELD.contains(&digits) && marked => Origin::Name("anonymous".to_owned()),
        _ if digits.len() <= SHORT_CODE => Origin::ShortCode(digits.to_owned()),
        Some(international) => number(international),
        None if marked => number(digits),
        None => national(text, region).unwrap_or_else(|| number(digits)),
    }
}

/// The pool number that was written to or called.
pub(in crate::carrier) fn destination(text: &str) -> Option<VirtualNumber> {
    let digits = text.trim().trim_start_matches('+');
    let digits = digits.strip_prefix("00").unwrap_or(digits);
    let sound = !digits.starts_with('0') && digits.bytes().all(|octet| octet.is_ascii_digit());
    digits.parse().ok().filter(|_| sound).and_then(VirtualNumber::from_digits)
}

/// A sender as text: numbers with their `+`.
pub(in crate::carrier) fn sender(address: &Address) -> String {
    match address {
        Address::Number(number) => number.to_string(),
        Address::ShortCode(text) | Address::Name(text) => text.clone(),
    }
}

/// What a sender setting means: `+` and digits a number, few digits a short code, else a name.
pub(in crate::carrier) fn setting(text: &str) -> Address {
    match phone::parse_virtual(text) {
        Some(number) if text.starts_with('+') => Address::Number(number),
        _ if text.bytes().all(|c| c.is_ascii_digit()) => Address::ShortCode(text.to_owned()),
        _ => Address::Name(text.to_owned()),
    }
}

fn national(text: &str, region: Option<&str>) -> Option<Origin> {
    let rules = Rules { region: Some(region?.to_owned()), test: true, ..Rules::default() };
    phone::parse(text, &rules).ok().map(|parsed| Origin::Number(parsed.number))
}

fn number(digits: &str) -> Origin {
    let sound = (SHORT_CODE + 1..=15).contains(&digits.len()) && !digits.starts_with('0');
    let number = digits.parse().ok().filter(|_| sound).and_then(PhoneNumber::from_digits);
    number.map_or_else(|| Origin::Name(UNKNOWN.to_owned()), Origin::Number)
}

/// Something with other characters than digits: a number laid out for reading, or a name.
fn spelled(text: &str, region: Option<&str>) -> Origin {
    let digits = text.chars().filter(|c| phone::digit_value(*c).is_some()).count();
    if digits > SHORT_CODE {
        return national(text, Some(region.unwrap_or_default())).unwrap_or_else(|| Origin::Name(UNKNOWN.to_owned()));
    }
    let shown = (1..=LONGEST_NAME).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    Origin::Name(if shown { text } else { UNKNOWN }.to_owned())
}

/// Who wrote, when nothing can be shown or answered.
const UNKNOWN: &str = "unknown";
/// No service code in use is longer; no subscriber number in use is this short.
const SHORT_CODE: usize = 6;
/// Longest alphanumeric sender (3GPP TS 23.040 §9.1.2.5).
const LONGEST_NAME: usize = 11;
/// What stands in a number's place where the caller withholds it: the words ANONYMOUS, BLOCKED, RESTRICTED,
/// UNAVAILABLE and UNKNOWN as typed on a telephone's keys.
const WITHHELD: [&str; 5] = ["266696687", "2562533", "7378742833", "86282452253", "8656696"];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::phone::Door;

    fn read(text: &str, region: Option<&str>) -> String {
        match origin(text, region) {
            Origin::Number(number) => format!("number {}", *number.expose(Door::Carrier)),
            Origin::ShortCode(code) => format!("code {code}"),
            Origin::Name(name) => format!("name {name}"),
        }
    }

    #[test]
    fn a_full_number_is_secret_however_it_is_written() {
        for text in ["+12025550101", "12025550101", "0012025550101", " +12025550101 ", "+1 202-555-0101"] {
            assert_eq!(read(text, None), "number +12025550101", "{text}");
        }
        assert_eq!(read("2025550101", Some("US")), "number +12025550101");
        assert_eq!(read("07700 900123", Some("GB")), "number +447700900123");
    }

    #[test]
    fn codes_and_names_stay_as_they_are_and_what_cannot_be_placed_loses_its_digits() {
        assert_eq!(read("8069", None), "code 8069");
        assert_eq!(read("HFM", None), "name HFM");
        assert_eq!(read("Shop 24", None), "name Shop 24");
        for text in ["+266696687", "+8656696"] {
            assert_eq!(read(text, None), "name anonymous");
        }
        for text in ["", "02025550101", "call 202 555 0101", "whatsapp:+12025550101", "+1234567890123456", "a\nb"] {
            assert_eq!(read(text, None), "name unknown", "{text}");
        }
    }

    #[test]
    fn a_destination_is_a_number_and_a_sender_reads_back() {
        let number = VirtualNumber::from_digits(12_025_550_199).unwrap();
        for text in ["12025550199", "+12025550199", "0012025550199"] {
            assert_eq!(destination(text), Some(number));
        }
        for text in ["", "HFM", "02025550199", "123", "99999999999999999999"] {
            assert_eq!(destination(text), None, "{text}");
        }
        assert_eq!(sender(&setting("+12025550199")), "+12025550199");
        assert_eq!(
            (setting("8069"), setting("Shop")),
            (Address::ShortCode("8069".into()), Address::Name("Shop".into()))
        );
    }
}
