//! What `parse` reads, refuses and says.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::phone::Door;

fn from(region: &str) -> Rules {
    Rules { region: Some(region.to_owned()), ..Rules::default() }
}

fn read(text: &str, rules: &Rules) -> Result<String, NumberError> {
    parse(text, rules).map(|parsed| parsed.number.expose(Door::Reveal).to_string())
}

#[test]
fn reads_what_people_type() {
    for text in [
        "+84901234567",
        "+84 90 123 45 67",
        "+84-90-123-45-67",
        "+84.90.123.45.67",
        "+84 (90) 123/45/67",
        "(+84) 90 123 45 67",
        "+84 (0) 90 123 45 67",
        "+84090 123 45 67",
        "  \u{200e}+84\u{a0}90\u{2011}123\u{2013}45\u{202f}67\u{200f}\n",
        "\u{202a}+84 90 123 45 67\u{202c}",
        "＋８４ ９０ １２３ ４５ ６７",
        "+٨٤ ٩٠ ١٢٣ ٤٥ ٦٧",
        "+८४ ९० १२३ ४५ ६७",
        "0084 90 123 45 67",
        "٠٠٨٤ ٩٠ ١٢٣ ٤٥ ٦٧",
        "tel:+84-90-123-45-67",
        "TEL:+84901234567;npdi;isub=1",
        "tel:901234567;phone-context=+84",
        "tel:0901234567;Phone-Context=+84",
    ] {
        assert_eq!(read(text, &Rules::default()), Ok("+84901234567".to_owned()), "{text}");
        assert_eq!(read(text, &from("VN")), Ok("+84901234567".to_owned()), "{text} from VN");
        assert_eq!(read(text, &from("US")), Ok("+84901234567".to_owned()), "{text} from US");
    }
}

#[test]
fn reads_national_forms_from_their_region() {
    for (text, region, expected) in [
        ("090 123 45 67", "VN", "+84901234567"),
        ("90 123 45 67", "vn", "+84901234567"),
        ("84901234567", "VN", "+84901234567"),
        ("tel:0901234567;phone-context=example.vn", "VN", "+84901234567"),
        ("(202) 555-0103", "US", "+12025550103"),
        ("1-202-555-0103", "US", "+12025550103"),
        ("011 84 90 123 45 67", "US", "+84901234567"),
        ("06 12 34 56 78", "FR", "+33612345678"),
        ("06 12345678", "IT", "+390612345678"),
        ("138 0013 8000", "CN", "+8613800138000"),
        ("0７700 900123", "GB", "+447700900123"),
    ] {
        let rules = Rules { test: true, ..from(region) };
        assert_eq!(read(text, &rules), Ok(expected.to_owned()), "{text}");
    }
}

#[test]
fn a_leading_zero_of_the_national_number_is_kept() {
    let parsed = parse("+39 06 12345678", &Rules::default()).ok().unwrap();
    assert_eq!((parsed.country.as_str(), parsed.line_type), ("IT", LineType::FixedLine));
    assert_eq!(*parsed.number.expose(Door::Reveal), "+390612345678");
}

#[test]
fn tells_country_and_line_type() {
    for (text, country, line_type) in [
        ("+84901234567", "VN", LineType::Mobile),
        ("+12025550103", "US", LineType::FixedLineOrMobile),
        ("+14165550103", "CA", LineType::FixedLineOrMobile),
        ("+442083661177", "GB", LineType::FixedLine),
        ("+80012345678", "ZZ", LineType::Other),
    ] {
        let parsed = parse(text, &Rules::default()).ok().unwrap();
        assert_eq!((parsed.country.as_str(), parsed.line_type), (country, line_type), "{text}");
        assert_eq!(classify(&parsed.number), (country.to_owned(), line_type), "{text}");
    }
}

#[test]
fn says_what_is_wrong() {
    use NumberError::{Invalid, RegionRequired, TooShort};
    for (text, region, expected) in [
        ("", None, Invalid),
        ("   ", None, Invalid),
        ("+", None, Invalid),
        ("abc", Some("VN"), Invalid),
        ("+84 90 123 45 67 ext. 5", None, Invalid),
        ("tel:+84901234567;ext=5", None, Invalid),
        ("+84 90 123 45 67, +84 90 123 45 68", None, Invalid),
        ("+84 90 123 45 67\n+84 90 123 45 68", None, Invalid),
        ("84+901234567", None, Invalid),
        ("++84901234567", None, Invalid),
        ("+999 1234 5678", None, Invalid),
        ("+0901234567", Some("VN"), Invalid),
        ("+84 90 123 45 67 89 01", None, Invalid),
        ("+1234567890123456789012345", None, Invalid),
        ("+84 90 123", None, TooShort),
        ("+84", None, TooShort),
        ("12", Some("VN"), TooShort),
        ("901 23", None, TooShort),
        ("090 123 45 67", None, RegionRequired),
        ("090 123 45 67", Some("XX"), RegionRequired),
        ("090 123 45 67", Some("001"), RegionRequired),
        ("090 123 45 67", Some("Việt Nam"), RegionRequired),
        ("tel:0901234567;phone-context=example.vn", None, RegionRequired),
    ] {
        let rules = Rules { region: region.map(str::to_owned), ..Rules::default() };
        assert_eq!(read(text, &rules), Err(expected), "{text} {region:?}");
    }
}

