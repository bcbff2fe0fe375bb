//! The versions of one key, and sealing under them.
//!
//! Ciphertexts begin with the version (u16, big-endian) they were sealed under; the newest that has begun seals, every
//! one opens. A new version begins a while after it was made (its purpose's lead), when every process has seen it. The
//! associated data binds each ciphertext to its label, owner, id and key version, each part length-prefixed, so that
//! a ciphertext moved to another record, tenant or purpose does not open.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use zeroize::Zeroizing;

use super::KeyError;
use super::uses::Uses;
use crate::clock::Timestamp;
use crate::crypto::{Key, aead};
use crate::store::Sealed;

/// Every version of one owner's key for one purpose; there is at least one.
pub(super) struct Versions<K = Key> {
    /// The one that is always there.
    first: Version<K>,
    /// The later ones, oldest first.
    later: Vec<Version<K>>,
    /// How many of the later ones have begun.
    begun: AtomicUsize,
}

/// One version.
pub(super) struct Version<K = Key> {
    /// Its number.
    pub(super) number: u16,
    /// When it begins to seal, unless it is the only one.
    pub(super) begins: Timestamp,
    /// The key.
    pub(super) key: K,
    /// How often it was used.
    pub(super) uses: Arc<Uses>,
}

impl<K> Versions<K> {
    /// The versions, in any order; none if there are none.
    pub(super) fn of(mut keys: Vec<Version<K>>, now: Timestamp) -> Option<Self> {
        keys.sort_unstable_by_key(|version| std::cmp::Reverse(version.number));
        let first = keys.pop()?;
        keys.reverse();
        let versions = Self { first, later: keys, begun: AtomicUsize::new(0) };
        versions.advance(now);
        Some(versions)
    }

    /// Lets versions begin whose time has come.
    pub(super) fn advance(&self, now: Timestamp) {
        let begun = self.later.iter().rposition(|version| version.begins <= now).map_or(0, |at| at + 1);
        self.begun.store(begun, Ordering::Release);
    }

    /// The version that seals.
    pub(super) fn sealing(&self) -> &Version<K> {
        let begun = self.begun.load(Ordering::Acquire);
        begun.checked_sub(1).and_then(|at| self.later.get(at)).unwrap_or(&self.first)
    }

    /// The number of the version that seals.
    pub(super) fn version(&self) -> u16 {
        self.sealing().number
    }

    /// The key that seals.
    pub(super) fn newest(&self) -> &K {
        &self.sealing().key
    }

    /// The key of a version.
    pub(super) fn get(&self, version: u16) -> Option<&K> {
        self.all().find(|known| known.number == version).map(|known| &known.key)
    }

    /// Every version, oldest first.
    pub(super) fn all(&self) -> impl Iterator<Item = &Version<K>> {
        std::iter::once(&self.first).chain(&self.later)
    }
}

impl Versions {
    /// Seals under the newest version.
    pub(super) fn seal(&self, place: &Place<'_>, plaintext: &[u8]) -> Sealed {
        let Version { number: version, key, uses, .. } = self.sealing();
        uses.count();
        let ciphertext = aead::seal(key, &place.associated(*version), plaintext);
        let mut out = Vec::with_capacity(2 + ciphertext.len());
        out.extend_from_slice(&version.to_be_bytes());
        out.extend_from_slice(&ciphertext);
        Sealed(out)
    }

    /// Seals anew what an older version sealed for this very place; none if the one that seals did.
    pub(super) fn reseal(&self, place: &Place<'_>, sealed: &Sealed) -> Result<Option<Sealed>, KeyError> {
        let newest = self.version().to_be_bytes();
        if sealed.0.starts_with(&newest) {
            return Ok(None);
        }
        self.open(place, sealed).map(|opened| Some(self.seal(place, &opened)))
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
