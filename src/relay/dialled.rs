//! The extension that a text to a shared number begins with. Pure.
//!
//! `1234: hello` names an extension wherever it stands. `1234 hello` does so only for somebody who is in no
//! conversation yet: whoever is may begin a text with a house number or a year, and it must not reach somebody else.

use crate::phone::digit_value;

/// A text that begins with an extension.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Dialled<'a> {
    /// One to eight ASCII digits.
    pub(super) extension: String,
    /// Whether a colon follows, which leaves no doubt.
    pub(super) certain: bool,
    /// What is to be carried.
    pub(super) text: &'a str,
}

/// Reads the extension before a text; digits of any script count.
pub(super) fn read(text: &str) -> Option<Dialled<'_>> {
    let text = text.trim_start();
    let mut extension = String::with_capacity(LONGEST);
    let mut rest = text;
    while let Some((digit, after)) = leading_digit(rest) {
        if extension.len() == LONGEST {
            return None;
        }
        extension.push(char::from(b'0' + digit));
        rest = after;
    }
    if extension.is_empty() {
        return None;
    }
    let spaced = rest.trim_start();
    if let Some(text) = spaced.strip_prefix([':', '：', '︰', '﹕']) {
        return Some(Dialled { extension, certain: true, text: text.trim_start() });
    }
    let is_apart = rest.is_empty() || spaced.len() < rest.len();
    is_apart.then_some(Dialled { extension, certain: false, text: spaced })
}

fn leading_digit(text: &str) -> Option<(u8, &str)> {
    let mut chars = text.chars();
    let digit = digit_value(chars.next()?)?;
    Some((digit, chars.as_str()))
}

/// Digits of an extension at the most.
const LONGEST: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(text: &str) -> Option<(String, bool, &str)> {
        read(text).map(|Dialled { extension, certain, text }| (extension, certain, text))
    }

    #[test]
    fn an_extension_stands_before_a_colon_or_a_space() {
        assert_eq!(seen("1234: hello"), Some(("1234".into(), true, "hello")));
        assert_eq!(seen(" 1234:hello\nthere"), Some(("1234".into(), true, "hello\nthere")));
        assert_eq!(seen("1234 : hello"), Some(("1234".into(), true, "hello")));
        assert_eq!(seen("1234 hello"), Some(("1234".into(), false, "hello")));
        assert_eq!(seen("1234\nhello"), Some(("1234".into(), false, "hello")));
        assert_eq!(seen("1234"), Some(("1234".into(), false, "")));
        assert_eq!(seen("0042: hello"), Some(("0042".into(), true, "hello")), "zeros in front count");
    }

    #[test]
    fn any_script_writes_digits_and_colons() {
        assert_eq!(seen("١٢٣٤: مرحبا"), Some(("1234".into(), true, "مرحبا")));
        assert_eq!(seen("１２３４：你好"), Some(("1234".into(), true, "你好")));
    }

    #[test]
    fn other_texts_name_none() {
        for text in ["", "hello", "12.30 at the gate", "123456789: hello", "1234hello", "ext 1234", ": hello", "5pm"] {
            assert_eq!(seen(text), None, "{text}");
        }
    }
}
