//! Names for secrets within one process: equal secrets, equal digests, and no way back without the process's memory.
//!
//! Used where a carrier has to recognise a number or a text again without keeping it. Never stored, never shown.

use std::hash::{BuildHasher, RandomState};

/// A digest of something secret.
pub(super) type Digest = [u64; 2];

/// Keys drawn at random when made, so that digests mean nothing elsewhere (SipHash, twice, for 128 bits).
#[derive(Default)]
pub(super) struct DigestKey([RandomState; 2]);

impl DigestKey {
    /// The digest of `parts`; where one part ends matters.
    pub(super) fn digest(&self, parts: &[&[u8]]) -> Digest {
        let [one, two] = &self.0;
        [one.hash_one(parts), two.hash_one(parts)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_parts_meet_and_other_parts_or_keys_do_not() {
        let key = DigestKey::default();
        assert_eq!(key.digest(&[b"ab", b"c"]), key.digest(&[b"ab", b"c"]));
        assert_ne!(key.digest(&[b"ab", b"c"]), key.digest(&[b"a", b"bc"]));
        assert_ne!(key.digest(&[b"ab"]), DigestKey::default().digest(&[b"ab"]));
    }
}
