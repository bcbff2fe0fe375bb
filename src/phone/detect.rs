//! Finding phone numbers in any text: to refuse texts that hold one, and to scrub what dependencies print.
//!
//! Strict on the side of catching. The rule:
//!
//! * A run is digits of any script in groups, with up to four separators (spaces, dashes, dots, brackets, slashes) and
//!   any marks without width between two groups. Percent-encoding is seen through (`%2B84`), a `+` between two digits
//!   is an encoded space.
//! * A run is a number from **9 digits** on, and from **7 digits** on after a `+`. With `00` it has nine anyway.
//! * Not counted are: groups of more than 15 digits (E.164 ends there); groups inside a word of letters and digits,
//!   unless the word is letters and then one group, some letter not being hexadecimal (`tel0901234567`, but not
//!   `ver_01h2x…`, `tok_…`, hashes); UUIDs; IPv4 addresses; versions with a lone 0 inside; ISO dates; times of day with
//!   their fractions; fractions after `0.` or before a unit of time.
//!
//! Hence a national number of eight digits or fewer is not told from a code, nor one laid out as an IPv4 address from
//! an address; and an integer of nine or more digits (a Unix time, say) is taken for a number, so that logs of the
//! house hold none. Called by `guard` and `telemetry`.

use super::digit::digit_value;
use super::scan::{Gap, Group, Scanner};

/// Where a number is in a text: byte offsets, on character boundaries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// The first byte: of the plus sign, else of the first digit.
    pub start: usize,
    /// One past the last byte of the last digit.
    pub end: usize,
}

/// Whether `text` holds what may be a phone number.
pub fn contains_number(text: &str) -> bool {
    !find(text).is_empty()
}

/// What may be phone numbers in `text`, from left to right. Several that only separators part are one.
pub fn find(text: &str) -> Vec<Found> {
    let mut found = Vec::new();
    if !has_digits(text, FEWEST_AFTER_PLUS) {
        return found;
    }
    let mut run: Vec<Group> = Vec::new();
    for group in Scanner::new(text) {
        if group.gap == Gap::Break {
            search(&run, &mut found);
            run.clear();
        }
        run.push(group);
    }
    search(&run, &mut found);
    found
}

fn has_digits(text: &str, wanted: usize) -> bool {
    if text.is_ascii() {
        return text.bytes().filter(u8::is_ascii_digit).take(wanted).count() == wanted;
    }
    text.chars().filter(|c| digit_value(*c).is_some()).take(wanted).count() == wanted
}

/// Cuts a run where something else than a number is in it, and keeps the pieces that are long enough.
fn search(run: &[Group], found: &mut Vec<Found>) {
    let mut rest = run;
    let mut piece = rest;
    let mut taken = 0;
    while let Some(first) = rest.first() {
        let foreign = foreign(rest);
        if foreign > 0 || (first.plus.is_some() && first.gap != Gap::Plus) {
            found.extend(number(piece, taken));
            rest = rest.get(foreign..).unwrap_or_default();
            (piece, taken) = (rest, 0);
        }
        if foreign == 0 {
            rest = rest.get(1..).unwrap_or_default();
            taken += 1;
        }
    }
    found.extend(number(piece, taken));
}

/// The first `count` groups, if together they are a number.
fn number(groups: &[Group], count: usize) -> Option<Found> {
    let groups = groups.get(..count)?;
    let digits = |groups: &[Group]| groups.iter().map(|group| group.len).sum::<usize>();
    let after_plus = groups.iter().position(|group| group.plus.is_some()).and_then(|at| groups.get(at..));
    let enough = digits(groups) >= FEWEST || after_plus.is_some_and(|groups| digits(groups) >= FEWEST_AFTER_PLUS);
    let (first, last) = (groups.first()?, groups.last()?);
    enough.then(|| Found { start: first.plus.unwrap_or(first.start), end: last.end })
}

/// How many groups from the first on are something else.
fn foreign(groups: &[Group]) -> usize {
    match groups {
        [first, ..] if first.len > LONGEST => 1,
        [first, ..] if first.plus.is_some() => 0,
        [first, fraction, ..] if fraction.gap == Gap::Dot && first.clock => 2,
        [first, ..] if first.clock => 1,
        [a, b, c, d, rest @ ..] if is_address([a, b, c, d], rest) => 4,
        [year, month, day, ..] if is_date(year, month, day) => 3,
        [whole, fraction, rest @ ..] if is_fraction(whole, fraction, rest) => 2,
        [first, ..] if first.gap != Gap::Dot => version(groups),
        _ => 0,
    }
}

/// Four numbers up to 255 with single dots between them and no further one: IPv4 in its usual form (RFC 3986 §3.2.2).
fn is_address(octets: [&Group; 4], rest: &[Group]) -> bool {
    let octet = |group: &Group| group.value <= 255 && (group.len == 1 || !group.zero);
    octets.iter().all(|group| octet(group))
        && octets.iter().skip(1).all(|group| group.gap == Gap::Dot)
        && octets.iter().take(1).all(|group| group.gap != Gap::Dot)
        && !dotted(rest)
}

