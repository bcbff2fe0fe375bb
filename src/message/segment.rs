//! A text as the parts that the air interface carries (3GPP TS 23.040 §9.2.3.24.1, TS 23.038 §6).
//!
//! Pure. Called by carriers that split messages themselves. Invariants: parts joined spell the text again; no part cuts
//! through an escape pair or a surrogate pair; at most [`MAX_SEGMENTS`] parts.

use zeroize::Zeroizing;

use super::{gsm7, text::Alphabet};

/// More parts than this are refused.
pub const MAX_SEGMENTS: usize = 10;

/// One part of a message.
pub struct Segment {
    /// How its octets spell characters.
    pub alphabet: Alphabet,
    /// The characters, without header; GSM 7 unpacked, one septet an octet.
    pub octets: Zeroizing<Vec<u8>>,
    /// The user data header, its length octet first; only parts of a longer message have one.
    pub udh: Option<Vec<u8>>,
}

/// The text needs more than [`MAX_SEGMENTS`] parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("needs more than {MAX_SEGMENTS} parts")]
pub struct TooLong;

/// Splits `text`: in the `narrow` alphabet if it has every character, else in UCS-2.
///
/// `narrow` is [`Alphabet::Gsm7`] (160 septets alone, 153 in a part) or, for carriers whose default alphabet is that,
/// [`Alphabet::Latin1`] (140 and 134 octets); anything else always gives UCS-2 (70 and 67 units). `reference` tells the
/// parts of this message from those of the next to the same device.
///
/// # Errors
/// [`TooLong`].
pub fn segments(text: &str, narrow: Alphabet, reference: u8) -> Result<Vec<Segment>, TooLong> {
    segments_under(text, narrow, Reference::Short(reference))
}

/// What tells the parts of one message from those of the next, as their headers have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reference {
    /// Of 8 bits, as nearly every network has it.
    Short(u8),
    /// Of 16 bits: a header longer by one octet, a part shorter by one character.
    Long(u16),
}

/// [`segments`] with either kind of reference.
///
/// # Errors
/// [`TooLong`].
pub fn segments_under(text: &str, narrow: Alphabet, reference: Reference) -> Result<Vec<Segment>, TooLong> {
    // Longer texts cannot fit whatever the alphabet; said before any work is done on them.
    if text.chars().nth(MAX_SEGMENTS * GSM7.part).is_some() {
        return Err(TooLong);
    }
    let coding = [GSM7, LATIN1].into_iter().find(|coding| coding.alphabet == narrow && coding.has_all(text));
    coding.unwrap_or(UCS2).split(text, reference)
}

/// How many parts [`segments`] makes of `text`, without making them.
///
/// # Errors
/// [`TooLong`].
pub fn parts(text: &str, narrow: Alphabet) -> Result<usize, TooLong> {
    if text.chars().nth(MAX_SEGMENTS * GSM7.part).is_some() {
        return Err(TooLong);
    }
    let coding = [GSM7, LATIN1].into_iter().find(|coding| coding.alphabet == narrow && coding.has_all(text));
    let coding = coding.unwrap_or(UCS2);
    let parts = match coding.count(text, coding.single) {
        1 => 1,
        _ => coding.count(text, coding.part),
    };
    if parts <= MAX_SEGMENTS { Ok(parts) } else { Err(TooLong) }
}

/// An alphabet and its limits, in octets of [`Segment::octets`].
struct Coding {
    alphabet: Alphabet,
    encode: fn(char) -> Option<([u8; 4], usize)>,
    single: usize,
    part: usize,
}

const GSM7: Coding = Coding { alphabet: Alphabet::Gsm7, encode: gsm7_char, single: 160, part: 153 };
const LATIN1: Coding = Coding { alphabet: Alphabet::Latin1, encode: latin1_char, single: 140, part: 134 };
const UCS2: Coding = Coding { alphabet: Alphabet::Ucs2, encode: ucs2_char, single: 140, part: 134 };

impl Coding {
    fn has_all(&self, text: &str) -> bool {
        text.chars().all(|character| (self.encode)(character).is_some())
    }

