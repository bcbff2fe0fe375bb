//! The GSM 7-bit default alphabet and its extension table (3GPP TS 23.038 §6.2.1 and §6.2.1.1), both ways.
//!
//! One octet holds one septet: the unpacked form that SMPP carries. Used by `text` and `segment`.

use zeroize::Zeroizing;

use super::text::{Unreadable, room};

/// Announces a character of the extension table.
pub(super) const ESCAPE: u8 = 0x1b;

/// §6.2.1, by code. The entry of [`ESCAPE`] stands for what a receiver shows for a lone escape: a space.
const BASIC: [char; 128] = [
    '@', '£', '$', '¥', 'è', 'é', 'ù', 'ì', 'ò', 'Ç', '\n', 'Ø', 'ø', '\r', 'Å', 'å', //
    'Δ', '_', 'Φ', 'Γ', 'Λ', 'Ω', 'Π', 'Ψ', 'Σ', 'Θ', 'Ξ', ' ', 'Æ', 'æ', 'ß', 'É', //
    ' ', '!', '"', '#', '¤', '%', '&', '\'', '(', ')', '*', '+', ',', '-', '.', '/', //
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', ':', ';', '<', '=', '>', '?', //
    '¡', 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O', //
    'P', 'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z', 'Ä', 'Ö', 'Ñ', 'Ü', '§', //
    '¿', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', //
    'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z', 'ä', 'ö', 'ñ', 'ü', 'à',
];

/// §6.2.1.1: code after [`ESCAPE`], and character.
const EXTENSION: [(u8, char); 10] = [
    (0x0a, '\u{c}'),
    (0x14, '^'),
    (0x28, '{'),
    (0x29, '}'),
    (0x2f, '\\'),
    (0x3c, '['),
    (0x3d, '~'),
    (0x3e, ']'),
    (0x40, '|'),
    (0x65, '€'),
];

/// The one or two septets of `character`, if the alphabet has it.
pub(super) fn septets(character: char) -> Option<([u8; 2], usize)> {
    if let Some((code, _)) = EXTENSION.iter().find(|(_, known)| *known == character) {
        return Some(([ESCAPE, *code], 2));
    }
    let code = (0u8..).zip(BASIC).find(|(code, known)| *known == character && *code != ESCAPE)?.0;
    Some(([code, 0], 1))
}

/// The text that unpacked septets spell.
///
/// A code that the extension table lacks shows the basic table's character, as §6.2.1.1 asks of receivers.
pub(super) fn decode(septets: &[u8]) -> Result<Zeroizing<String>, Unreadable> {
    let mut text = room(septets.len());
    let mut escaped = false;
    for &code in septets {
        let basic = *BASIC.get(usize::from(code)).ok_or(Unreadable)?;
        match (escaped, code == ESCAPE) {
            (false, true) => escaped = true,
            (true, _) => {
                text.push(extension(code).unwrap_or(basic));
                escaped = false;
            }
            (false, false) => text.push(basic),
        }
    }
    if escaped {
        text.push(' ');
    }
    Ok(text)
}

fn extension(code: u8) -> Option<char> {
    EXTENSION.iter().find(|(known, _)| *known == code).map(|(_, character)| *character)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn every_character_of_both_tables_goes_out_and_back() {
        for (code, &character) in BASIC.iter().enumerate().filter(|(code, _)| *code != usize::from(ESCAPE)) {
            assert_eq!(septets(character), Some(([u8::try_from(code).unwrap(), 0], 1)), "{character:?}");
            assert_eq!(decode(&[u8::try_from(code).unwrap()]).unwrap().as_str(), character.to_string());
        }
        for (code, character) in EXTENSION {
            assert_eq!(septets(character), Some(([ESCAPE, code], 2)), "{character:?}");
            assert_eq!(decode(&[ESCAPE, code]).unwrap().as_str(), character.to_string());
        }
    }

    #[test]
    fn codes_of_the_published_table_are_where_it_has_them() {
        for (character, code) in
            [('@', 0x00), ('Ç', 0x09), ('Δ', 0x10), ('Ξ', 0x1a), ('¤', 0x24), ('§', 0x5f), ('à', 0x7f)]
        {
            assert_eq!(septets(character).unwrap().0[0], code, "{character}");
        }
    }

    #[test]
    fn letters_that_look_alike_are_not_taken_for_gsm_letters() {
        for character in ['ç', 'á', 'Α', '`', '’', 'đ', '验', '\t', '\0'] {
            assert_eq!(septets(character), None, "{character:?}");
        }
    }

    #[test]
    fn odd_escapes_still_read() {
        assert_eq!(decode(&[ESCAPE, b'a']).unwrap().as_str(), "a");
        assert_eq!(decode(&[ESCAPE, ESCAPE, b'a']).unwrap().as_str(), " a");
        assert_eq!(decode(&[b'a', ESCAPE]).unwrap().as_str(), "a ");
    }
}
