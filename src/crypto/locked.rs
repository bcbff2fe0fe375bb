//! Where keys lie: in pages that the operating system keeps out of swap, many to a page, wiped as each is dropped.
//!
//! A page is locked (`mlock(2)`) when it is made and stays so; a slot that comes free is used again, so that the number
//! of pages follows the most keys there ever were at once. Slots are atomics: they are written once, before their key
//! is known to anybody, and wiped once, after its last use. Where the system does not allow more locked memory
//! (`RLIMIT_MEMLOCK`), keys lie in ordinary pages; the first time is told, and [`is_locked`] tells it ever after.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use zeroize::Zeroizing;

/// The bytes of one key, 32 or 64 of them.
pub(super) struct Locked<const N: usize> {
    page: Arc<Page>,
    slot: usize,
}

impl<const N: usize> Locked<N> {
    /// Keeps `bytes`. The caller's copy is the caller's to wipe.
    pub(super) fn keep(bytes: &[u8; N]) -> Self {
        const { assert!(N <= SLOT * 8 && N.is_multiple_of(8)) }
        let (page, slot) = POOL.lock().unwrap_or_else(PoisonError::into_inner).take();
        let kept = Self { page, slot };
        for (word, bytes) in kept.words().iter().zip(bytes.as_chunks::<8>().0) {
            word.store(u64::from_ne_bytes(*bytes), Ordering::Relaxed);
        }
        kept
    }

    /// A copy, which wipes itself.
    pub(super) fn copy(&self) -> Zeroizing<[u8; N]> {
        let mut copy = Zeroizing::new([0; N]);
        for (word, bytes) in self.words().iter().zip(copy.as_chunks_mut::<8>().0) {
            *bytes = word.load(Ordering::Relaxed).to_ne_bytes();
        }
        copy
    }

    fn words(&self) -> &[AtomicU64] {
        self.page.0.get(self.slot).map_or(&[], |slot| slot.as_slice())
    }
}

impl<const N: usize> Drop for Locked<N> {
    fn drop(&mut self) {
        self.words().iter().for_each(|word| word.store(0, Ordering::Relaxed));
        POOL.lock().unwrap_or_else(PoisonError::into_inner).free.push((Arc::clone(&self.page), self.slot));
    }
}

/// Whether every key so far lies in locked memory.
pub fn is_locked() -> bool {
    !REFUSED.load(Ordering::Relaxed)
}

/// Words of a slot: the longest key has 64 bytes.
const SLOT: usize = 8;

/// Slots of a page.
const SLOTS: usize = 64;

/// One page of memory, and nothing else in it.
#[repr(align(4096))]
struct Page([[AtomicU64; SLOT]; SLOTS]);

struct Pool {
    free: Vec<(Arc<Page>, usize)>,
    /// Held for ever: a page is given back to nobody.
    locks: Vec<region::LockGuard>,
}

static POOL: Mutex<Pool> = Mutex::new(Pool { free: Vec::new(), locks: Vec::new() });

/// Whether the system has refused to lock a page.
static REFUSED: AtomicBool = AtomicBool::new(false);

impl Pool {
    fn take(&mut self) -> (Arc<Page>, usize) {
        if let Some(free) = self.free.pop() {
            return free;
        }
        let page = Arc::new(Page(std::array::from_fn(|_| std::array::from_fn(|_| AtomicU64::new(0)))));
        match region::lock(page.0.as_ptr(), size_of::<Page>()) {
            Ok(lock) => self.locks.push(lock),
            Err(error) if !REFUSED.swap(true, Ordering::Relaxed) => {
                tracing::warn!(%error, "keys lie in memory that may be swapped; raise the limit of locked memory (ulimit -l, LimitMEMLOCK=)");
            }
            Err(_) => {}
        }
        self.free.extend((1..SLOTS).map(|slot| (Arc::clone(&page), slot)));
        (page, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_comes_back_and_is_gone_once_dropped() {
        let kept = Locked::keep(&[7; 64]);
        assert_eq!(*kept.copy(), [7; 64]);
        let (page, slot) = (Arc::clone(&kept.page), kept.slot);
        // Others of this process may take the slot at once, but none of them keeps these bytes.
        drop(kept);
        assert!(
            page.0
                .get(slot)
                .is_some_and(|words| words.iter().all(|word| word.load(Ordering::Relaxed) != 0x0707_0707_0707_0707))
        );
    }

    #[test]
    fn keys_share_pages_and_each_page_is_one_of_the_machine() {
        assert_eq!(size_of::<Page>(), 4096);
        let kept: Vec<_> = (0..=u8::MAX).map(|n| Locked::keep(&[n; 32])).collect();
        for (n, key) in (0..=u8::MAX).zip(&kept) {
            assert_eq!(*key.copy(), [n; 32]);
            assert_eq!(key.page.0.as_ptr().addr() % 4096, 0);
        }
        let mut pages: Vec<_> = kept.iter().map(|key| Arc::as_ptr(&key.page).addr()).collect();
        pages.sort_unstable();
        pages.dedup();
        assert!(pages.len() <= 64, "{}", pages.len());
    }
}