    fn split(&self, text: &str, reference: Reference) -> Result<Vec<Segment>, TooLong> {
        let whole = self.pack(text, self.single);
        let bodies = if whole.len() <= 1 { whole } else { self.pack(text, self.room(reference)) };
        let total =
            u8::try_from(bodies.len()).ok().filter(|total| usize::from(*total) <= MAX_SEGMENTS).ok_or(TooLong)?;
        let header = |number| (total > 1).then(|| reference.header(total, number));
        let numbered = (1..=total).zip(bodies);
        Ok(numbered.map(|(number, octets)| Segment { alphabet: self.alphabet, octets, udh: header(number) }).collect())
    }

    /// Of a part under this reference. Its header takes one octet more if that is long: of GSM 7 one septet, of UCS-2 a
    /// whole unit.
    const fn room(&self, reference: Reference) -> usize {
        match (reference, self.alphabet) {
            (Reference::Short(_), _) => self.part,
            (Reference::Long(_), Alphabet::Ucs2) => self.part - 2,
            (Reference::Long(_), _) => self.part - 1,
        }
    }

    /// How many bodies of at most `limit` octets it takes.
    fn count(&self, text: &str, limit: usize) -> usize {
        let (mut bodies, mut length) = (1, 0);
        for (_, octets) in text.chars().filter_map(self.encode) {
            if length + octets > limit {
                bodies += 1;
                length = 0;
            }
            length += octets;
        }
        bodies
    }

    /// Fills bodies of at most `limit` octets, whole characters only; an empty text is one empty body.
    fn pack(&self, text: &str, limit: usize) -> Vec<Zeroizing<Vec<u8>>> {
        let mut bodies = Vec::new();
        let mut body = Zeroizing::new(Vec::with_capacity(limit));
        for (octets, length) in text.chars().filter_map(self.encode) {
            if body.len() + length > limit {
                bodies.push(std::mem::replace(&mut body, Zeroizing::new(Vec::with_capacity(limit))));
            }
            body.extend(octets.into_iter().take(length));
        }
        bodies.push(body);
        bodies
    }
}

impl Reference {
    /// The user data header of one part, its length octet first.
    fn header(self, total: u8, number: u8) -> Vec<u8> {
        match self {
            Self::Short(reference) => vec![5, 0, 3, reference, total, number],
            Self::Long(reference) => {
                let [high, low] = reference.to_be_bytes();
                vec![6, 8, 4, high, low, total, number]
            }
        }
    }
}

fn gsm7_char(character: char) -> Option<([u8; 4], usize)> {
    gsm7::septets(character).map(|([first, second], length)| ([first, second, 0, 0], length))
}

fn latin1_char(character: char) -> Option<([u8; 4], usize)> {
    u8::try_from(u32::from(character)).ok().map(|octet| ([octet, 0, 0, 0], 1))
}

