//! Record ids: blocks set aside durably, handed out without lock or wait.
//!
//! Invariant: no id is handed out twice, by any process, ever. What is left of a block when the process ends is lost,
//! which 64 bits afford.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use tokio::sync::Mutex;

use crate::ids::RecordId;
use crate::store::{Store, StoreError};

/// The ids that this process may give to new records.
pub(super) struct Records {
    block: ArcSwap<Block>,
    refill: Mutex<()>,
}

struct Block {
    next: AtomicU64,
    end: u64,
}

impl Block {
    /// The first of `count` ids in a row, if the block still has them.
    fn take(&self, count: u64) -> Option<u64> {
        let first = self.next.fetch_add(count, Ordering::Relaxed);
        (first.checked_add(count)? <= self.end).then_some(first)
    }
}

impl Records {
    /// Holds nothing yet: the first use sets a block aside.
    pub(super) fn none_yet() -> Self {
        Self { block: ArcSwap::from_pointee(Block { next: AtomicU64::new(0), end: 0 }), refill: Mutex::new(()) }
    }

    /// One new id.
    pub(super) async fn one(&self, store: &dyn Store) -> Result<RecordId, StoreError> {
        self.row(store, 1).await.map(RecordId)
    }

    /// The first of `count` new ids in a row.
    pub(super) async fn row(&self, store: &dyn Store, count: u64) -> Result<u64, StoreError> {
        if let Some(first) = self.block.load().take(count) {
            return Ok(first);
        }
        let _turn = self.refill.lock().await;
        if let Some(first) = self.block.load().take(count) {
            return Ok(first);
        }
        let size = BLOCK.max(count);
        let RecordId(first) = store.reserve_records(size).await?;
        let end = first.checked_add(size).ok_or(StoreError::Corrupt("high-water mark of record ids"))?;
        self.block.store(Arc::new(Block { next: AtomicU64::new(first + count), end }));
        Ok(first)
    }
}

const BLOCK: u64 = 65_536;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::HashSet;

    use super::*;
    use crate::keyring::double::MemoryStore;

    #[tokio::test(flavor = "multi_thread")]
    async fn no_id_is_given_twice_over_tasks_blocks_and_processes() {
        let store = Arc::new(MemoryStore::new());
        let mut tasks = Vec::new();
        for process in [Arc::new(Records::none_yet()), Arc::new(Records::none_yet())] {
            for _ in 0..4 {
                let (process, store) = (Arc::clone(&process), Arc::clone(&store));
                tasks.push(tokio::spawn(async move {
                    let mut seen = Vec::new();
                    for n in 0..20_000 {
                        let count = if n % 100 == 0 { 50 } else { 1 };
                        let first = process.row(store.as_ref(), count).await.unwrap();
                        seen.extend(first..first + count);
                    }
                    seen
                }));
            }
        }
        let mut all = HashSet::new();
        for task in tasks {
            for id in task.await.unwrap() {
                assert!(all.insert(id));
            }
        }
    }
}
