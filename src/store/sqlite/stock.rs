//! The reads of aliases and pools, over the files that have the statements.

use async_trait::async_trait;

use super::{SqliteStore, leg, pool};
use crate::ids::{PoolId, TenantId};
use crate::phone::VirtualNumber;
use crate::store::{
    AliasRow, AliasStore, BlindIndex, LegRow, LotRow, LowPool, NumberFilter, NumberRow, PoolRow, Store, StoreError,
};

#[async_trait]
impl AliasStore for SqliteStore {
    async fn lots(&self, pool: PoolId) -> Result<Vec<LotRow>, StoreError> {
        self.readers.point(|conn| pool::lots(conn, pool))
    }

    async fn extension(&self, x: VirtualNumber, digits: &str) -> Result<Option<LegRow>, StoreError> {
        self.readers.point(|conn| leg::extension(conn, x, digits, self.now()))
    }

    async fn extensions_of(&self, x: VirtualNumber, a: BlindIndex) -> Result<Vec<AliasRow>, StoreError> {
        self.readers.point(|conn| leg::extensions_of(conn, x, a, self.now()))
    }

    async fn own_pools(&self, tenant: TenantId, after: Option<PoolId>, limit: u32) -> Result<Vec<PoolRow>, StoreError> {
        self.readers.point(|conn| pool::own(conn, tenant, after, limit))
    }

    async fn numbers(&self, filter: &NumberFilter) -> Result<Vec<NumberRow>, StoreError> {
        self.readers.point(|conn| pool::numbers(conn, filter))
    }

    async fn low_pools(&self) -> Result<Vec<LowPool>, StoreError> {
        self.readers.point(pool::low)
    }

    async fn busiest(&self, pool: PoolId) -> Result<u64, StoreError> {
        let now = self.now();
        self.readers.long(move |conn| pool::busiest(conn, pool, now)).await
    }
}
