//! Tokens as text: four kinds, a checksum each, and the one regular expression that finds them. Pure.
//!
//! | kind | text | payload |
//! |---|---|---|
//! | vaulted | `tok_` and 32 characters | version (1 byte) ‖ one AES-256 block (16) ‖ checksum (3) |
//! | sealed | `tks_` and 56 characters | format (1) ‖ key version (2, big-endian) ‖ synthetic IV (16) ‖ ciphertext (12) ‖ checksum (4) |
//! | lookalike | `+999` and 12 digits | eleven digits ‖ check digit ([`lookalike`]) |
//! | fpe | `+` and digits | a number in the form of a number: nothing tells it from one |
//!
//! Characters are Crockford's base32 in lower case ([`base32`]). The checksum is the first bytes of
//! SHA-256(prefix ‖ payload): no secret, it tells a typo from a token that nobody knows. What is inside a block or a
//! ciphertext only the `keyring` can say; a [`Token`] is well formed, not known. Lengths are fixed, so that a token ends
//! where it ends, whatever follows it. An fpe text is made here and never read: no call takes one for a token.

pub mod base32;
mod lookalike;
#[cfg(test)]
mod tests;

use std::fmt;

use ring::digest;
use serde::{Serialize, Serializer};
use zeroize::Zeroizing;

pub use lookalike::BODIES;

/// Finds every token in any text, in the syntax that PCRE, RE2, ECMAScript and Rust's `regex` share. What it finds may
/// still fail its checksum: [`Token::parse`] says. Not an fpe text, which nothing tells from a number.
pub const PATTERN: &str = r"tok_[0-9a-hjkmnp-tv-z]{32}|tks_[0-9a-hjkmnp-tv-z]{56}|\+999[0-9]{12}";

/// Which kind of token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// `tok_…`: names a record of the store.
    Vaulted,
    /// `tks_…`: holds the number itself, sealed.
    Sealed,
    /// `+999…`: names a record of the store, in the form of a phone number that can never ring.
    Lookalike,
    /// `+…`: the number under FF1, in the form of a number, perhaps somebody's. Made, never accepted.
    Fpe,
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
        match kind {
            Kind::Vaulted => payload_of::<VAULTED>(kind, text).map(drop)?,
            Kind::Sealed if payload_of::<SEALED>(kind, text)?.first() == Some(&SEALED_FORMAT) => {}
            Kind::Lookalike => body_of(text).map(drop)?,
            Kind::Sealed | Kind::Fpe => return Err(TokenError::Malformed),
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

    /// The lookalike of a body below [`BODIES`].
    pub fn lookalike(body: u64) -> Self {
        Self { kind: Kind::Lookalike, text: lookalike::text(body) }
    }

    /// The body of a lookalike.
    pub fn lookalike_body(&self) -> Option<u64> {
        (self.kind == Kind::Lookalike).then(|| body_of(&self.text).ok()).flatten()
    }

    /// The fpe text of these digits, country code first.
    pub fn fpe(digits: &Zeroizing<String>) -> Self {
        Self { kind: Kind::Fpe, text: format!("+{}", digits.as_str()) }
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
    /// The kind that a text claims to be. No text claims to be an fpe token.
    fn of(text: &str) -> Option<Self> {
        [Self::Vaulted, Self::Sealed, Self::Lookalike].into_iter().find(|kind| text.starts_with(kind.prefix()))
    }

    fn prefix(self) -> &'static str {
        match self {
            Self::Vaulted => "tok_",
            Self::Sealed => "tks_",
            Self::Lookalike => lookalike::PREFIX,
            Self::Fpe => "+",
        }
    }

    /// Bytes of the checksum of a base32 kind.
    fn checksum_length(self) -> usize {
        match self {
            Self::Vaulted => 3,
            Self::Sealed | Self::Lookalike | Self::Fpe => 4,
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

/// The body of a lookalike's text, once its check digit was found right.
fn body_of(text: &str) -> Result<u64, TokenError> {
    let body = lookalike::body(text).ok_or(TokenError::Malformed)?;
    body.map_err(|lookalike::WrongCheckDigit| TokenError::Checksum)
}

const VAULTED: usize = 1 + 16;
const SEALED: usize = 1 + 2 + 16 + 12;
const SEALED_FORMAT: u8 = 1;
