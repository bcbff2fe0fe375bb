//! Which pool a called number is in. A number never changes its pool and a pool never changes, so that both are kept.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::ids::PoolId;
use crate::phone::VirtualNumber;
use crate::store::{PoolRow, Store, StoreError};

/// The pools of called numbers. Only numbers that are in a pool are remembered.
pub(super) struct Pools {
    store: Arc<dyn Store>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    homes: HashMap<VirtualNumber, PoolId>,
    pools: HashMap<PoolId, Arc<PoolRow>>,
}

impl Pools {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self { store, known: Mutex::default() }
    }

    /// The pool that `number` is in, if it is in one.
    pub(super) async fn of(&self, number: VirtualNumber) -> Result<Option<Arc<PoolRow>>, StoreError> {
        if let Some(pool) = self.remembered(number) {
            return Ok(Some(pool));
        }
        let Some(home) = self.store.number(number).await? else { return Ok(None) };
        let Some(pool) = self.store.pool(home.pool).await? else { return Ok(None) };
        Ok(Some(self.remember(number, pool)))
    }

    fn remembered(&self, number: VirtualNumber) -> Option<Arc<PoolRow>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.homes.get(&number).and_then(|id| known.pools.get(id)).cloned()
    }

    fn remember(&self, number: VirtualNumber, pool: PoolRow) -> Arc<PoolRow> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.homes.len() >= MAX_NUMBERS {
            *known = Known::default();
        }
        known.homes.insert(number, pool.id);
        Arc::clone(known.pools.entry(pool.id).or_insert_with(|| Arc::new(pool)))
    }
}

const MAX_NUMBERS: usize = 65_536;
