//! Field types that several requests share: what people type, objects that are objects, values told from known ones.
//!
//! Pure reading; refusals carry the field's name and nothing of its value.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

use super::code::Code;
use super::problem::Problem;
use crate::event::Mode;
use crate::guard::{self, Label, LabelError};
use crate::ids::ApprovalId;
use crate::phone::{self, VirtualNumber};
use crate::token::{Token, TokenError};

/// Longest texts of clients: `reference`, `user_ref`, names.
const TEXT_MAX: usize = 256;
/// Longest `metadata`, as JSON.
const METADATA_MAX: usize = 4_096;

/// Something typed where a number may stand. Wiped when dropped; shown nowhere.
pub struct Typed(Zeroizing<String>);

impl Typed {
    /// The text, for the parser of numbers or tokens.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text itself.
    pub fn into_text(self) -> Zeroizing<String> {
        self.0
    }
}

impl<'de> Deserialize<'de> for Typed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Zeroizing::new(text)))
    }
}

/// A struct that has to be written as a JSON object: serde itself would also take a list of its fields' values.
#[derive(Debug)]
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData))
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = Object<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Object)
    }
}

/// Reads a number that somebody typed; test tenants may also use numbers reserved for fiction.
pub fn number(typed: &Typed, region: Option<&str>, mode: Mode, destination: bool) -> Result<phone::Parsed, Problem> {
    let rules =
        phone::Rules { region: region.map(str::to_owned), test: mode == Mode::Test, destination, mobile: destination };
    phone::parse(typed.as_str(), &rules).map_err(|error| Problem::refused(error.code()))
}

/// Reads a token; one that was mistyped is told from one that is unknown. A path spells a lookalike's plus `%2B`, which
/// the router leaves as it is.
pub fn token(text: &str) -> Result<Token, Problem> {
    let spelled = text.strip_prefix("%2B").or_else(|| text.strip_prefix("%2b")).map(|digits| format!("+{digits}"));
    Token::parse(spelled.as_deref().unwrap_or(text)).map_err(|error| {
        Problem::new(match error {
            TokenError::Malformed => Code::TokenMalformed,
            TokenError::Checksum => Code::TokenMistyped,
        })
    })
}

/// Reads an id in a path or field; what is no id at all is not found either.
pub fn id<T: std::str::FromStr>(text: &str) -> Result<T, Problem> {
    text.parse().map_err(|_| Problem::new(Code::NotFound))
}

/// A life in seconds, within `range`.
pub fn seconds(
    field: &'static str,
    value: Option<u64>,
    range: std::ops::RangeInclusive<u64>,
) -> Result<Option<Duration>, Problem> {
    match value {
        Some(seconds) if !range.contains(&seconds) => Err(Problem::at(Code::InvalidField, field)),
        value => Ok(value.map(Duration::from_secs)),
    }
}

/// A short text of the client: one visible line, at most 256 characters, without a phone number.
pub fn text(field: &'static str, value: &str) -> Result<(), Problem> {
    Label::up_to(TEXT_MAX).check(value).map_err(|error| label(field, error))
}

/// The same for a text that may be absent.
pub fn optional_text(field: &'static str, value: Option<&str>) -> Result<(), Problem> {
    value.map_or(Ok(()), |value| text(field, value))
}

fn label(field: &'static str, error: LabelError) -> Problem {
    match error {
        LabelError::Number => Problem::at(Code::NumberInText, field),
        LabelError::Empty | LabelError::TooLong | LabelError::Unprintable => Problem::at(Code::InvalidField, field),
    }
}

/// The client's own JSON object: at most 4 KB and free of phone numbers, also in its keys.
pub fn metadata(value: Option<&serde_json::Map<String, serde_json::Value>>) -> Result<Option<String>, Problem> {
    let Some(value) = value else { return Ok(None) };
    let text = serde_json::to_string(value).map_err(Problem::internal)?;
    if text.len() > METADATA_MAX {
        return Err(Problem::at(Code::InvalidField, "metadata"));
    }
    if guard::number_in_text(&text) {
        return Err(Problem::at(Code::NumberInText, "metadata"));
    }
    Ok(Some(text))
}

/// Refuses a field that the contract has but this version cannot honour, if it is given.
pub fn unsupported<T>(field: &'static str, value: Option<&T>) -> Result<(), Problem> {
    value.map_or(Ok(()), |_| Err(Problem::at(Code::UnsupportedValue, field)))
}

/// An ISO 3166-1 alpha-2 code as typed: two ASCII letters, any case.
pub fn region(field: &'static str, value: Option<&str>) -> Result<Option<String>, Problem> {
    match value {
        Some(code) if code.len() == 2 && code.bytes().all(|b| b.is_ascii_alphabetic()) => {
            Ok(Some(code.to_ascii_uppercase()))
        }
        Some(_) => Err(Problem::at(Code::InvalidField, field)),
        None => Ok(None),
    }
}

/// A pool's number, or one that might be. In a query `+` reads as a space, so a space counts as one; in a path `%2B` does.
pub fn virtual_number(field: &'static str, text: &str) -> Result<VirtualNumber, Problem> {
    phone::parse_virtual(&plus(text)).ok_or_else(|| Problem::at(Code::InvalidField, field))
}

/// `text` with the plus that a query's decoding took away, or that a path spells.
pub fn plus(text: &str) -> std::borrow::Cow<'_, str> {
    match text.strip_prefix(' ').or_else(|| text.strip_prefix("%2B")).or_else(|| text.strip_prefix("%2b")) {
        Some(digits) => format!("+{digits}").into(),
        None => text.into(),
    }
}

/// Tells a field that is null from one that is absent.
pub fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(deserializer).map(Some)
}

/// The id after which a page begins.
pub fn after<T: std::str::FromStr>(text: Option<&str>) -> Result<Option<T>, Problem> {
    text.map(|text| text.parse().map_err(|_| Problem::at(Code::InvalidField, "after"))).transpose()
}

/// The approval that a request brings; what is none at all is not found either.
pub fn approval(text: Option<&str>) -> Result<Option<ApprovalId>, Problem> {
    text.map(id).transpose()
}

/// Writes a secret text into an answer that is meant to show it.
pub fn shown<S: serde::Serializer>(text: &Zeroizing<String>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}

/// Writes a secret text that an answer may be meant to show.
pub fn maybe_shown<S: serde::Serializer>(text: &Option<Zeroizing<String>>, serializer: S) -> Result<S::Ok, S::Error> {
    match text {
        Some(text) => serializer.serialize_some(text.as_str()),
        None => serializer.serialize_none(),
    }
}

/// A limit as a count of items in memory.
pub fn count(limit: u32) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

impl From<&str> for Typed {
    fn from(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }
}
