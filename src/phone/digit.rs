//! What people put into a phone number: digits of every script, plus signs, separators, and marks that do not show.

/// The value of a decimal digit of any script (Unicode general category Nd), as ASCII `0`–`9` and beyond: also for
/// codes that people type in the digits of their keyboard.
pub fn digit_value(c: char) -> Option<u8> {
    if c.is_ascii() {
        return c.is_ascii_digit().then(|| c as u8 - b'0');
    }
    let code = c as u32;
    let zero = ZEROS.get(ZEROS.partition_point(|zero| *zero <= code).checked_sub(1)?)?;
    u8::try_from(code - zero).ok().filter(|value| *value < 10)
}

/// The sign before a country code: plus, its fullwidth, small and superscript forms.
pub(super) fn is_plus(c: char) -> bool {
    matches!(c, '+' | '\u{ff0b}' | '\u{fe62}' | '\u{207a}')
}

/// What stands between the digits of one number: spaces of every width, dashes, dots, brackets, slashes. Line breaks
/// do not: they stand between numbers.
pub(super) fn is_separator(c: char) -> bool {
    match c {
        ' ' | '\t' | '-' | '.' | '(' | ')' | '[' | ']' | '/' => true,
        _ if c.is_ascii() => false,
        '\u{85}' | '\u{2028}' | '\u{2029}' => false,
        '\u{ad}' | '\u{2010}'..='\u{2015}' | '\u{2043}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}' | '\u{ff0d}' => true,
        '\u{30fc}' | '\u{ff70}' | '\u{2e3a}' | '\u{2e3b}' | '\u{301c}' => true,
        '\u{b7}' | '\u{2024}' | '\u{2022}' | '\u{2027}' | '\u{3002}' | '\u{30fb}' | '\u{ff0e}' | '\u{ff61}' => true,
        '\u{ff08}' | '\u{ff09}' | '\u{ff3b}' | '\u{ff3d}' | '\u{ff0f}' => true,
        _ => c.is_whitespace() || is_invisible(c),
    }
}

/// Marks without width: joiners, direction marks and isolates, variation selectors, the byte order mark.
pub(super) fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180b}'..='\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{20e3}')
}

/// The zero of each script, ascending; its nine other digits follow it (Unicode 17, `extracted/DerivedNumericType`).
const ZEROS: [u32; 76] = [
    0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xde6, 0xe50, 0xed0, 0xf20,
    0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50, 0x1bb0, 0x1c40, 0x1c50, 0xa620, 0xa8d0,
    0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10, 0x104a0, 0x10d30, 0x10d40, 0x11066, 0x110f0, 0x11136, 0x111d0,
    0x112f0, 0x11450, 0x114d0, 0x11650, 0x116c0, 0x116d0, 0x116da, 0x11730, 0x118e0, 0x11950, 0x11bf0, 0x11c50,
    0x11d50, 0x11da0, 0x11de0, 0x11f50, 0x16130, 0x16a60, 0x16ac0, 0x16b50, 0x16d70, 0x1ccf0, 0x1d7ce, 0x1d7d8,
    0x1d7e2, 0x1d7ec, 0x1d7f6, 0x1e140, 0x1e2f0, 0x1e4f0, 0x1e5f1, 0x1e950, 0x1fbf0,
];

#[cfg(test)]
mod tests {
    use rlibphonenumber::PHONE_NUMBER_UTIL;

    use super::*;

    #[test]
    fn digits_of_all_scripts_have_their_value() {
        assert!(ZEROS.is_sorted());
        for (typed, value) in [('7', 7), ('٣', 3), ('۳', 3), ('९', 9), ('５', 5), ('𝟘', 0), ('𑓙', 9), ('೦', 0)]
        {
            assert_eq!(digit_value(typed), Some(value), "{typed}");
        }
        for other in ['a', '²', '①', '一', '/', ':', '\u{65f}', '\u{66a}'] {
            assert_eq!(digit_value(other), None, "{other}");
        }
    }

    /// libphonenumber has its own table, made from Unicode's data.
    #[test]
    fn agrees_with_libphonenumber_on_every_character() {
        for c in '\0'..=char::MAX {
            let theirs = PHONE_NUMBER_UTIL.normalize_digits_only(c.to_string());
            let ours = digit_value(c).map(|value| value.to_string()).unwrap_or_default();
            assert_eq!(ours, theirs, "U+{:04X}", c as u32);
        }
    }

    #[test]
    fn no_character_is_two_things() {
        for c in '\0'..=char::MAX {
            let roles = [digit_value(c).is_some(), is_plus(c), is_separator(c)];
            assert!(roles.iter().filter(|role| **role).count() <= 1, "U+{:04X}", c as u32);
            assert!(!is_invisible(c) || is_separator(c), "U+{:04X}", c as u32);
        }
    }
}