fn ucs2_char(character: char) -> Option<([u8; 4], usize)> {
    let mut units = [0u16; 2];
    let length = character.encode_utf16(&mut units).len() * 2;
    let [[a, b], [c, d]] = units.map(u16::to_be_bytes);
    Some(([a, b, c, d], length))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use proptest::prelude::*;

    use super::*;
    use crate::message::Encoded;

    fn joined(parts: &[Segment]) -> String {
        let octets = Zeroizing::new(parts.iter().flat_map(|part| part.octets.iter().copied()).collect::<Vec<_>>());
        Encoded { alphabet: parts[0].alphabet, octets }.to_text().unwrap().to_string()
    }

    fn shape(text: &str) -> (Alphabet, Vec<usize>) {
        let parts = segments(text, Alphabet::Gsm7, 7).unwrap();
        (parts[0].alphabet, parts.iter().map(|part| part.octets.len()).collect())
    }

    #[test]
    fn parts_are_counted_as_they_are_made() {
        for text in
            ["", "hello", "đ", &"x".repeat(160), &"x".repeat(161), &"€".repeat(77), &"€x".repeat(76), &"đ".repeat(71)]
        {
            for narrow in [Alphabet::Gsm7, Alphabet::Latin1] {
                let made = segments(text, narrow, 1).map(|made| made.len());
                assert_eq!(parts(text, narrow), made, "{} characters", text.chars().count());
            }
        }
        assert_eq!(parts(&"x".repeat(1_531), Alphabet::Gsm7), Err(TooLong));
        assert_eq!(parts(&"đ".repeat(671), Alphabet::Gsm7), Err(TooLong));
    }

    #[test]
    fn limits_are_those_of_the_air_interface() {
        assert_eq!(shape(""), (Alphabet::Gsm7, vec![0]));
        assert_eq!(shape(&"a".repeat(160)), (Alphabet::Gsm7, vec![160]));
        assert_eq!(shape(&"a".repeat(161)), (Alphabet::Gsm7, vec![153, 8]));
        assert_eq!(shape(&"验".repeat(70)), (Alphabet::Ucs2, vec![140]));
        assert_eq!(shape(&"验".repeat(71)), (Alphabet::Ucs2, vec![134, 8]));
        assert!(segments(&"a".repeat(1530), Alphabet::Gsm7, 0).is_ok());
        assert_eq!(segments(&"a".repeat(1531), Alphabet::Gsm7, 0).err(), Some(TooLong));
        assert_eq!(segments(&"验".repeat(671), Alphabet::Gsm7, 0).err(), Some(TooLong));
    }

    #[test]
    fn an_escape_pair_and_a_surrogate_pair_stay_whole() {
        let euro = format!("{}€{}", "a".repeat(152), "b".repeat(20));
        assert_eq!(shape(&euro).1, [152, 22]);
        let smile = format!("{}😀{}", "验".repeat(66), "验".repeat(20));
        assert_eq!(shape(&smile).1, [132, 44]);
    }

    #[test]
    fn parts_are_numbered_in_an_8_bit_reference_header() {
        let parts = segments(&"a".repeat(400), Alphabet::Gsm7, 0xab).unwrap();
        let headers: Vec<_> = parts.iter().map(|part| part.udh.clone().unwrap()).collect();
        assert_eq!(headers, [[5, 0, 3, 0xab, 3, 1], [5, 0, 3, 0xab, 3, 2], [5, 0, 3, 0xab, 3, 3]]);
        assert!(segments("short", Alphabet::Gsm7, 1).unwrap()[0].udh.is_none());
    }

    #[test]
    fn a_16_bit_reference_leaves_a_character_less() {
        let shape = |text: &str| {
            let parts = segments_under(text, Alphabet::Gsm7, Reference::Long(0x1234)).unwrap();
            let lengths: Vec<_> = parts.iter().map(|part| part.octets.len()).collect();
            (lengths, parts[0].udh.clone().unwrap())
        };
        assert_eq!(shape(&"a".repeat(161)), (vec![152, 9], vec![6, 8, 4, 0x12, 0x34, 2, 1]));
        assert_eq!(shape(&"验".repeat(71)), (vec![132, 10], vec![6, 8, 4, 0x12, 0x34, 2, 1]));
    }

    #[test]
    fn a_latin1_carrier_gets_latin1_or_ucs2() {
        assert_eq!(segments("çà", Alphabet::Latin1, 0).unwrap()[0].octets.as_slice(), [0xe7, 0xe0]);
        assert_eq!(segments("€", Alphabet::Latin1, 0).unwrap()[0].alphabet, Alphabet::Ucs2);
    }

    proptest! {
        #[test]
        fn parts_joined_give_back_the_text(text in any_script(), narrow in alphabet(), reference: u8) {
            if let Ok(parts) = segments(&text, narrow, reference) {
                prop_assert!(parts.len() <= MAX_SEGMENTS);
                prop_assert_eq!(joined(&parts), text);
            }
        }

        #[test]
        fn every_part_reads_on_its_own(text in any_script()) {
            for part in segments(&text, Alphabet::Gsm7, 0).unwrap_or_default() {
                let limit = if part.alphabet == Alphabet::Gsm7 { 160 } else { 140 };
                prop_assert!(part.octets.len() <= limit);
                let text = Encoded { alphabet: part.alphabet, octets: part.octets }.to_text().unwrap();
                prop_assert!(!text.contains(char::REPLACEMENT_CHARACTER));
            }
        }
    }

    fn alphabet() -> impl Strategy<Value = Alphabet> {
        prop_oneof![Just(Alphabet::Gsm7), Just(Alphabet::Latin1), Just(Alphabet::Ucs2)]
    }

    fn any_script() -> impl Strategy<Value = String> {
        prop_oneof![
            "[ -~€£¥èéùìòÇØøÅåΔΦΓΛΩΠΨΣΘΞÆæßÉ¤¡ÄÖÑÜ§¿äöñüà\n\r]{0,700}",
            "[a-zà-ỹĐđ 0-9]{0,400}",
            "[一-龥0-9【】]{0,400}",
            "[😀-🙏a{}|]{0,300}",
            "[^\u{fffd}]{0,300}",
        ]
    }
}
