//! Fields of forms and queries, in the order in which they came. Wiped when dropped.

use serde_json::Value;
use zeroize::Zeroizing;

use crate::carrier::Refusal;

/// Named values; a name may come several times.
pub(in crate::carrier) struct Fields(Vec<(String, Zeroizing<String>)>);

impl Fields {
    /// What a form or a query spells.
    pub(in crate::carrier) fn parse(text: &[u8]) -> Result<Self, Refusal> {
        let mut fields = Vec::new();
        for (name, value) in form_urlencoded::parse(text) {
            if fields.len() == MOST {
                return Err(Refusal::Malformed("too_many_fields"));
            }
            fields.push((name.into_owned(), Zeroizing::new(value.into_owned())));
        }
        Ok(Self(fields))
    }

    /// The first value of this name that is not empty.
    pub(in crate::carrier) fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(known, value)| *known == name && !value.is_empty()).map(|(_, value)| value)
    }

    /// The same, or else it is no call of this carrier.
    pub(in crate::carrier) fn need(&self, name: &str, fault: &'static str) -> Result<&str, Refusal> {
        self.get(name).ok_or(Refusal::Malformed(fault))
    }

    /// All of them, in order.
    pub(in crate::carrier) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// JSON that a carrier sent. Its strings are wiped by the allocator.
pub(in crate::carrier) fn json(body: &[u8]) -> Result<Value, Refusal> {
    serde_json::from_slice(body).map_err(|_| Refusal::Malformed("no_json"))
}

/// The text at a JSON pointer (RFC 6901); numbers as they are written.
pub(in crate::carrier) fn text_at(value: &Value, pointer: &str) -> Option<Zeroizing<String>> {
    match value.pointer(pointer)? {
        Value::String(text) if !text.is_empty() => Some(Zeroizing::new(text.clone())),
        Value::Number(number) => Some(Zeroizing::new(number.to_string())),
        Value::Bool(is) => Some(Zeroizing::new(is.to_string())),
        _ => None,
    }
}

/// Whether `text` can be a carrier's id of something: short, and of harmless characters.
pub(in crate::carrier) fn is_id(text: &str) -> bool {
    (1..=LONGEST_ID).contains(&text.len()) && text.bytes().all(|octet| matches!(octet, b'!'..=b'~'))
}

/// No carrier sends more.
const MOST: usize = 256;
const LONGEST_ID: usize = 128;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_form_reads_as_browsers_write_it() {
        let fields = Fields::parse(b"From=%2B12025550101&Body=a+b%20%E9%AA%8C&Empty=&From=second").unwrap();
        assert_eq!((fields.get("From"), fields.get("Body")), (Some("+12025550101"), Some("a b 验")));
        assert_eq!((fields.get("Empty"), fields.get("Gone")), (None, None));
        assert_eq!(fields.iter().count(), 4);
        let many = "a=b&".repeat(MOST + 1);
        assert!(matches!(Fields::parse(many.as_bytes()), Err(Refusal::Malformed(_))));
    }

    #[test]
    fn a_pointer_finds_text_and_numbers_and_nothing_else() {
        let value = json(br#"{"a":{"b":["x",7,null,{}]}}"#).unwrap();
        let at = |pointer: &str| text_at(&value, pointer).map(|text| text.to_string());
        assert_eq!((at("/a/b/0"), at("/a/b/1")), (Some("x".into()), Some("7".into())));
        assert_eq!((at("/a/b/2"), at("/a/b/3"), at("/c"), at("a")), (None, None, None, None));
        assert!(json(b"no").is_err());
    }
}
