//! Letters without their marks, for tenants that would rather pay less than be spelled right.
//!
//! Pure. A message in the GSM 7-bit alphabet has 160 characters to a part, any other 70 (3GPP TS 23.038 §6.2.1).

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use zeroize::Zeroizing;

use super::{Alphabet, gsm7, parts};

/// The text with every character in the GSM 7-bit alphabet, if taking marks off letters and writing typographic signs
/// plainly is enough for that; else the text as it is. What the alphabet has (`é`, `ä`, `ñ`) keeps its marks.
pub fn plain(text: &str) -> Cow<'_, str> {
    if text.chars().all(|c| gsm7::septets(c).is_some()) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    // Composed first, so that a mark typed apart does not cost a letter that the alphabet has with it.
    for c in text.nfc() {
        match gsm7::septets(c) {
            Some(_) => out.push(c),
            None => match sign(c) {
                Some(plain) => out.push_str(plain),
                None => out.extend(std::iter::once(c).nfd().filter(|c| !is_combining_mark(*c))),
            },
        }
    }
    if out.chars().all(|c| gsm7::septets(c).is_some()) { Cow::Owned(out) } else { Cow::Borrowed(text) }
}

/// The same where that takes fewer parts; else the text as it is.
pub fn thrifty(text: Zeroizing<String>) -> Zeroizing<String> {
    let parts = |text: &str| parts(text, Alphabet::Gsm7).unwrap_or(usize::MAX);
    let plain = Zeroizing::new(plain(&text).into_owned());
    if parts(&plain) < parts(&text) { plain } else { text }
}

/// Letters that are no letter with a mark, and signs that have a plain form.
const fn sign(c: char) -> Option<&'static str> {
    Some(match c {
        'đ' | 'ð' => "d",
        'Đ' | 'Ð' => "D",
        'ł' => "l",
        'Ł' => "L",
        'ı' => "i",
        'ħ' => "h",
        'Ħ' => "H",
        'ŧ' => "t",
        'Ŧ' => "T",
        'œ' => "oe",
        'Œ' => "OE",
        'þ' => "th",
        'Þ' => "Th",
        '\u{2018}' | '\u{2019}' | '\u{201A}' | '\u{2032}' => "'",
        '\u{201C}' | '\u{201D}' | '\u{201E}' | '«' | '»' | '\u{2033}' => "\"",
        '\u{2010}'..='\u{2015}' | '\u{2212}' => "-",
        '\u{2026}' => "...",
        '\u{A0}' | '\u{2000}'..='\u{200A}' | '\u{202F}' => " ",
        '\u{200B}' | '\u{200D}' | '\u{FEFF}' => "",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_go_where_that_makes_the_whole_text_plain() {
        assert_eq!(plain("Đơn hàng của bạn đã tới — cảm ơn!"), "Don hàng cua ban dã toi - cam on!".replace("dã", "da"));
        assert_eq!(plain("Łódź “blisko”…"), "Lódz \"blisko\"...".replace('ó', "o"));
        assert_eq!(plain("e\u{301}té"), "été", "a mark typed apart");
    }

    #[test]
    fn marks_are_given_up_only_for_fewer_parts() {
        let said = |text: &str| thrifty(Zeroizing::new(text.to_owned())).to_string();
        assert_eq!(said("Chào bạn"), "Chào bạn", "one part either way");
        let long = "Đơn hàng của bạn đã sẵn sàng. ".repeat(4);
        assert!(said(&long).starts_with("Don hàng cua ban da s"), "{}", said(&long));
    }

    #[test]
    fn what_the_alphabet_has_stays_and_other_scripts_stay_whole() {
        for text in ["Çà et là", "mañana", "Grüße", "验证码 123", "Привет", "Łódź 🚚", "สวัสดี"]
        {
            let said = plain(text);
            assert!(said == text || said.chars().all(|c| gsm7::septets(c).is_some()), "{text}: {said}");
        }
        assert_eq!(plain("mañana, Grüße"), "mañana, Grüße");
        assert_eq!(plain("验证码: đ"), "验证码: đ", "half a text without marks would cost as much");
    }
}
