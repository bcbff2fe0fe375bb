//! From what people type to a [`PhoneNumber`].
//!
//! Accepted are spaces, dashes, dots, brackets and slashes in any number, `+` or `00` before the country code, national
//! forms with a region, digits of every script, `tel:` URIs (RFC 3966), and marks that do not show. Not accepted are
//! letters, extensions and lists: leaving a part out might reach somebody else. What is refused is neither kept nor
//! told; [`NumberError`] holds nothing of it. Called where numbers come in: the API, carriers, imports.

use zeroize::Zeroizing;

use super::digit::{digit_value, is_invisible, is_plus, is_separator};
use super::fiction::class_in_tests;
use super::metadata::{self, Class};
use super::number::{LineType, PhoneNumber, VirtualNumber};

/// What is accepted, and from where it is seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Whose national form to understand: ISO 3166-1 alpha-2, in either case.
    pub region: Option<String>,
    /// Whether numbers that regulators keep for fiction count as valid: test tenants.
    pub test: bool,
    /// Whether the number is to be called or written to: premium rate, shared cost, universal access and satellite
    /// numbers are refused.
    pub destination: bool,
    /// Whether a certain fixed line is refused. Ranges that fixed and mobile lines share, and unknown ones, are not.
    pub mobile: bool,
}

/// A number that was read.
pub struct Parsed {
    /// The number.
    pub number: PhoneNumber,
    /// ISO 3166-1 alpha-2; `ZZ` for country codes of no country.
    pub country: String,
    /// What kind of line it is.
    pub line_type: LineType,
}

/// Why there is no number. Holds nothing of what was typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NumberError {
    /// Not a number, or one that nobody can have.
    #[error("not a valid phone number")]
    Invalid,
    /// Digits are missing.
    #[error("the phone number is too short")]
    TooShort,
    /// A national form, and no region that would tell its country.
    #[error("a phone number without country code needs a region")]
    RegionRequired,
    /// A fixed line where a mobile one is needed.
    #[error("the phone number is of a fixed line")]
    NotMobile,
    /// Premium rate, shared cost, universal access or satellite, as a destination.
    #[error("phone numbers of this type are not reached")]
    TypeRefused,
}

impl NumberError {
    /// The stable code that problem documents carry.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Invalid => "number_invalid",
            Self::TooShort => "number_too_short",
            Self::RegionRequired => "region_required",
            Self::NotMobile => "number_not_mobile",
            Self::TypeRefused => "number_type_refused",
        }
    }
}

/// Reads a number.
///
/// # Errors
/// [`NumberError`], by what whoever typed it can mend.
pub fn parse(text: &str, rules: &Rules) -> Result<Parsed, NumberError> {
    let typed = Typed::read(text).ok_or(NumberError::Invalid)?;
    let (digits, class) = identify(&typed, rules)?;
    fit(&class, rules.destination, rules.mobile)?;
    let number = PhoneNumber::from_digits(digits).ok_or(NumberError::Invalid)?;
    Ok(Parsed { number, country: class.country, line_type: class.line_type })
}

/// Whether a message may be sent to a number that was read before.
///
/// # Errors
/// As [`parse`] where it reads the destination of a message.
pub fn destination(number: &PhoneNumber) -> Result<(), NumberError> {
    class_in_tests(number.digits()).map_or(Ok(()), |class| fit(&class, true, true))
}

fn fit(class: &Class, destination: bool, mobile: bool) -> Result<(), NumberError> {
    if destination && class.costly {
        return Err(NumberError::TypeRefused);
    }
    if mobile && class.line_type == LineType::FixedLine {
        return Err(NumberError::NotMobile);
    }
    Ok(())
}

/// Country (ISO 3166-1 alpha-2, `ZZ` where there is none) and line type of a number that was read before.
pub fn classify(number: &PhoneNumber) -> (String, LineType) {
    class_in_tests(number.digits())
        .map_or_else(|| ("ZZ".to_owned(), LineType::Unknown), |class| (class.country, class.line_type))
}

/// The country of a pool's number (ISO 3166-1 alpha-2), where the metadata know one.
pub fn region(number: VirtualNumber) -> Option<String> {
    class_in_tests(number.digits()).map(|class| class.country).filter(|country| country != "ZZ")
}