#[test]
fn more_than_64_characters_are_not_looked_at() {
    let padded = |spaces: usize| format!("+84{}901234567", " ".repeat(spaces));
    assert!(read(&padded(52), &Rules::default()).is_ok());
    assert_eq!(read(&padded(53), &Rules::default()), Err(NumberError::Invalid));
    assert_eq!(read(&"9".repeat(1_000_000), &Rules::default()), Err(NumberError::Invalid));
}

#[test]
fn fiction_is_valid_in_tests_only() {
    let test = Rules { test: true, ..Rules::default() };
    assert_eq!(read("+44 7700 900123", &Rules::default()), Err(NumberError::Invalid));
    let parsed = parse("+44 7700 900123", &test).ok().unwrap();
    assert_eq!((parsed.country.as_str(), parsed.line_type), ("GB", LineType::Mobile));
    assert_eq!(classify(&parsed.number), ("GB".to_owned(), LineType::Mobile));
    assert!(read("+44 (0) 7700 900 123", &test).is_ok());
    assert!(read("+1 202 555 0199", &test).is_ok());
    assert!(read("+44 7700 90012", &test).is_err());
}

#[test]
fn costly_numbers_are_no_destinations() {
    let destination = Rules { destination: true, ..Rules::default() };
    for text in [
        "+44 909 8790000",
        "+1 900 234 5678",
        "+44 3069 990000",
        "+870 301 234 567",
        "+881 612 345 678",
        "+882 3421234",
        "+883 510 012 345",
        "+979 123 456 789",
    ] {
        assert!(parse(text, &Rules::default()).is_ok(), "{text}");
        assert_eq!(read(text, &destination), Err(NumberError::TypeRefused), "{text}");
    }
    assert!(read("+84901234567", &destination).is_ok());
}

#[test]
fn only_certain_fixed_lines_are_not_mobile() {
    let mobile = Rules { mobile: true, ..Rules::default() };
    assert_eq!(read("+44 20 8366 1177", &mobile), Err(NumberError::NotMobile));
    assert!(read("+1 202 555 0103", &mobile).is_ok());
    assert!(read("+84901234567", &mobile).is_ok());
}

#[test]
fn errors_have_stable_codes() {
    use NumberError::{Invalid, NotMobile, RegionRequired, TooShort, TypeRefused};
    let codes = [Invalid, TooShort, RegionRequired, NotMobile, TypeRefused].map(|error| error.code());
    let expected =
        ["number_invalid", "number_too_short", "region_required", "number_not_mobile", "number_type_refused"];
    assert_eq!(codes, expected);
}

#[test]
fn pool_numbers_need_a_country_code_but_no_validity() {
    let x = VirtualNumber::from_digits(15_550_100).unwrap();
    for text in ["+15550100", "+1 555 0100", "001-555-0100", "tel:+1-555-0100"] {
        assert_eq!(parse_virtual(text), Some(x), "{text}");
    }
    for text in ["15550100", "+0155501000", "+155501", "+1555010000000000", "+1555x0100", ""] {
        assert_eq!(parse_virtual(text), None, "{text}");
    }
}

fn numbers() -> impl Strategy<Value = u64> {
    prop_oneof![
        (0..10_000_000u64).prop_map(|n| 84_900_000_000 + n),
        (200..1000u64, 0..100u64).prop_map(|(area, n)| 10_005_550_100 + area * 10_000_000 + n),
        (0..1000u64).prop_map(|n| 447_700_900_000 + n),
        (0..100_000_000u64).prop_map(|n| 8_613_800_000_000 + n),
    ]
}

fn digit_in(script: u32, digit: char) -> char {
    let zero = [0x30, 0x660, 0x6f0, 0x966, 0xff10, 0x1d7ce].get(script as usize).copied().unwrap_or(0x30);
    char::from_u32(zero + digit.to_digit(10).unwrap()).unwrap()
}

proptest! {
    #[test]
    fn parsing_never_panics(text in ".{0,70}", region in "[A-Za-z]{2}|.{0,3}") {
        let rules = Rules { region: Some(region), test: true, destination: true, mobile: true };
        let _ = parse(&text, &rules);
        let _ = parse_virtual(&text);
    }

    #[test]
    fn parsing_what_looks_like_a_number_never_panics(text in "(tel:)?\\+?[0-9٠-٩ ()./;=+-]{0,40}", region in "[A-Z]{2}") {
        let rules = Rules { region: Some(region), test: true, ..Rules::default() };
        let _ = parse(&text, &rules);
        let _ = parse_virtual(&text);
    }

    #[test]
    fn all_spellings_of_a_number_are_one_number(
        number in numbers(),
        prefix in prop::sample::select(vec!["+", "00", "＋", "tel:+", " +", "\u{200e}+"]),
        between in prop::collection::vec("|||[ .\\-]|\u{a0}|\u{2011}| - |\u{200b}|\u{2060}", 15),
        script in 0..6u32,
    ) {
        let rules = Rules { test: true, ..Rules::default() };
        let strict = read(&format!("+{number}"), &rules);
        let mut spelled = prefix.to_owned();
        for (digit, between) in number.to_string().chars().zip(between) {
            spelled.push(digit_in(script, digit));
            spelled.push_str(&between);
        }
        prop_assume!(spelled.chars().count() <= LONGEST);
        prop_assert_eq!(&read(&spelled, &rules), &strict, "{}", spelled);
    }

    #[test]
    fn what_was_read_is_read_again(number in numbers()) {
        let rules = Rules { test: true, ..Rules::default() };
        if let Ok(text) = read(&format!("+{number}"), &rules) {
            prop_assert_eq!(read(&text, &rules), Ok(text.clone()));
        }
    }
}
