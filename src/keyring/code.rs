//! One-time codes, derived and never stored: HMAC-SHA-256 in counter mode, letters drawn without bias.

use zeroize::Zeroizing;

use super::KeyError;
use crate::crypto::{Key, index};

/// Ten digits.
pub(super) const DIGITS: &[u8] = b"0123456789";

/// Capitals and digits that are not taken for each other when read aloud or from a small screen: no 0 O, no 1 I L.
pub(super) const ALPHANUMERIC: &[u8] = b"23456789ABCDEFGHJKMNPQRSTUVWXYZ";

/// The code of `len` letters that `parts` (tenant, verification, salt) give under `key`.
///
/// A byte of the stream counts only below the largest multiple of the alphabet's size, so that each letter is as
/// likely as any other (NIST SP 800-90A appendix A.5.1, simple discard).
pub(super) fn derive(key: &Key, parts: &[&[u8]; 3], len: u8, alphabet: &[u8]) -> Result<Zeroizing<String>, KeyError> {
    if !(MIN..=MAX).contains(&len) {
        return Err(KeyError::CodeLength);
    }
    let [tenant, verification, salt] = parts;
    let size = alphabet.len();
    let fair = 256 - 256 % size;
    let mut code = Zeroizing::new(String::with_capacity(usize::from(len)));
    for counter in 0..=u32::MAX {
        let shape = [len, u8::from(alphabet == ALPHANUMERIC)];
        let stream =
            Zeroizing::new(index::mac32(key, &[b"code", tenant, verification, salt, &shape, &counter.to_be_bytes()]));
        let letters = stream.iter().filter(|byte| usize::from(**byte) < fair);
        for letter in letters.filter_map(|byte| alphabet.get(usize::from(*byte) % size)) {
            code.push(char::from(*letter));
            if code.len() == usize::from(len) {
                return Ok(code);
            }
        }
    }
    // Not reached: 2^32 blocks without ten fair bytes.
    Err(KeyError::CodeLength)
}

const MIN: u8 = 4;
const MAX: u8 = 10;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use super::*;

    fn counts(len: u8, alphabet: &[u8], codes: u32) -> Vec<Vec<u64>> {
        let key = Key::new([7; 32]);
        let mut counts = vec![vec![0; alphabet.len()]; usize::from(len)];
        for n in 0..codes {
            let code = derive(&key, &[&[1; 16], &n.to_be_bytes(), &[2; 16]], len, alphabet).unwrap();
            assert_eq!(code.len(), usize::from(len));
            for (place, letter) in code.bytes().enumerate() {
                counts[place][alphabet.iter().position(|a| *a == letter).unwrap()] += 1;
            }
        }
        counts
    }

    /// Pearson's statistic; its mean is the degrees of freedom k, its deviation √2k. Six deviations never happen.
    fn is_uniform(counts: &[u64]) -> bool {
        let total: u64 = counts.iter().sum();
        let expected = total as f64 / counts.len() as f64;
        let statistic: f64 = counts.iter().map(|seen| (*seen as f64 - expected).powi(2) / expected).sum();
        let freedom = counts.len() as f64 - 1.0;
        statistic < freedom + 6.0 * (2.0 * freedom).sqrt()
    }

    #[test]
    fn every_letter_is_as_likely_in_every_place() {
        for (len, alphabet) in [(6, DIGITS), (10, ALPHANUMERIC)] {
            for place in counts(len, alphabet, 40_000) {
                assert!(is_uniform(&place));
            }
        }
        // The measure itself sees the bias that plain `byte % 10` has: 0 to 5 are 4 % likelier.
        assert!(!is_uniform(&[4062, 4062, 4062, 4062, 4062, 4062, 3906, 3906, 3906, 3906].map(|n| n * 4)));
    }

    #[test]
    fn a_code_depends_on_all_of_its_parts_and_repeats_for_the_same() {
        let of = |key: u8, parts: [&[u8]; 3]| derive(&Key::new([key; 32]), &parts, 10, DIGITS).unwrap();
        let code = of(1, [b"t", b"v", b"s"]);
        assert_eq!(*code, *of(1, [b"t", b"v", b"s"]));
        for other in
            [of(2, [b"t", b"v", b"s"]), of(1, [b"u", b"v", b"s"]), of(1, [b"t", b"w", b"s"]), of(1, [b"t", b"v", b"r"])]
        {
            assert_ne!(*code, *other);
        }
        // Parts that join to the same bytes are other parts.
        assert_ne!(*of(1, [b"tv", b"", b"s"]), *of(1, [b"t", b"v", b"s"]));
    }

    #[test]
    fn lengths_outside_four_to_ten_are_refused() {
        for len in [0, 3, 11, 255] {
            assert!(matches!(derive(&Key::new([1; 32]), &[b"", b"", b""], len, DIGITS), Err(KeyError::CodeLength)));
        }
    }

    #[test]
    fn the_alphabet_has_no_look_alikes() {
        assert!(!ALPHANUMERIC.iter().any(|letter| b"0O1ILil".contains(letter)));
    }
}
