//! Crockford's base32 in lower case, five bytes to eight characters, without padding or look-alikes: strict, so that
//! every byte string has one spelling. For tokens and for API keys, whose lengths are multiples of five.

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// The characters of `bytes`; a last group of fewer than five bytes is filled up with zeros.
pub fn encode(bytes: &[u8]) -> String {
    bytes.chunks(5).flat_map(characters).collect()
}

/// The bytes that `text` spells, if it has whole groups of eight characters of the alphabet.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 8 * 5);
    for group in text.as_bytes().chunks(8) {
        let group = <[u8; 8]>::try_from(group).ok()?;
        let bits = group.iter().try_fold(0, |bits, character| Some(bits << 5 | value(*character)?))?;
        bytes.extend(bits.to_be_bytes().iter().skip(3));
    }
    Some(bytes)
}

fn characters(group: &[u8]) -> [char; 8] {
    let bits = (0..5).fold(0, |bits: u64, i| bits << 8 | u64::from(group.get(i).copied().unwrap_or(0)));
    std::array::from_fn(|i| character(bits >> (35 - 5 * i)))
}

fn character(bits: u64) -> char {
    ALPHABET.get((bits & 31) as usize).copied().unwrap_or(b'0').into()
}

fn value(character: u8) -> Option<u64> {
    let value = match character {
        b'0'..=b'9' => character - b'0',
        b'a'..=b'h' => character - b'a' + 10,
        b'j' | b'k' => character - b'j' + 18,
        b'm' | b'n' => character - b'm' + 20,
        b'p'..=b't' => character - b'p' + 22,
        b'v'..=b'z' => character - b'v' + 27,
        _ => return None,
    };
    Some(u64::from(value))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_character_has_its_value() {
        for (expected, character) in ALPHABET.iter().enumerate() {
            assert_eq!(value(*character), Some(expected as u64));
        }
        assert_eq!((0..=255).filter_map(value).count(), 32);
    }

    #[test]
    fn spells_bytes_from_the_highest_bit_on() {
        assert_eq!(encode(&[0, 0, 0, 0, 0]), "00000000");
        assert_eq!(encode(&[0xff; 5]), "zzzzzzzz");
        assert_eq!(encode(&[0x08, 0, 0, 0, 1]), "10000001");
    }

    #[test]
    fn refuses_what_is_no_whole_group_of_its_alphabet() {
        for text in ["0", "0000000", "000000000", "0000000i", "0000000l", "0000000o", "0000000u", "0000000A", "000000é"]
        {
            assert_eq!(decode(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_decodes(bytes in proptest::collection::vec(any::<[u8; 5]>(), 0..9)) {
            let bytes = bytes.concat();
            prop_assert_eq!(decode(&encode(&bytes)), Some(bytes));
        }
    }
}
