//! What libphonenumber's metadata say of a number. The only file that names the crate.
//!
//! Numbers go in and come out as the integer that their E.164 digits spell; the crate's own type, which is not wiped
//! and can be shown, does not leave this file.

use rlibphonenumber::{PHONE_NUMBER_UTIL, ParseError, PhoneNumber, PhoneNumberType, Region, ValidationError};
use zeroize::{Zeroize, Zeroizing};

use super::number::LineType;
use super::parse::NumberError;

/// Where and what an assigned number is.
pub(super) struct Class {
    /// ISO 3166-1 alpha-2; `ZZ`, which ISO leaves to users, for country codes of no country (+800, +881 …).
    pub(super) country: String,
    pub(super) line_type: LineType,
    /// Premium rate, shared cost, universal access or satellite: never a destination.
    pub(super) costly: bool,
}

/// The region that `code` names, in either case, if numbers of it are known.
pub(super) fn region(code: &str) -> Option<Region> {
    let region = Region::from_code(code).ok()?;
    PHONE_NUMBER_UTIL.get_supported_regions().any(|known| known == region).then_some(region)
}

/// The regions whose numbers begin with this country code.
pub(super) fn regions(country_code: u16) -> impl Iterator<Item = String> {
    let regions = PHONE_NUMBER_UTIL.get_regions_for_country_calling_code(country_code.into());
    regions.into_iter().flatten().map(|region| country(Some(region)))
}

/// The region that most numbers of a country code are in, if it is a country's.
pub(super) fn main_region(country_code: u16) -> Option<String> {
    let region = PHONE_NUMBER_UTIL.get_region_for_country_code(country_code.into())?;
    (region != Region::World).then(|| country(Some(region)))
}

/// The class of the number that `digits` spells, if the metadata know it as valid.
pub(super) fn class(digits: u64) -> Option<Class> {
    let number = Wiped(assembled(&Split::of(digits)?));
    let kind = number.0.get_type();
    if kind == PhoneNumberType::Unknown {
        return None;
    }
    let costly = matches!(kind, PhoneNumberType::PremiumRate | PhoneNumberType::SharedCost | PhoneNumberType::UAN)
        || SATELLITE.contains(&number.0.country_code);
    Some(Class { country: country(number.0.get_region_code()), line_type: line_type(kind), costly })
}

/// The E.164 digits of a spelling in ASCII digits with or without `+`, seen from `region`; not validated.
pub(super) fn read(spelling: &str, region: Option<Region>) -> Result<u64, NumberError> {
    let number = Wiped(PhoneNumber::parse(spelling, region).map_err(|error| match error {
        ParseError::TooShortNsn | ParseError::TooShortAfterIdd => NumberError::TooShort,
        ParseError::InvalidCountryCode | ParseError::NotANumber(_) | ParseError::TooLongNsn => NumberError::Invalid,
    })?);
    let national = Zeroizing::new(number.0.get_national_significant_number());
    let digits = Zeroizing::new(format!("{}{}", number.0.country_code, *national));
    digits.parse().map_err(|_| NumberError::Invalid)
}

/// Why the metadata do not know the number that `digits` spells as valid.
pub(super) fn fault(digits: u64) -> NumberError {
    let Some(split) = Split::of(digits) else { return NumberError::Invalid };
    match Wiped(assembled(&split)).0.is_possible_with_reason() {
        Err(ValidationError::TooShort) | Ok(rlibphonenumber::NumberLengthType::IsPossibleLocalOnly) => {
            NumberError::TooShort
        }
        _ => NumberError::Invalid,
    }
}

/// A number cut after its country code (ITU-T E.164 §6.2: one to three digits, none the beginning of another).
pub(super) struct Split {
    pub(super) country_code: u16,
    pub(super) national: Zeroizing<String>,
}

impl Split {
    /// Cuts the number that `digits` spells, if it begins with an assigned country code.
    pub(super) fn of(digits: u64) -> Option<Self> {
        let all = Zeroizing::new(digits.to_string());
        (1..=3).find_map(|length| {
            let (code, national) = all.split_at_checked(length)?;
            let country_code: u16 = code.parse().ok()?;
            PHONE_NUMBER_UTIL.get_region_for_country_code(country_code.into())?;
            Some(Self { country_code, national: Zeroizing::new(national.to_owned()) })
        })
    }
}

/// The crate's type, wiped as far as its fields allow.
struct Wiped(PhoneNumber);

impl Drop for Wiped {
    fn drop(&mut self) {
        self.0.national_number.zeroize();
        self.0.extension.zeroize();
    }
}

/// Leading zeros of a national number are kept apart by the crate (`italian_leading_zero`).
fn assembled(split: &Split) -> PhoneNumber {
    let zeros = split.national.bytes().take(split.national.len().saturating_sub(1)).take_while(|b| *b == b'0').count();
    PhoneNumber {
        country_code: split.country_code.into(),
        national_number: split.national.parse().unwrap_or(0),
        italian_leading_zero: (zeros > 0).then_some(true),
        number_of_leading_zeros: (zeros > 1).then(|| i32::try_from(zeros).unwrap_or(i32::MAX)),
        ..PhoneNumber::default()
    }
}

fn country(region: Option<Region>) -> String {
    match region {
        None | Some(Region::World) => "ZZ".to_owned(),
        Some(region) => region.as_region_str().as_str().to_owned(),
    }
}

fn line_type(kind: PhoneNumberType) -> LineType {
    match kind {
        PhoneNumberType::Mobile => LineType::Mobile,
        PhoneNumberType::FixedLine => LineType::FixedLine,
        PhoneNumberType::FixedLineOrMobile => LineType::FixedLineOrMobile,
        PhoneNumberType::Unknown => LineType::Unknown,
        _ => LineType::Other,
    }
}

/// Inmarsat, the global mobile satellite system, and international networks (ITU-T E.164, list of country codes).
const SATELLITE: [i32; 4] = [870, 881, 882, 883];
