//! Where a value stands in a call: `/json/pointer`, `field` of a form or of the query, `header:Name`, `body`, or a
//! number that is always the same (`+…`).

use serde_json::Value;
use zeroize::Zeroizing;

use crate::carrier::Callback;
use crate::carrier::http::fields::{Fields, text_at};
use crate::message::{Alphabet, Encoded};

/// A place, read from its description.
pub(super) enum At {
    Pointer(String),
    Field(String),
    Header(String),
    Body,
    Always(String),
}

impl At {
    /// # Errors
    /// What is wrong with it.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        Ok(match text.split_once(':') {
            _ if text.starts_with('/') => Self::Pointer(text.to_owned()),
            _ if text.starts_with('+') => Self::Always(text.to_owned()),
            _ if text == "body" => Self::Body,
            Some(("header", name)) if !name.is_empty() => Self::Header(name.to_ascii_lowercase()),
            None if !text.is_empty() => Self::Field(text.to_owned()),
            _ => return Err("write a JSON pointer, the name of a field, \"header:Name\" or \"body\"".to_owned()),
        })
    }
}

/// What a call holds, by place.
pub(super) struct Content<'a> {
    callback: &'a Callback<'a>,
    json: Option<Value>,
    form: Option<Fields>,
    query: Option<Fields>,
}

impl<'a> Content<'a> {
    pub(super) fn of(callback: &'a Callback<'a>) -> Self {
        let kind = callback.header("content-type").unwrap_or_default().to_ascii_lowercase();
        let form = kind.starts_with("application/x-www-form-urlencoded").then(|| Fields::parse(callback.body).ok());
        Self {
            callback,
            json: serde_json::from_slice(callback.body).ok(),
            form: form.flatten(),
            query: Fields::parse(callback.query.as_bytes()).ok(),
        }
    }

    /// The value at a place, if there is one that is not empty.
    pub(super) fn text(&self, at: &At) -> Option<Zeroizing<String>> {
        let own = |text: &str| Zeroizing::new(text.to_owned());
        match at {
            At::Pointer(pointer) => text_at(self.json.as_ref()?, pointer),
            At::Field(name) => {
                let form = self.form.as_ref().and_then(|form| form.get(name));
                form.or_else(|| self.query.as_ref().and_then(|query| query.get(name))).map(own)
            }
            At::Header(name) => self.callback.header(name).filter(|value| !value.is_empty()).map(own),
            At::Body => self.encoded(at).to_text().ok().filter(|text| !text.is_empty()),
            At::Always(text) => Some(own(text)),
        }
    }

    /// The octets at a place; of a body in the alphabet that its media type names.
    pub(super) fn encoded(&self, at: &At) -> Encoded {
        let At::Body = at else {
            let text = self.text(at).unwrap_or_default();
            return Encoded { alphabet: Alphabet::Utf8, octets: Zeroizing::new(text.as_bytes().to_vec()) };
        };
        let kind = self.callback.header("content-type").unwrap_or_default().to_ascii_lowercase();
        let charset = kind.split_once("charset=").map(|(_, charset)| charset.trim_matches(['"', ' ', ';']));
        let alphabet = match charset {
            _ if kind.starts_with("application/octet-stream") => Alphabet::Binary,
            Some("utf-16be" | "utf-16" | "ucs-2") => Alphabet::Ucs2,
            Some("iso-8859-1" | "latin1" | "windows-1252") => Alphabet::Latin1,
            _ => Alphabet::Utf8,
        };
        Encoded { alphabet, octets: Zeroizing::new(self.callback.body.to_vec()) }
    }
}
