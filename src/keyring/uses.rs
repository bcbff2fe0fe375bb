//! How often a key version was used: counted in memory, set aside in the store beforehand.
//!
//! Uses are set aside by [`CHUNK`]; whoever crashes loses what it had left of one, so that the store's count is too high
//! and never too low. [`Keyring::tenant`](super::Keyring::tenant) and the watch set aside the next chunk once less than
//! half of one is left: no operation seals half a million texts between two calls.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::purpose::{Owner, Purpose};

/// One key version's count in this process.
#[derive(Default)]
pub(super) struct Uses {
    used: AtomicU64,
    set_aside: AtomicU64,
}

impl Uses {
    /// Counts one use.
    pub(super) fn count(&self) {
        self.used.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether the next chunk is wanted.
    pub(super) fn is_low(&self) -> bool {
        self.used.load(Ordering::Relaxed) + CHUNK / 2 >= self.set_aside.load(Ordering::Relaxed)
    }

    /// How many to set aside: one chunk, or more if more were used than had been.
    pub(super) fn wanted(&self) -> u64 {
        let used = self.used.load(Ordering::Relaxed);
        used.saturating_sub(self.set_aside.load(Ordering::Relaxed)) + CHUNK
    }

    /// Notes what the store sets aside.
    pub(super) fn add(&self, count: u64) {
        self.set_aside.fetch_add(count, Ordering::Relaxed);
    }

    /// Notes that the store did not.
    pub(super) fn take_back(&self, count: u64) {
        self.set_aside.fetch_sub(count, Ordering::Relaxed);
    }
}

/// The counts of this process. They outlive the unwrapped keys, which come and go.
#[derive(Default)]
pub(super) struct Counts(Mutex<HashMap<(Owner, Purpose, u16), Arc<Uses>>>);

impl Counts {
    pub(super) fn of(&self, owner: Owner, purpose: Purpose, version: u16) -> Arc<Uses> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(counts.entry((owner, purpose, version)).or_default())
    }
}

/// Uses set aside at a time.
pub(super) const CHUNK: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_is_wanted_before_the_first_use_and_before_half_is_gone() {
        let uses = Uses::default();
        assert!(uses.is_low());
        uses.add(uses.wanted());
        assert!(!uses.is_low());
        for _ in 0..CHUNK / 2 {
            uses.count();
        }
        assert!(uses.is_low());
        assert_eq!(uses.wanted(), CHUNK);
    }

    #[test]
    fn what_was_used_without_being_set_aside_is_set_aside_afterwards() {
        let uses = Uses::default();
        for _ in 0..7 {
            uses.count();
        }
        assert_eq!(uses.wanted(), CHUNK + 7);
    }
}
