//! What the tenant learns of a message that was carried, as its alias allows. Pure.
//!
//! Nothing, that a code came and how it ends, the code, or the text. A text is shown with a token in the place of every
//! number; what looks like a number and has no token is covered, so that no number is ever among what is disclosed.

use std::ops::Range;

use zeroize::Zeroizing;

use crate::store::Disclose;
use crate::token::Token;

/// A number in a text, and the token that stands for it.
pub(super) struct Stand {
    /// Its bytes in the text.
    pub(super) at: Range<usize>,
    /// None where no number could be made of it.
    pub(super) token: Option<Token>,
}

/// The JSON text that is sealed beside the message; none where there is nothing to tell. `numbers` are those of `text`
/// from left to right, asked for only where the text itself is told.
pub(super) fn compose(wish: Disclose, text: &str, code: Option<&str>, numbers: &[Stand]) -> Option<Zeroizing<String>> {
    match wish {
        Disclose::None => None,
        Disclose::MaskedCode => Some(object("code", &masked(code?))),
        Disclose::Code => Some(object("code", code?)),
        Disclose::Text => Some(object("text", &replaced(text, numbers))),
    }
}

fn object(key: &str, value: &str) -> Zeroizing<String> {
    let mut json = Zeroizing::new(String::with_capacity(value.len() * 6 + key.len() + 8));
    json.push_str("{\"");
    json.push_str(key);
    json.push_str("\":");
    // Worst case every byte is escaped to six, so that nothing is moved and left behind.
    let quoted = Zeroizing::new(serde_json::Value::from(value).to_string());
    json.push_str(&quoted);
    json.push('}');
    json
}

/// Dots of fixed count and the end of the code: two characters, one where more would leave too few to guess.
fn masked(code: &str) -> Zeroizing<String> {
    let shown = if code.chars().count() < FEWEST_FOR_TWO { 1 } else { 2 };
    let hidden = code.chars().count().saturating_sub(shown);
    Zeroizing::new("••••".chars().chain(code.chars().skip(hidden)).collect())
}

fn replaced(text: &str, numbers: &[Stand]) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(text.len() + numbers.len() * TOKEN_ROOM));
    let mut done = 0;
    for Stand { at, token } in numbers {
        out.push_str(text.get(done..at.start).unwrap_or_default());
        out.push_str(token.as_ref().map_or(COVER, Token::as_str));
        done = at.end;
    }
    out.push_str(text.get(done..).unwrap_or_default());
    out
}

/// Stands for what looks like a number and is none.
const COVER: &str = "•••";
/// A code of fewer characters shows only its last one.
const FEWEST_FOR_TWO: usize = 6;
/// Longer than any token.
const TOKEN_ROOM: usize = 160;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn told(wish: Disclose, text: &str, code: Option<&str>, numbers: &[Stand]) -> Option<String> {
        compose(wish, text, code, numbers).map(|json| json.to_string())
    }

    #[test]
    fn each_wish_tells_its_own_and_no_more() {
        let text = "Your code is 178738";
        assert_eq!(told(Disclose::None, text, Some("178738"), &[]), None);
        assert_eq!(told(Disclose::MaskedCode, text, Some("178738"), &[]).unwrap(), r#"{"code":"••••38"}"#);
        assert_eq!(told(Disclose::Code, text, Some("178738"), &[]).unwrap(), r#"{"code":"178738"}"#);
        assert_eq!(told(Disclose::Text, text, Some("178738"), &[]).unwrap(), r#"{"text":"Your code is 178738"}"#);
    }

    #[test]
    fn without_a_code_there_is_nothing_to_tell_of_it() {
        assert_eq!(told(Disclose::MaskedCode, "hello", None, &[]), None);
        assert_eq!(told(Disclose::Code, "hello", None, &[]), None);
    }

    #[test]
    fn a_short_code_keeps_most_of_itself() {
        assert_eq!(told(Disclose::MaskedCode, "", Some("1234"), &[]).unwrap(), r#"{"code":"••••4"}"#);
        assert_eq!(told(Disclose::MaskedCode, "", Some("A1B2C3"), &[]).unwrap(), r#"{"code":"••••C3"}"#);
    }

    #[test]
    fn a_number_in_a_text_is_a_token_or_covered() {
        let text = "call +44 7700 900123 or 12345678901 “now”\n";
        let numbers = [Stand { at: 5..20, token: None }, Stand { at: 24..35, token: None }];
        assert_eq!(told(Disclose::Text, text, None, &numbers).unwrap(), "{\"text\":\"call ••• or ••• “now”\\n\"}");
    }
}
