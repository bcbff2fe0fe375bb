//! The carriers at which each pool number lives: the only ones by which its messages leave, since only there an answer
//! finds back.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::phone::VirtualNumber;
use crate::store::{Store, StoreError};

/// Looked up once; neither a number's carriers nor its pool's ever change.
pub(super) struct Homes {
    store: Arc<dyn Store>,
    known: Mutex<HashMap<VirtualNumber, Arc<[Arc<str>]>>>,
}

impl Homes {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self { store, known: Mutex::default() }
    }

    /// The number's carriers; none if it is in no pool.
    pub(super) async fn carriers(&self, number: VirtualNumber) -> Result<Option<Arc<[Arc<str>]>>, StoreError> {
        if let Some(known) = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&number) {
            return Ok(Some(Arc::clone(known)));
        }
        let Some(row) = self.store.number(number).await? else { return Ok(None) };
        let Some(pool) = self.store.pool(row.pool).await? else { return Ok(None) };
        let carriers = match row.traits.carriers.as_slice() {
            [] => [pool.carrier.into()].into(),
            own => own.iter().map(|name| name.as_str().into()).collect::<Arc<[Arc<str>]>>(),
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_NUMBERS {
            known.clear();
        }
        known.insert(number, Arc::clone(&carriers));
        Ok(Some(carriers))
    }
}

const MAX_NUMBERS: usize = 65_536;
