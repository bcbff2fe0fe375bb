//! Tokens as text: two kinds, a checksum, and the one regular expression that finds them. Pure.
//!
//! | kind | text | payload |
//! |---|---|---|
//! | vaulted | `tok_` and 32 characters | version (1 byte) ‖ one AES-256 block (16) ‖ checksum (3) |
//! | sealed | `tks_` and 56 characters | format (1) ‖ key version (2, big-endian) ‖ synthetic IV (16) ‖ ciphertext (12) ‖ checksum (4) |
//!
//! Characters are Crockford's base32 in lower case ([`base32`]). The checksum is the first bytes of
//! SHA-256(prefix ‖ payload): no secret, it tells a typo from a token that nobody knows. What is inside a block or a
//! ciphertext only the `keyring` can say; a [`Token`] is well formed, not known. Lengths are fixed, so that a token ends
//! where it ends, whatever follows it.

pub mod base32;

use std::fmt;

use ring::digest;
use serde::{Serialize, Serializer};

/// Finds every token in any text, in the syntax that PCRE, RE2, ECMAScript and Rust's `regex` share. What it finds may
/// still fail its checksum: [`Token::parse`] says.
pub const PATTERN: &str = "tok_[0-9a-hjkmnp-tv-z]{32}|tks_[0-9a-hjkmnp-tv-z]{56}";

/// Which kind of token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// `tok_…`: names a record of the store.
    Vaulted,
    /// `tks_…`: holds the number itself, sealed.
    Sealed,
}

/// A well-formed token. Serialized as its text; its `Debug` shows the kind's prefix only, since logs and audit name
/// people by subject and not by token.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Token {
    kind: Kind,
    text: String,
}

/// Why a text is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It has not the shape of one: prefix, length, characters or format.
    #[error("not a token")]
    Malformed,
    /// It has the shape, and a typo.
    #[error("the token's checksum does not match: a typo")]
    Checksum,
}

impl Token {
    /// Reads a token. Lower case only, nothing around it.
    ///
    /// # Errors
    /// [`TokenError::Checksum`] where the shape is right and a character is not; else [`TokenError::Malformed`].
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        let kind = Kind::of(text).ok_or(TokenError::Malformed)?;
        let payload = match kind {
            Kind::Vaulted => payload_of::<VAULTED>(kind, text)?.to_vec(),
            Kind::Sealed => payload_of::<SEALED>(kind, text)?.to_vec(),
        };
        if kind == Kind::Sealed && payload.first() != Some(&SEALED_FORMAT) {
            return Err(TokenError::Malformed);
        }
        Ok(Self { kind, text: text.to_owned() })
    }

    /// The vaulted token of an encrypted block under version `version` of the token key.
    pub fn vaulted(version: u8, block: [u8; 16]) -> Self {
        Self::of(Kind::Vaulted, &[&[version], &block])
    }

    /// Version and block of a vaulted token.
    pub fn vaulted_parts(&self) -> Option<(u8, [u8; 16])> {
        let payload = self.payload::<VAULTED>(Kind::Vaulted)?;
        let (version, block) = payload.split_first()?;
        Some((*version, *block.first_chunk()?))
    }

    /// The sealed token of a synthetic IV (16 bytes) ‖ ciphertext (12 bytes) under version `key_version` of the siv key.
    pub fn sealed(key_version: u16, siv: &[u8; 28]) -> Self {
        Self::of(Kind::Sealed, &[&[SEALED_FORMAT], &key_version.to_be_bytes(), siv])
    }

    /// Key version and synthetic IV ‖ ciphertext of a sealed token.
    pub fn sealed_parts(&self) -> Option<(u16, [u8; 28])> {
        let payload = self.payload::<SEALED>(Kind::Sealed)?;
        let (_format, rest) = payload.split_first()?;
        let (version, siv) = rest.split_first_chunk::<2>()?;
        Some((u16::from_be_bytes(*version), *siv.first_chunk()?))
    }

    /// The text, to be answered to whoever may have it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Which kind it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    fn of(kind: Kind, parts: &[&[u8]]) -> Self {
        let mut payload = parts.concat();
        let checksum = checksum(kind.prefix(), &payload);
        payload.extend(checksum.iter().take(kind.checksum_length()));
        Self { kind, text: format!("{}{}", kind.prefix(), base32::encode(&payload)) }
    }

    fn payload<const N: usize>(&self, kind: Kind) -> Option<[u8; N]> {
        (self.kind == kind).then(|| payload_of(kind, &self.text).ok()).flatten()
    }
}

impl Kind {
    fn of(text: &str) -> Option<Self> {
        [Self::Vaulted, Self::Sealed].into_iter().find(|kind| text.starts_with(kind.prefix()))
    }

    fn prefix(self) -> &'static str {
        match self {
            Self::Vaulted => "tok_",
            Self::Sealed => "tks_",
        }
    }

    fn checksum_length(self) -> usize {
        match self {
            Self::Vaulted => 3,
            Self::Sealed => 4,
        }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}…", self.kind.prefix())
    }
}