/// RFC 3339 `full-date`, also with slashes.
fn is_date(year: &Group, month: &Group, day: &Group) -> bool {
    (year.len, month.len, day.len) == (4, 2, 2)
        && (1900..2100).contains(&year.value)
        && (1..=12).contains(&month.value)
        && (1..=31).contains(&day.value)
        && matches!(month.gap, Gap::Dash | Gap::Slash)
        && month.gap == day.gap
        && !matches!(year.gap, Gap::Dash | Gap::Dot)
}

/// `0.123456789`, or any fraction before a unit of time.
fn is_fraction(whole: &Group, fraction: &Group, rest: &[Group]) -> bool {
    let lone_zero = whole.zero && whole.len == 1;
    fraction.gap == Gap::Dot && whole.gap != Gap::Dot && !dotted(rest) && (lone_zero || fraction.timed)
}

/// The length of a dotted version with a lone 0 inside (`120.0.6099.109`), else 0.
fn version(groups: &[Group]) -> usize {
    let length = 1 + groups.iter().skip(1).take_while(|group| group.gap == Gap::Dot).count();
    let mut inside = groups.iter().take(length.saturating_sub(1)).skip(1);
    if inside.any(|group| group.zero && group.len == 1) { length } else { 0 }
}

fn dotted(rest: &[Group]) -> bool {
    rest.first().is_some_and(|group| group.gap == Gap::Dot)
}

