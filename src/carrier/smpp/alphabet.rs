//! How `data_coding` says that octets spell characters, both ways (SMPP 3.4 §5.2.19, 3GPP TS 23.038 §4).
//!
//! Pure. What cannot be read for certain is [`Alphabet::Binary`], which the relay refuses and tells of, never a guess:
//! a code with a wrong digit is worse than none. So are texts that need a national language table (3GPP TS 23.038
//! §A.3), but not those that only announce one and do without it.

use zeroize::Zeroizing;

use super::pdu::Headed;
use crate::message::{Alphabet, Encoded};

/// `data_coding` of a part. GSM 7 goes as the SMSC's default alphabet, which it is wherever we send it.
pub(super) const fn data_coding(alphabet: Alphabet) -> u8 {
    match alphabet {
        Alphabet::Gsm7 => 0,
        Alphabet::Latin1 => 3,
        _ => 8,
    }
}

/// A message's octets and how to read them, or as text where that is certain at once.
pub(super) fn read(data_coding: u8, default: Alphabet, headed: Option<&Headed<'_>>, octets: &[u8]) -> Encoded {
    let shifted =
        headed.is_some_and(|headed| headed.locking_shift || (headed.single_shift && octets.contains(&ESCAPE)));
    let single_octets = match data_coding {
        6 => Some(cyrillic as fn(u8) -> Option<char>),
        7 => Some(hebrew as fn(u8) -> Option<char>),
        _ => None,
    };
    if let Some(text) = single_octets.and_then(|table| spelled(octets, table)) {
        return Encoded { alphabet: Alphabet::Utf8, octets: text };
    }
    let alphabet = match alphabet(data_coding, default) {
        Alphabet::Gsm7 if shifted => Alphabet::Binary,
        alphabet => alphabet,
    };
    Encoded { alphabet, octets: Zeroizing::new(octets.to_vec()) }
}

fn alphabet(data_coding: u8, default: Alphabet) -> Alphabet {
    match data_coding {
        0 => default,
        // IA5 is the lower half of Latin-1.
        1 | 3 => Alphabet::Latin1,
        8 => Alphabet::Ucs2,
        // 23.038 groups 00xx and 1111: general coding and message class; flash messages are of class 0.
        0x10..=0x1f => match data_coding >> 2 & 3 {
            0 => default,
            2 => Alphabet::Ucs2,
            _ => Alphabet::Binary,
        },
        0xc0..=0xdf => default,
        0xe0..=0xef => Alphabet::Ucs2,
        0xf0..=0xff if data_coding & 4 == 0 => default,
        _ => Alphabet::Binary,
    }
}

/// The escape to the extension table.
const ESCAPE: u8 = 0x1b;

fn spelled(octets: &[u8], table: fn(u8) -> Option<char>) -> Option<Zeroizing<Vec<u8>>> {
    let mut text = Zeroizing::new(Vec::with_capacity(octets.len() * 3));
    for octet in octets {
        let mut utf8 = [0; 4];
        text.extend_from_slice(table(*octet)?.encode_utf8(&mut utf8).as_bytes());
    }
    Some(text)
}

/// ISO/IEC 8859-5.
fn cyrillic(octet: u8) -> Option<char> {
    match octet {
        0..=0xa0 | 0xad => Some(char::from(octet)),
        0xf0 => Some('№'),
        0xfd => Some('§'),
        _ => char::from_u32(0x0360 + u32::from(octet)),
    }
}

/// ISO/IEC 8859-8.
fn hebrew(octet: u8) -> Option<char> {
    match octet {
        0..=0xa0 | 0xa2..=0xa9 | 0xab..=0xb9 | 0xbb..=0xbe => Some(char::from(octet)),
        0xaa => Some('×'),
        0xba => Some('÷'),
        0xdf => Some('‗'),
        0xe0..=0xfa => char::from_u32(0x05d0 + u32::from(octet) - 0xe0),
        0xfd => Some('\u{200e}'),
        0xfe => Some('\u{200f}'),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;
    use crate::carrier::smpp::pdu::without_header;

    proptest! {
        #[test]
        fn no_octets_of_any_coding_panic_or_grow_beyond_bounds(coding: u8, default in 0u8..2, payload: Vec<u8>) {
            let default = if default == 0 { Alphabet::Gsm7 } else { Alphabet::Latin1 };
            let headed = without_header(&payload).ok();
            let octets = headed.as_ref().map_or(payload.as_slice(), |headed| headed.rest);
            let body = read(coding, default, headed.as_ref(), octets);
            prop_assert!(body.octets.len() <= octets.len() * 3);
            if let Ok(text) = body.to_text() { prop_assert!(text.len() <= octets.len() * 3); }
        }
    }

    #[test]
    fn data_coding_tells_the_alphabet() {
        let table = |coding| alphabet(coding, Alphabet::Gsm7);
        for (coding, expected) in [
            (0x00, Alphabet::Gsm7),
            (0x01, Alphabet::Latin1),
            (0x02, Alphabet::Binary),
            (0x03, Alphabet::Latin1),
            (0x04, Alphabet::Binary),
            (0x05, Alphabet::Binary),
            (0x08, Alphabet::Ucs2),
            (0x0e, Alphabet::Binary),
            (0x10, Alphabet::Gsm7),
            (0x14, Alphabet::Binary),
            (0x18, Alphabet::Ucs2),
            (0x30, Alphabet::Binary),
            (0xc8, Alphabet::Gsm7),
            (0xe8, Alphabet::Ucs2),
            (0xf0, Alphabet::Gsm7),
            (0xf3, Alphabet::Gsm7),
            (0xf4, Alphabet::Binary),
        ] {
            assert_eq!(table(coding), expected, "{coding:#x}");
        }
        assert_eq!(alphabet(0, Alphabet::Latin1), Alphabet::Latin1);
    }

    fn text(coding: u8, octets: &[u8]) -> Option<String> {
        read(coding, Alphabet::Gsm7, None, octets).to_text().ok().map(|text| text.to_string())
    }

    #[test]
    fn alphabets_of_one_octet_a_character_read_as_text() {
        assert_eq!(text(6, b"\xba\xde\xd4 42 \xf0\xa1").as_deref(), Some("Код 42 №Ё"));
        assert_eq!(text(7, b"\xf7\xe5\xe3 42").as_deref(), Some("קוד 42"));
        assert_eq!(text(7, b"\xc0"), None, "no character of it");
        for coding in [2, 4, 5, 9, 10, 13, 14, 0x80, 0xf5] {
            assert_eq!(text(coding, b"code 42"), None, "{coding}");
        }
    }

    #[test]
    fn a_national_table_is_refused_where_it_matters() {
        let of = |payload: &[u8]| {
            let headed = without_header(payload).unwrap();
            read(0, Alphabet::Gsm7, Some(&headed), headed.rest).to_text().ok().map(|text| text.to_string())
        };
        assert_eq!(of(b"\x03\x24\x01\x01code 42").as_deref(), Some("code 42"));
        assert_eq!(of(b"\x03\x24\x01\x01code \x1bi"), None);
        assert_eq!(of(b"\x03\x25\x01\x01code 42"), None);
        assert_eq!(of(b"\x03\x25\x01\x00code 42").as_deref(), Some("code 42"));
    }
}
