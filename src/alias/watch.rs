//! Watching pools: tells their owners once when few numbers are free, and again when that ended and comes back.

use super::Alias;
use super::error::AliasError;
use crate::event::What;
use crate::store::{AliasWrite, Change, Conflict, LowPool, StoreError, Write};
use crate::telemetry;

impl Alias {
    /// Looks at every pool whose owner wants to be told. For `worker::expire`.
    pub async fn watch_pools(&self) -> Result<(), AliasError> {
        let pools = self.store.low_pools().await?;
        let low = pools.iter().filter(|pool| pool.is_low()).count();
        telemetry::metrics().pools_low.set(i64::try_from(low).unwrap_or(i64::MAX));
        for pool in pools.iter().filter(|pool| pool.is_low() != pool.told) {
            match self.store.commit(self.telling_of(pool)).await {
                // Another process told it.
                Ok(_) | Err(StoreError::Conflict(Conflict::Taken)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn telling_of(&self, low: &LowPool) -> Change {
        let (pool, free, low_water) = (low.pool.id, low.free, low.pool.low_water.unwrap_or_default());
        let told = low.is_low();
        let what = match told {
            true => What::PoolLow { pool, free, low_water },
            false => What::PoolRefilled { pool, free, low_water },
        };
        let permit = self.access.upkeep(low.pool.tenant);
        let write = AliasWrite::ToldLow { pool, told };
        Change::telling(permit.event(self.store.now(), what)).with(Write::Alias(write))
    }
}