const FEWEST: usize = 9;
const FEWEST_AFTER_PLUS: usize = 7;
const LONGEST: usize = 15;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use proptest::prelude::*;
    use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumberFormat, PhoneNumberType};

    use super::*;
    use crate::token::Token;

    fn pieces(text: &str) -> Vec<&str> {
        find(text).iter().map(|found| &text[found.start..found.end]).collect()
    }

    #[test]
    fn finds_numbers_where_they_begin_and_end() {
        for (text, expected) in [
            ("Gọi +84 90 123 45 67 nhé", "+84 90 123 45 67"),
            ("(+84) 90-123-45-67.", "+84) 90-123-45-67"),
            ("call 0084901234567!", "0084901234567"),
            ("0901 234 567", "0901 234 567"),
            ("请拨打13800138000谢谢", "13800138000"),
            ("اتصل على ٠٩٠١٢٣٤٥٦٧ الآن", "٠٩٠١٢٣٤٥٦٧"),
            ("＋８４９０１２３４５６７", "＋８４９０１２３４５６７"),
            ("?to=%2B84901234567&x=1", "%2B84901234567"),
            ("?to=%2b84%2090%20123%2045%2067", "%2b84%2090%20123%2045%2067"),
            ("?to=%2B84+90+123+45+67", "%2B84+90+123+45+67"),
            ("?to=0901+234+567", "0901+234+567"),
            ("\"+84901234567\"", "+84901234567"),
            ("tel:+84901234567", "+84901234567"),
            ("tel0901234567", "0901234567"),
            ("sms_84901234567.txt", "84901234567"),
            ("x+84901234567abc", "+84901234567"),
            ("+1234567", "+1234567"),
            ("+84\u{200b}90\u{2060}1234567", "+84\u{200b}90\u{2060}1234567"),
            ("84.90.123.4567", "84.90.123.4567"),
            ("06.12.34.56.78", "06.12.34.56.78"),
            ("at 11:06 +84901234567", "+84901234567"),
            ("2026-11-18 0901234567", "0901234567"),
            ("10.0.0.1 0901234567", "0901234567"),
            ("3 +8490123456", "+8490123456"),
            ("123456789012", "123456789012"),
        ] {
            assert_eq!(pieces(text), [expected], "{text}");
            assert!(contains_number(text));
        }
    }

    #[test]
    fn finds_each_of_several() {
        assert_eq!(pieces("+84901234567, +84901234568; 0901234569"), ["+84901234567", "+84901234568", "0901234569"]);
        assert_eq!(pieces("+84901234567 +84901234568"), ["+84901234567", "+84901234568"]);
        assert_eq!(pieces("0901234567\n0901234568"), ["0901234567", "0901234568"]);
    }

    #[test]
    fn leaves_alone_what_is_no_number() {
        for text in [
            "",
            "+",
            "%",
            "%2",
            "%2B",
            "178781",
            "12345678",
            "1234-5678",
            "【微信】验证码 178781 有效期 15 分钟",
            "Mã xác thực HFM của bạn là : 877344",
            "+123456",
            "2026-11-18T11:06:40.123Z",
            "2026-11-18T11:06:40.123456789+07:00",
            "2026-11-18 11:06:40.123456",
            "2026-11-18 2026-11-19",
            "18.11.2026 11:06",
            "18/Nov/2026:11:06:40 +0700",
            "/logs/2026/11/18/123456.log",
            "127.0.0.1:8080",
            "192.168.100.200:65535",
            "from 192.168.100.200 200 1234",
            "255.255.255.255",
            "[::1]:8080 2001:0db8:85a3:0000:0000:8a2e:0370:7334",
            "Chrome/120.0.6099.109 Safari/537.36",
            "550e8400-e29b-41d4-a716-446655440000",
            "12345678-1234-1234-1234-123456789012",
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "ver_01h2xcejqtf2nbrexx3vqjhp41",
            "0x1234567890",
            "abc123456789",
            "20261118T110640Z",
            "1.234567891s",
            "busy=123.456789µs idle=0.123456789 ratio 0.30000000000000004",
            "1234567890123456",
            "1795000000123456789",
            "+84 ••• ••• •67",
            "1,234,567,890",
            "12345\n67890",
        ] {
            assert_eq!(pieces(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn a_long_text_does_not_take_for_ever() {
        for unit in ["a1", "1 ", "1.", "%", "12345678-", "0.0.", "a", "+", "1:", "(", "é", "2026-11-18 "] {
            let text = unit.repeat(1 << 18);
            let start = std::time::Instant::now();
            let _ = find(&text);
            // Time in proportion is well below a second; the square of it would be an hour.
            assert!(start.elapsed().as_secs() < 120, "{unit:?} took {:?}", start.elapsed());
        }
    }

    fn example(region: usize) -> Option<rlibphonenumber::PhoneNumber> {
        let mut regions: Vec<_> = PHONE_NUMBER_UTIL.get_supported_regions().collect();
        regions.sort();
        let region = regions[region % regions.len()];
        PHONE_NUMBER_UTIL.get_example_number_for_type_and_region(region, PhoneNumberType::Mobile).ok()
    }

    fn digits(text: &str) -> usize {
        text.chars().filter(char::is_ascii_digit).count()
    }

    proptest! {
        #[test]
        fn every_spelling_of_a_valid_number_is_found_in_prose(
            region in 0..250usize,
            before in "(\\PC{0,20}[^\\w%+.:/-])?",
            after in "([^\\w%:.+-]\\PC{0,20})?",
            separator in prop::sample::select(vec!["", " ", "-", ".", "\u{a0}", "\u{2011}", " - ", "/", "\u{200b}"]),
        ) {
            let Some(number) = example(region) else { return Ok(()) };
            let strict = number.format_as(PhoneNumberFormat::E164).into_owned();
            let national = number.format_as(PhoneNumberFormat::National).into_owned();
            let international = number.format_as(PhoneNumberFormat::International).into_owned();
            let spellings = [
                strict.clone(),
                strict.replace('+', "00"),
                strict.replace('+', "%2B"),
                international.clone(),
                international.replace(' ', separator),
                national.clone(),
                national.replace(' ', separator),
            ];
            let enough = |s: &&String| digits(s) >= if s.contains('+') { 7 } else { 9 };
            let is_address = |s: &&String| s.parse::<std::net::Ipv4Addr>().is_ok();
            for spelling in spellings.iter().filter(enough).filter(|s| !is_address(s)) {
                let text = format!("{before}{spelling}{after}");
                let inside = before.len()..before.len() + spelling.len();
                let covered = find(&text).iter().any(|found| {
                    let kept = [inside.start..found.start.clamp(inside.start, inside.end), found.end.min(inside.end)..inside.end];
                    found.start < inside.end && kept.into_iter().all(|rest| digits(&text[rest].replace("%2B", "")) == 0)
                });
                prop_assert!(covered, "{:?} in {:?}: {:?}", spelling, text, find(&text));
            }
        }

        #[test]
        fn ids_tokens_hashes_and_times_are_never_caught(
            uuid: [u8; 16], block: [u8; 16], siv: [u8; 28], hash: [u8; 32], millis in 0..4_000_000_000_000i64,
        ) {
            let text = format!(
                "{} {} {} {} {} {} {}",
                uuid::Uuid::from_bytes(uuid),
                crate::ids::from_bytes::<crate::ids::Verification>(uuid),
                Token::vaulted(1, block).as_str(),
                Token::sealed(1, &siv).as_str(),
                data_encoding::HEXLOWER.encode(&hash),
                data_encoding::HEXUPPER.encode(&hash),
                crate::clock::Timestamp::from_millis(millis),
            );
            prop_assert_eq!(pieces(&text), Vec::<&str>::new(), "{}", text);
        }

        #[test]
        fn searching_never_panics_and_stays_on_character_boundaries(text in "\\PC{0,200}|[0-9 +.%():a-f-]{0,200}") {
            for found in find(&text) {
                prop_assert!(text.get(found.start..found.end).is_some_and(|piece| !piece.is_empty()));
            }
        }
    }
}
