//! A text as the parts that one SMSC is handed, each with what ties it to the others.
//!
//! Pure. A part's limits are those of the air interface, also where the SMSC makes the header itself (`sar`), since it
//! makes one of the same length.

use zeroize::Zeroizing;

use crate::config::Concat;
use crate::message::{Alphabet, Reference, Segment, TooLong, segments_under};

/// One part as it is handed over.
pub(super) struct Part {
    pub(super) alphabet: Alphabet,
    /// With its header, if it has one.
    pub(super) octets: Zeroizing<Vec<u8>>,
    pub(super) tie: Tie,
}

/// What ties a part to the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tie {
    /// It is alone.
    None,
    /// Its user data header.
    Header,
    /// The `sar_*` TLVs: reference, of how many, which.
    Sar(u16, u8, u8),
    /// It is longer than a short message, and the SMSC splits it.
    Payload,
}

/// The parts of `text`; `reference` is asked only if there are several.
pub(super) fn parts(
    text: &str,
    narrow: Alphabet,
    concat: Concat,
    reference: impl FnOnce() -> u16,
) -> Result<Vec<Part>, TooLong> {
    let long = concat == Concat::Udh16;
    let of = |reference: u16| {
        let [_, low] = reference.to_be_bytes();
        let reference = if long { Reference::Long(reference) } else { Reference::Short(low) };
        segments_under(text, narrow, reference)
    };
    let reference = reference();
    let segments = of(reference)?;
    if segments.len() == 1 {
        return Ok(segments.into_iter().map(|segment| part(segment, Tie::None)).collect());
    }
    Ok(match concat {
        Concat::Udh8 | Concat::Udh16 => segments.into_iter().map(|segment| part(segment, Tie::Header)).collect(),
        Concat::Payload => vec![joined(&segments)],
        Concat::Sar => {
            let total = u8::try_from(segments.len()).unwrap_or(u8::MAX);
            let numbered = (1..=total).zip(segments);
            numbered.map(|(number, segment)| part(segment, Tie::Sar(reference, total, number))).collect()
        }
    })
}

fn part(segment: Segment, tie: Tie) -> Part {
    let header = segment.udh.as_deref().filter(|_| tie == Tie::Header).unwrap_or_default();
    let mut octets = Zeroizing::new(Vec::with_capacity(header.len() + segment.octets.len()));
    octets.extend_from_slice(header);
    octets.extend_from_slice(&segment.octets);
    Part { alphabet: segment.alphabet, octets, tie }
}

fn joined(segments: &[Segment]) -> Part {
    let mut octets = Zeroizing::new(Vec::with_capacity(segments.iter().map(|segment| segment.octets.len()).sum()));
    for segment in segments {
        octets.extend_from_slice(&segment.octets);
    }
    let alphabet = segments.first().map_or(Alphabet::Ucs2, |segment| segment.alphabet);
    Part { alphabet, octets, tie: Tie::Payload }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    fn shape(text: &str, concat: Concat) -> Vec<(usize, Tie)> {
        let parts = parts(text, Alphabet::Gsm7, concat, || 0x1234).unwrap();
        parts.iter().map(|part| (part.octets.len(), part.tie)).collect()
    }

    #[test]
    fn each_custom_ties_parts_in_its_own_way() {
        let long = "a".repeat(310);
        assert_eq!(shape(&long, Concat::Udh8), [(159, Tie::Header), (159, Tie::Header), (10, Tie::Header)]);
        assert_eq!(shape(&long, Concat::Udh16), [(159, Tie::Header), (159, Tie::Header), (13, Tie::Header)]);
        let sar = |number| Tie::Sar(0x1234, 3, number);
        assert_eq!(shape(&long, Concat::Sar), [(153, sar(1)), (153, sar(2)), (4, sar(3))]);
        assert_eq!(shape(&long, Concat::Payload), [(310, Tie::Payload)]);
        for concat in [Concat::Udh8, Concat::Udh16, Concat::Sar, Concat::Payload] {
            assert_eq!(shape("short", concat), [(5, Tie::None)]);
        }
    }

    #[test]
    fn ten_parts_are_the_most() {
        assert_eq!(parts(&"a".repeat(1_520), Alphabet::Gsm7, Concat::Udh16, || 1).unwrap().len(), 10);
        assert!(parts(&"a".repeat(1_521), Alphabet::Gsm7, Concat::Udh16, || 1).is_err());
        assert!(parts(&"a".repeat(1_531), Alphabet::Gsm7, Concat::Payload, || 1).is_err());
    }
}
