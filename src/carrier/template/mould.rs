//! Texts with placeholders: `{to}`, `{to_digits}`, `{from}`, `{from_digits}`, `{text}`, `{coding}`, `{id}`, `{life_s}`,
//! `{life_min}`, and the names of the settings' own secrets. `{{` and `}}` stand for one brace.
//!
//! Pure. A mould knows the place it is for, and escapes what it is filled with for that place: nothing that a person
//! wrote can end a parameter, a string or a header.

use std::borrow::Cow;
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use zeroize::Zeroizing;

use crate::message::{self, Alphabet};

/// A text with placeholders.
pub(super) struct Mould(Vec<Piece>);

enum Piece {
    Text(Zeroizing<String>),
    Hole(Hole),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Hole {
    To,
    ToDigits,
    From,
    FromDigits,
    Text,
    Coding,
    Id,
    LifeSeconds,
    LifeMinutes,
}

/// What a mould is filled with.
pub(super) struct Filling<'a> {
    pub(super) to: &'a str,
    pub(super) from: &'a str,
    pub(super) text: &'a str,
    pub(super) id: &'a str,
    /// How long the message is of use.
    pub(super) life: Duration,
}

/// Where a filled text stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Between the marks of a URL.
    Url,
    /// In a string of JSON or a value of a form, which are escaped as a whole later.
    Whole,
    /// In a header: only what cannot hold a line's end.
    Header,
}

impl Mould {
    /// Reads a template. Secrets are filled in at once.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn read(text: &str, place: Place, secrets: &[(String, crate::config::Hidden)]) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut plain = Zeroizing::new(String::new());
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, marked) = rest.split_at(at);
            plain.push_str(before);
            if let Some(after) = marked.strip_prefix("{{").or_else(|| marked.strip_prefix("}}")) {
                plain.push_str(marked.get(..1).unwrap_or_default());
                rest = after;
                continue;
            }
            let named = marked.strip_prefix('{').and_then(|inner| inner.split_once('}'));
            let (name, after) = named.ok_or("has a brace without its other; write {{ or }} for a brace itself")?;
            match secrets.iter().find(|(known, _)| known == name) {
                Some((_, secret)) => plain.push_str(&escaped(&secret.0, place)),
                None => {
                    pieces.push(Piece::Text(std::mem::take(&mut plain)));
                    pieces.push(Piece::Hole(Hole::named(name, place)?));
                }
            }
            rest = after;
        }
        plain.push_str(rest);
        pieces.push(Piece::Text(plain));
        Ok(Self(pieces))
    }

    /// The text, filled.
    pub(super) fn filled(&self, filling: &Filling<'_>, place: Place) -> Zeroizing<String> {
        let mut out = Zeroizing::new(String::with_capacity(64 + 3 * filling.text.len()));
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Hole(hole) => out.push_str(&escaped(&hole.value(filling), place)),
            }
        }
        out
    }
}

impl Hole {
    fn named(name: &str, place: Place) -> Result<Self, String> {
        let hole = match name {
            "to" => Self::To,
            "to_digits" => Self::ToDigits,
            "from" => Self::From,
            "from_digits" => Self::FromDigits,
            "text" => Self::Text,
            "coding" => Self::Coding,
            "id" => Self::Id,
            "life_s" => Self::LifeSeconds,
            "life_min" => Self::LifeMinutes,
            _ => return Err(format!("knows no {{{name}}}; name it in [carriers.secrets] or use: {KNOWN}")),
        };
        if place == Place::Header && hole != Self::Id {
            return Err("may hold {id} and secrets only: headers are logged by many".to_owned());
        }
        Ok(hole)
    }

    fn value<'a>(self, filling: &Filling<'a>) -> Cow<'a, str> {
        let life = filling.life.as_secs().max(1);
        Cow::Borrowed(match self {
            Self::To => filling.to,
            Self::ToDigits => filling.to.trim_start_matches('+'),
            Self::From => filling.from,
            Self::FromDigits => filling.from.trim_start_matches('+'),
            Self::Text => filling.text,
            Self::Coding => coding(filling.text),
            Self::Id => filling.id,
            Self::LifeSeconds => return life.to_string().into(),
            Self::LifeMinutes => return life.div_ceil(60).to_string().into(),
        })
    }
}

/// What a text is sent as: `0` if the GSM alphabet has all of it, else `2`, UCS-2.
fn coding(text: &str) -> &'static str {
    let parts = message::segments(text, Alphabet::Gsm7, 0);
    let is_gsm7 = parts.is_ok_and(|parts| parts.iter().all(|part| part.alphabet == Alphabet::Gsm7));
    if is_gsm7 { "0" } else { "2" }
}

fn escaped(text: &str, place: Place) -> Zeroizing<String> {
    Zeroizing::new(match place {
        Place::Url => utf8_percent_encode(text, RESERVED).to_string(),
        Place::Whole | Place::Header => text.to_owned(),
    })
}

/// All but the unreserved characters of RFC 3986 §2.3.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const KNOWN: &str = "{to} {to_digits} {from} {from_digits} {text} {coding} {id} {life_s} {life_min}";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config::Hidden;

    const FILLING: Filling<'static> = Filling {
        to: "+12025550101",
        from: "Shop & Co",
        text: "50% \"off\"\r\n验&x=1",
        id: "7",
        life: Duration::from_secs(61),
    };

    fn filled(text: &str, place: Place) -> String {
        let secrets = [("key".to_owned(), Hidden(Zeroizing::new("s&=cret".to_owned())))];
        Mould::read(text, place, &secrets).map(|mould| mould.filled(&FILLING, place).to_string()).unwrap_or_else(|e| e)
    }

    #[test]
    fn in_a_url_nothing_ends_its_parameter() {
        let url = "http://127.0.0.1/send?to={to}&d={to_digits}&from={from}&text={text}&p={key}&c={coding}#{{{id}}}";
        assert_eq!(
            filled(url, Place::Url),
            "http://127.0.0.1/send?to=%2B12025550101&d=12025550101&from=Shop%20%26%20Co&\
             text=50%25%20%22off%22%0D%0A%E9%AA%8C%26x%3D1&p=s%26%3Dcret&c=2#{7}"
        );
    }

    #[test]
    fn a_header_takes_secrets_and_the_id_only() {
        assert_eq!(filled("Bearer {key}/{id}", Place::Header), "Bearer s&=cret/7");
        assert!(filled("{text}", Place::Header).starts_with("may hold"));
        assert!(filled("{to}", Place::Header).starts_with("may hold"));
    }

    #[test]
    fn what_is_no_placeholder_is_refused() {
        for (text, fault) in
            [("{tp}", "knows no {tp}"), ("{to", "has a brace"), ("to}", "has a brace"), ("{", "has a brace")]
        {
            assert!(filled(text, Place::Whole).starts_with(fault), "{text}");
        }
        assert_eq!(filled("{life_s} {life_min}", Place::Whole), "61 2");
        assert_eq!(filled("{{to}}", Place::Whole), "{to}");
        assert_eq!(filled("{text}", Place::Whole), FILLING.text);
    }
}
