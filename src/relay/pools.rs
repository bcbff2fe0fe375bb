//! Which pool a called number is in, and by which carriers it is reached. A number never changes its pool, and neither
//! changes its carriers, so that all are kept.

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
    homes: HashMap<VirtualNumber, Home>,
    pools: HashMap<PoolId, Arc<PoolRow>>,
}

/// A number's pool, and its own carriers if it has other ones than the pool.
#[derive(Clone)]
struct Home {
    pool: PoolId,
    carriers: Arc<[String]>,
}

impl Pools {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self { store, known: Mutex::default() }
    }

    /// The pool that `number` is in, if `carrier` brings what is written to it.
    pub(super) async fn of(&self, number: VirtualNumber, carrier: &str) -> Result<Option<Arc<PoolRow>>, StoreError> {
        let found = match self.remembered(number) {
            Some(found) => found,
            None => match self.read(number).await? {
                Some(found) => found,
                None => return Ok(None),
            },
        };
        let (home, pool) = found;
        let is_own = home.carriers.iter().any(|own| own == carrier);
        let is_its = if home.carriers.is_empty() { pool.carrier == carrier } else { is_own };
        Ok(Some(pool).filter(|_| is_its))
    }

    async fn read(&self, number: VirtualNumber) -> Result<Option<(Home, Arc<PoolRow>)>, StoreError> {
        let Some(row) = self.store.number(number).await? else { return Ok(None) };
        let Some(pool) = self.store.pool(row.pool).await? else { return Ok(None) };
        let home = Home { pool: row.pool, carriers: row.traits.carriers.into() };
        Ok(Some((home.clone(), self.remember(number, home, pool))))
    }

    fn remembered(&self, number: VirtualNumber) -> Option<(Home, Arc<PoolRow>)> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let home = known.homes.get(&number)?;
        Some((home.clone(), Arc::clone(known.pools.get(&home.pool)?)))
    }

    fn remember(&self, number: VirtualNumber, home: Home, pool: PoolRow) -> Arc<PoolRow> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.homes.len() >= MAX_NUMBERS {
            *known = Known::default();
        }
        known.homes.insert(number, home);
        Arc::clone(known.pools.entry(pool.id).or_insert_with(|| Arc::new(pool)))
    }
}

const MAX_NUMBERS: usize = 65_536;
