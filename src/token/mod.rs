//! Tokens as text: kinds, checksum, the one regular expression that finds them. Pure.

/// A well-formed token.
#[derive(Clone, PartialEq, Eq)]
pub struct Token;

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}
