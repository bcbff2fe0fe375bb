//! The text of API keys: `bk_live_` or `bk_test_`, then 40 characters of Crockford's base32 in lower case, which are
//! 160 random bits and a 40-bit checksum, SHA-256 over prefix and random bits.
//!
//! The checksum tells a typo from a key that is not known, and lets scanners report keys that leaked. It grants
//! nothing: who a key belongs to is found only by its HMAC in the directory.

use ring::digest;
use zeroize::{Zeroize, Zeroizing};

use crate::event::Mode;

/// No longer text is taken for a key.
pub(super) const MAX_LENGTH: usize = 128;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const RANDOM: usize = 20;
const CHECKSUM: usize = 5;
const GROUP: usize = 5;

/// Why a text is no API key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyTextError {
    /// Another prefix, length or alphabet.
    #[error("not an API key: it has to be bk_live_ or bk_test_ and 40 characters")]
    Malformed,
    /// The right shape, but a character is wrong.
    #[error("the API key has a typo: its checksum does not agree")]
    Checksum,
}

/// A new key for a tenant of this mode.
pub(super) fn fresh(mode: Mode) -> Zeroizing<String> {
    text(mode, &Zeroizing::new(crate::crypto::random()))
}

/// Reads the mode from a well-formed key. Says nothing about whether the key is valid.
///
/// # Errors
/// See [`KeyTextError`].
pub fn key_mode(key: &str) -> Result<Mode, KeyTextError> {
    let (mode, body) = [Mode::Live, Mode::Test]
        .into_iter()
        .find_map(|mode| Some((mode, key.strip_prefix(prefix(mode))?)))
        .ok_or(KeyTextError::Malformed)?;
    let bytes = decode(body).ok_or(KeyTextError::Malformed)?;
    let (random, sum) = bytes.split_at_checked(RANDOM).ok_or(KeyTextError::Malformed)?;
    if sum == checksum(mode, random) { Ok(mode) } else { Err(KeyTextError::Checksum) }
}

const fn prefix(mode: Mode) -> &'static str {
    match mode {
        Mode::Live => "bk_live_",
        Mode::Test => "bk_test_",
    }
}

fn text(mode: Mode, random: &[u8; RANDOM]) -> Zeroizing<String> {
    let mut bytes = Zeroizing::new([0; RANDOM + CHECKSUM]);
    let (head, tail) = bytes.split_at_mut(RANDOM);
    head.copy_from_slice(random);
    tail.copy_from_slice(&checksum(mode, random));
    // Room for all of it, so that the text never moves and leaves a copy behind.
    let mut out = Zeroizing::new(String::with_capacity(MAX_LENGTH));
    out.push_str(prefix(mode));
    bytes.chunks_exact(GROUP).for_each(|group| push_group(&mut out, group));
    out
}

fn checksum(mode: Mode, random: &[u8]) -> [u8; CHECKSUM] {
    let mut hash = digest::Context::new(&digest::SHA256);
    hash.update(prefix(mode).as_bytes());
    hash.update(random);
    let mut out = [0; CHECKSUM];
    for (to, from) in out.iter_mut().zip(hash.finish().as_ref()) {
        *to = *from;
    }
    out
}

/// Writes 5 bytes as 8 characters.
fn push_group(out: &mut String, group: &[u8]) {
    let bits = group.iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
    for shift in (0..8).rev() {
        let five = (bits >> (5 * shift)) & 31;
        out.extend(usize::try_from(five).ok().and_then(|i| ALPHABET.get(i)).map(|&c| char::from(c)));
    }
}

fn decode(body: &str) -> Option<Zeroizing<Vec<u8>>> {
    if body.len() != (RANDOM + CHECKSUM) / GROUP * 8 {
        return None;
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(RANDOM + CHECKSUM));
    for group in body.as_bytes().chunks_exact(8) {
        let mut bits = 0_u64;
        for character in group {
            bits = bits << 5 | u64::try_from(ALPHABET.iter().position(|c| c == character)?).ok()?;
        }
        bytes.extend(bits.to_be_bytes().iter().skip(3));
        bits.zeroize();
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn a_key_reads_back_as_its_mode_and_has_the_promised_shape() {
        for mode in [Mode::Live, Mode::Test] {
            let key = fresh(mode);
            assert_eq!(key.len(), 48);
            assert_eq!(key_mode(&key), Ok(mode));
            assert_ne!(*key, *fresh(mode), "keys are drawn at random");
        }
        assert_eq!(*text(Mode::Test, &[0; 20]), format!("bk_test_{}1v9czka5", "0".repeat(32)));
    }

    #[test]
    fn any_single_typo_is_told_from_an_unknown_key() {
        let key = text(Mode::Test, &[0xA7; 20]);
        for at in 8..key.len() {
            let mut typo = key.as_bytes().to_vec();
            typo[at] = if typo[at] == b'0' { b'1' } else { b'0' };
            assert_eq!(key_mode(std::str::from_utf8(&typo).unwrap()), Err(KeyTextError::Checksum), "at {at}");
        }
        assert_eq!(key_mode(&key.replace("bk_test_", "bk_live_")), Err(KeyTextError::Checksum));
    }

    #[test]
    fn what_has_another_shape_is_malformed() {
        let key = fresh(Mode::Live);
        for text in ["", "bk_live_", &key[..47], &format!("{}0", *key), &key.to_uppercase(), &key.replace("bk_", "sk_")]
        {
            assert_eq!(key_mode(text), Err(KeyTextError::Malformed));
        }
        assert_eq!(key_mode(&format!("bk_live_{}", "ü".repeat(20))), Err(KeyTextError::Malformed));
    }
}
