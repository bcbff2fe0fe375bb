//! `Content-Digest` (RFC 9530): what the body has to hash to.

use ring::digest::{Algorithm, SHA256, SHA512, digest};
use sfv::{Dictionary, ListEntry, Parser};

/// Longest field that is read.
const FIELD_MAX: usize = 1_024;

/// Every digest of a known and sound algorithm that the field names; at least one.
pub(super) struct Digests(Vec<(&'static Algorithm, Vec<u8>)>);

impl Digests {
    /// Reads the field; none if it cannot be read or names no algorithm that is known.
    pub(super) fn read(field: &str) -> Option<Self> {
        if field.len() > FIELD_MAX {
            return None;
        }
        let named: Dictionary = Parser::new(field).parse().ok()?;
        let mut known = Vec::new();
        for (name, value) in &named {
            let algorithm = match name.as_str() {
                "sha-256" => &SHA256,
                "sha-512" => &SHA512,
                _ => continue,
            };
            let ListEntry::Item(item) = value else { return None };
            known.push((algorithm, item.bare_item.as_byte_sequence()?.to_vec()));
        }
        (!known.is_empty()).then_some(Self(known))
    }

    /// Whether every one of them is that of `body`.
    pub(super) fn of(&self, body: &[u8]) -> bool {
        self.0.iter().all(|(algorithm, expected)| digest(algorithm, body).as_ref() == expected.as_slice())
    }
}
