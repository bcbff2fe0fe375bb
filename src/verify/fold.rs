//! What a person typed, brought to the form in which codes are derived: ASCII digits and upper-case letters. Pure.

use zeroize::Zeroizing;

use crate::guard::is_unprintable;
use crate::phone::digit_value;

/// The answer without spaces and dashes, other scripts' digits and full-width letters in ASCII, letters upper-cased.
///
/// None if what is left cannot be any code: nothing, too much, or another character.
pub(super) fn fold(answer: &str) -> Option<Zeroizing<String>> {
    if answer.len() > LONGEST_INPUT {
        return None;
    }
    // As long as it can get, so that the text is never moved and left behind.
    let mut folded = Zeroizing::new(String::with_capacity(LONGEST_INPUT));
    for c in answer.chars().filter(|c| !is_filler(*c)) {
        folded.push(ascii(c)?);
    }
    (1..=LONGEST_CODE).contains(&folded.len()).then_some(folded)
}

/// Spaces, dashes (Unicode category Pd and the minus sign) and what cannot be seen.
fn is_filler(c: char) -> bool {
    c.is_whitespace()
        || is_unprintable(c)
        || matches!(c, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{FE58}' | '\u{FE63}' | '\u{FF0D}')
        || matches!(c, '\u{58A}' | '\u{5BE}' | '\u{1806}' | '\u{200C}' | '\u{200D}')
}

fn ascii(c: char) -> Option<char> {
    match c {
        '0'..='9' | 'A'..='Z' => Some(c),
        'a'..='z' => Some(c.to_ascii_uppercase()),
        // Full-width Latin letters stand at a fixed distance from ASCII (Unicode block FF00).
        'Ａ'..='Ｚ' | 'ａ'..='ｚ' => char::from_u32(u32::from(c) - 0xFEE0).map(|c| c.to_ascii_uppercase()),
        _ => digit_value(c).and_then(|value| char::from_digit(value.into(), 10)),
    }
}

const LONGEST_INPUT: usize = 64;
const LONGEST_CODE: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(answer: &str) -> Option<String> {
        fold(answer).map(|text| text.to_string())
    }

    #[test]
    fn spaces_dashes_and_scripts_fold_to_what_was_sent() {
        for typed in [
            "877344",
            " 877 344 ",
            "877-344",
            "877\u{2013}344",
            "8\u{A0}7\u{3000}7 3\u{200B}44",
            "８７７３４４",
            "٨٧٧٣٤٤",
            "۸۷۷۳۴۴",
            "८७७३४४",
            "๘๗๗๓๔๔",
            "𝟾𝟽𝟽𝟹𝟺𝟺",
        ] {
            assert_eq!(folded(typed).as_deref(), Some("877344"), "{typed}");
        }
        assert_eq!(folded("ab3 ｘＹ9").as_deref(), Some("AB3XY9"));
    }

    #[test]
    fn what_cannot_be_a_code_is_told_apart() {
        for typed in ["", "  - ", "12345678901", "12.34.56", "code: 1", "½", "四", "1\u{0301}", &" ".repeat(65)] {
            assert_eq!(folded(typed), None, "{typed}");
        }
    }
}
