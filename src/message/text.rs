//! Octets of a message as they came, and the text that they spell.

use zeroize::Zeroizing;

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
