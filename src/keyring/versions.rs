//! The versions of one key, and sealing under them.
//!
//! Ciphertexts begin with the version (u16, big-endian) they were sealed under; the newest seals, every one opens. The
//! associated data binds each ciphertext to its label, owner, id and key version, each part length-prefixed, so that
//! a ciphertext moved to another record, tenant or purpose does not open.

use zeroize::Zeroizing;

use super::KeyError;
use crate::crypto::{Key, aead};
use crate::store::Sealed;

/// Every version of one owner's key for one purpose; there is at least one.
pub(super) struct Versions<K = Key> {
    newest: (u16, K),
    older: Vec<(u16, K)>,
}

impl<K> Versions<K> {
    /// The versions, in any order; none if there are none.
    pub(super) fn of(mut keys: Vec<(u16, K)>) -> Option<Self> {
        keys.sort_unstable_by_key(|(version, _)| *version);
        let newest = keys.pop()?;
        Some(Self { newest, older: keys })
    }

    /// The version that seals.
    pub(super) fn version(&self) -> u16 {
        self.newest.0
    }

    /// The key that seals.
    pub(super) fn newest(&self) -> &K {
        &self.newest.1
    }

    /// The key of a version.
    pub(super) fn get(&self, version: u16) -> Option<&K> {
        if self.newest.0 == version {
            return Some(&self.newest.1);
        }
        self.older.iter().find(|(known, _)| *known == version).map(|(_, key)| key)
    }
}

impl Versions {
    /// Seals under the newest version.
    pub(super) fn seal(&self, place: &Place<'_>, plaintext: &[u8]) -> Sealed {
        let version = self.version();
        let ciphertext = aead::seal(self.newest(), &place.associated(version), plaintext);
        let mut out = Vec::with_capacity(2 + ciphertext.len());
        out.extend_from_slice(&version.to_be_bytes());
        out.extend_from_slice(&ciphertext);
        Sealed(out)
    }

    /// Opens what was sealed for this very place, under whichever version.
    pub(super) fn open(&self, place: &Place<'_>, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let (version, ciphertext) = sealed.0.split_first_chunk::<2>().ok_or(KeyError::Unopened)?;
        let version = u16::from_be_bytes(*version);
        let key = self.get(version).ok_or(KeyError::NoSuchVersion(version))?;
        aead::open(key, &place.associated(version), ciphertext).map_err(|_| KeyError::Unopened)
    }
}

/// Where a ciphertext belongs.
pub(super) struct Place<'a> {
    /// What kind of plaintext.
    pub(super) label: &'a str,
    /// Whose: a tenant's 16 bytes, or `system`.
    pub(super) owner: &'a [u8],
    /// Of what: a record's, message's or alias's id.
    pub(super) id: &'a [u8],
}

impl Place<'_> {
    fn associated(&self, version: u16) -> Vec<u8> {
        let mut out = Vec::with_capacity(96);
        for part in [b"bauta/1", self.label.as_bytes(), self.owner, self.id, &version.to_be_bytes()] {
            out.extend_from_slice(&(part.len() as u64).to_be_bytes());
            out.extend_from_slice(part);
        }
        out
    }
}