impl Serialize for Token {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

/// SHA-256 over a prefix and what follows it; callers keep the first bytes. API keys use it as well.
pub fn checksum(prefix: &str, payload: &[u8]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(prefix.as_bytes());
    context.update(payload);
    let mut sum = [0; 32];
    sum.copy_from_slice(context.finish().as_ref());
    sum
}

/// The first `N` bytes after the prefix, once the checksum behind them was found right.
fn payload_of<const N: usize>(kind: Kind, text: &str) -> Result<[u8; N], TokenError> {
    let characters = text.strip_prefix(kind.prefix()).ok_or(TokenError::Malformed)?;
    let bytes = base32::decode(characters).ok_or(TokenError::Malformed)?;
    let (payload, sum) = bytes.split_first_chunk::<N>().ok_or(TokenError::Malformed)?;
    if sum.len() != kind.checksum_length() {
        return Err(TokenError::Malformed);
    }
    if !checksum(kind.prefix(), payload).starts_with(sum) {
        return Err(TokenError::Checksum);
    }
    Ok(*payload)
}

const VAULTED: usize = 1 + 16;
const SEALED: usize = 1 + 2 + 16 + 12;
const SEALED_FORMAT: u8 = 1;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use proptest::prelude::*;
    use regex::Regex;

    use super::*;

    fn vaulted() -> Token {
        Token::vaulted(1, *b"a block of bytes")
    }

    fn sealed() -> Token {
        Token::sealed(7, b"synthetic iv and ciphertext!")
    }

    /// Computed with Python's `hashlib` and `base64`.
    #[test]
    fn the_text_form_does_not_change() {
        assert_eq!(vaulted().as_str(), "tok_05gj0rkcdxhpp83fcrg64ybmcnsqxzdf");
        assert_eq!(sealed().as_str(), "tks_0400ewvsdst6gsbmd5hj0tbp41gpws10cdmq0t35e9t6ay3m47t55cm5");
    }

    #[test]
    fn what_went_in_comes_out() {
        let read = Token::parse(vaulted().as_str()).unwrap();
        assert_eq!(read.vaulted_parts(), Some((1, *b"a block of bytes")));
        assert_eq!((read.kind(), read.sealed_parts()), (Kind::Vaulted, None));
        let read = Token::parse(sealed().as_str()).unwrap();
        assert_eq!(read.sealed_parts(), Some((7, *b"synthetic iv and ciphertext!")));
        assert_eq!((read.kind(), read.vaulted_parts()), (Kind::Sealed, None));
    }

    #[test]
    fn every_single_wrong_character_is_told_as_a_typo() {
        for token in [vaulted(), sealed()] {
            for (position, right) in token.as_str().char_indices().skip(4) {
                for wrong in "0123456789abcdefghjkmnpqrstvwxyz".chars().filter(|c| *c != right) {
                    let mut text = token.as_str().to_owned();
                    text.replace_range(position..=position, &wrong.to_string());
                    assert_eq!(Token::parse(&text).err(), Some(TokenError::Checksum), "{text}");
                }
            }
        }
    }

    #[test]
    fn swapped_neighbours_are_told_as_a_typo() {
        for token in [vaulted(), sealed()] {
            let bytes = token.as_str().as_bytes();
            for i in (4..bytes.len() - 1).filter(|i| bytes[*i] != bytes[i + 1]) {
                let mut text = bytes.to_vec();
                text.swap(i, i + 1);
                assert_eq!(Token::parse(str::from_utf8(&text).unwrap()).err(), Some(TokenError::Checksum));
            }
        }
    }

    #[test]
    fn other_shapes_are_malformed() {
        let (good, other) = (vaulted(), sealed());
        let good = good.as_str();
        let shapes = [
            String::new(),
            "tok_".to_owned(),
            good[..35].to_owned(),
            format!("{good}0"),
            format!(" {good}"),
            format!("{good}\n"),
            good.to_uppercase(),
            good.replace("tok_", "TOK_"),
            good.replace("tok_", "tks_"),
            other.as_str().replace("tks_", "tok_"),
            good.replace("tok_0", "tok_o"),
            good.replace("tok_0", "tok_é"),
        ];
        for text in shapes {
            assert_eq!(Token::parse(&text).err(), Some(TokenError::Malformed), "{text:?}");
        }
    }

    #[test]
    fn a_sealed_format_of_the_future_is_malformed() {
        let future = Token::of(Kind::Sealed, &[&[2], &[0; 30]]);
        assert_eq!(Token::parse(future.as_str()).err(), Some(TokenError::Malformed));
    }

    #[test]
    fn debug_shows_no_token() {
        assert_eq!(format!("{:?} {:?}", vaulted(), sealed()), "tok_… tks_…");
        assert_eq!(serde_json::to_string(&vaulted()).unwrap(), format!("\"{}\"", vaulted().as_str()));
    }

    #[test]
    fn the_pattern_finds_tokens_in_any_text() {
        let pattern = Regex::new(PATTERN).unwrap();
        let (a, b) = (vaulted(), sealed());
        let text = format!("cho {}, và令牌{}谢谢; x{}0 tok_abc TOK_", a.as_str(), b.as_str(), a.as_str());
        let found: Vec<&str> = pattern.find_iter(&text).map(|found| found.as_str()).collect();
        assert_eq!(found, [a.as_str(), b.as_str(), a.as_str()]);
    }

    proptest! {
        #[test]
        fn every_token_reads_back_and_matches_the_pattern(version: u8, block: [u8; 16], key: u16, siv: [u8; 28]) {
            let pattern = Regex::new(&format!("^(?:{PATTERN})$")).unwrap();
            for token in [Token::vaulted(version, block), Token::sealed(key, &siv)] {
                prop_assert!(pattern.is_match(token.as_str()));
                prop_assert!(Token::parse(token.as_str()).is_ok_and(|read| read == token));
            }
        }

        #[test]
        fn parsing_never_panics(text in ".{0,80}") {
            let _ = Token::parse(&text);
            let _ = Token::parse(&format!("tok_{text}"));
        }
    }
}
