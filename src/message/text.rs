//! Octets of a message as they came, and the text that they spell.

use zeroize::Zeroizing;

use super::gsm7;

/// How octets spell characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alphabet {
    /// GSM 7-bit default alphabet with extension table, one octet a septet (3GPP TS 23.038 §6.2.1).
    Gsm7,
    /// ISO 8859-1.
    Latin1,
    /// UTF-16, big-endian.
    Ucs2,
    /// UTF-8: the sandbox and HTTP carriers.
    Utf8,
    /// Not text.
    Binary,
}

/// Octets and their alphabet.
pub struct Encoded {
    /// How to read them.
    pub alphabet: Alphabet,
    /// As they came, without user data header.
    pub octets: Zeroizing<Vec<u8>>,
}

/// The octets spell no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not readable as text")]
pub struct Unreadable;

impl Encoded {
    /// The text. Parts of one message are joined before they are read, since a sender may cut anywhere.
    ///
    /// A lone surrogate reads as U+FFFD, so that one broken character does not cost the rest of the message.
    ///
    /// # Errors
    /// [`Unreadable`] for binary, for an odd number of UTF-16 octets, and for octets outside the alphabet.
    pub fn to_text(&self) -> Result<Zeroizing<String>, Unreadable> {
        match self.alphabet {
            Alphabet::Gsm7 => gsm7::decode(&self.octets),
            Alphabet::Latin1 => Ok(latin1(&self.octets)),
            Alphabet::Ucs2 => utf16(&self.octets),
            Alphabet::Utf8 => utf8(&self.octets),
            Alphabet::Binary => Err(Unreadable),
        }
    }
}

/// Room for `octets` characters of up to three bytes, so that no half-written copy is left behind by growing.
pub(super) fn room(octets: usize) -> Zeroizing<String> {
    Zeroizing::new(String::with_capacity(octets.saturating_mul(3)))
}

fn latin1(octets: &[u8]) -> Zeroizing<String> {
    let mut text = room(octets.len());
    text.extend(octets.iter().map(|&octet| char::from(octet)));
    text
}

fn utf16(octets: &[u8]) -> Result<Zeroizing<String>, Unreadable> {
    if !octets.len().is_multiple_of(2) {
        return Err(Unreadable);
    }
    let units = octets.chunks_exact(2).map(|pair| match pair {
        [high, low] => u16::from_be_bytes([*high, *low]),
        _ => 0,
    });
    let mut text = room(octets.len());
    text.extend(char::decode_utf16(units).map(|read| read.unwrap_or(char::REPLACEMENT_CHARACTER)));
    Ok(text)
}

fn utf8(octets: &[u8]) -> Result<Zeroizing<String>, Unreadable> {
    std::str::from_utf8(octets).map(|text| Zeroizing::new(text.to_owned())).map_err(|_| Unreadable)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(alphabet: Alphabet, octets: &[u8]) -> Result<String, Unreadable> {
        Encoded { alphabet, octets: Zeroizing::new(octets.to_vec()) }.to_text().map(|text| text.to_string())
    }

    #[test]
    fn each_alphabet_reads_its_own_octets() {
        assert_eq!(read(Alphabet::Gsm7, b"\x00\x02 \x1b\x65").unwrap(), "@$ €");
        assert_eq!(read(Alphabet::Latin1, b"caf\xe9").unwrap(), "café");
        assert_eq!(read(Alphabet::Ucs2, &[0x9a, 0x8c, 0xd8, 0x3d, 0xde, 0x00]).unwrap(), "验😀");
        assert_eq!(read(Alphabet::Utf8, "xác thực".as_bytes()).unwrap(), "xác thực");
    }

    #[test]
    fn what_is_no_text_is_unreadable() {
        assert_eq!(read(Alphabet::Binary, b"text"), Err(Unreadable));
        assert_eq!(read(Alphabet::Ucs2, b"\x00a\x00"), Err(Unreadable));
        assert_eq!(read(Alphabet::Utf8, b"\xff"), Err(Unreadable));
        assert_eq!(read(Alphabet::Gsm7, b"\x80"), Err(Unreadable));
    }

    #[test]
    fn a_lone_surrogate_costs_one_character_only() {
        assert_eq!(read(Alphabet::Ucs2, &[0xd8, 0x3d, 0x00, 0x31]).unwrap(), "\u{fffd}1");
    }
}