/// Reads a number of a pool: `+` or `00`, then 7 to 15 digits, separated as one likes. Pools may hold numbers that the
/// metadata do not know, so that validity is not asked for.
pub fn parse_virtual(text: &str) -> Option<VirtualNumber> {
    let typed = Typed::read(text)?;
    let digits = typed.international()?;
    let plausible = (7..=15).contains(&digits.len()) && !digits.starts_with('0');
    plausible.then(|| digits.parse().ok().and_then(VirtualNumber::from_digits)).flatten()
}

/// What was typed, down to ASCII digits and whether a plus sign came first.
struct Typed {
    plus: bool,
    digits: Zeroizing<String>,
}

impl Typed {
    fn read(text: &str) -> Option<Self> {
        if text.chars().nth(LONGEST).is_some() {
            return None;
        }
        let text = text.trim_matches(|c: char| c.is_whitespace() || is_invisible(c));
        match text.split_at_checked(4) {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("tel:") => Self::read_uri(rest),
            _ => Self::fold(text.chars()),
        }
    }

    /// What follows `tel:`, RFC 3966 §3: a global number, or a local one whose `phone-context` may be global. Other
    /// parameters do not change who is reached, except an extension.
    fn read_uri(rest: &str) -> Option<Self> {
        let mut parameters = rest.split(';');
        let number = parameters.next()?;
        let mut context = "";
        for parameter in parameters {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            match name.to_ascii_lowercase().as_str() {
                "ext" => return None,
                "phone-context" => context = value,
                _ => {}
            }
        }
        let context = if context.starts_with('+') && !number.starts_with(is_plus) { context } else { "" };
        Self::fold(context.chars().chain(number.chars()))
    }

    fn fold(characters: impl Iterator<Item = char>) -> Option<Self> {
        let mut typed = Self { plus: false, digits: Zeroizing::new(String::with_capacity(LONGEST)) };
        for c in characters {
            if let Some(value) = digit_value(c) {
                typed.digits.push(char::from(b'0' + value));
            } else if is_plus(c) && !typed.plus && typed.digits.is_empty() {
                typed.plus = true;
            } else if !is_separator(c) {
                return None;
            }
        }
        (!typed.digits.is_empty()).then_some(typed)
    }

    /// The digits from the country code on, if the spelling says that there is one.
    fn international(&self) -> Option<&str> {
        if self.plus { Some(&self.digits) } else { self.digits.strip_prefix("00") }
    }
}

fn identify(typed: &Typed, rules: &Rules) -> Result<(u64, Class), NumberError> {
    if typed.plus {
        return international(&typed.digits, rules);
    }
    let region = rules.region.as_deref().and_then(metadata::region);
    let Some(region) = region else {
        return match typed.international() {
            Some(digits) => international(digits, rules),
            None if typed.digits.len() < SHORTEST => Err(NumberError::TooShort),
            None => Err(NumberError::RegionRequired),
        };
    };
    // The region's own reading comes first: where the way out is not `00`, a national number may begin with it.
    let national = metadata::read(&typed.digits, Some(region)).and_then(|digits| known(digits, rules));
    match (national, typed.international()) {
        (Err(_), Some(digits)) => international(digits, rules),
        (national, _) => national,
    }
}

/// Digits after `+`. Strict E.164 needs no parsing; what remains is a trunk prefix or an old form within it.
fn international(digits: &str, rules: &Rules) -> Result<(u64, Class), NumberError> {
    if digits.len() < SHORTEST_ABROAD {
        return Err(NumberError::TooShort);
    }
    let strict = digits.parse().ok().filter(|_| digits.len() <= 15 && !digits.starts_with('0'));
    if let Some(found) = strict.and_then(|digits| known(digits, rules).ok()) {
        return Ok(found);
    }
    let spelling = Zeroizing::new(format!("+{digits}"));
    metadata::read(&spelling, None).and_then(|digits| known(digits, rules))
}

fn known(digits: u64, rules: &Rules) -> Result<(u64, Class), NumberError> {
    let class = if rules.test { class_in_tests(digits) } else { metadata::class(digits) };
    class.map(|class| (digits, class)).ok_or_else(|| metadata::fault(digits))
}

/// The most characters that are looked at: no number of fifteen digits needs more, however it is laid out.
const LONGEST: usize = 64;

/// Fewer digits than this are no national number that only lacks its region.
const SHORTEST: usize = 7;

/// Fewer digits than this are a country code and nothing to speak of after it.
const SHORTEST_ABROAD: usize = 4;

#[cfg(test)]
mod tests;
