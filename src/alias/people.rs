//! What an alias needs to know of the person behind a token record, without ever showing the number.
//!
//! Numbers are opened here only to be turned into an index or a subject at once. Called by `alias` when it binds, and
//! by `relay` and `worker` for the subject that an event names.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use crate::ids::{self, AliasId, RecordId, SubjectId, TenantId};
use crate::keyring::{KeyError, Keyring};
use crate::phone::Bearing;
use crate::store::{BlindIndex, LotId, LotRow, Party, PoolRow, Sealed, Store, StoreError, TokenRow};

/// Looks people up by their token record.
pub struct People {
    store: Arc<dyn Store>,
    keyring: Arc<Keyring>,
    /// What is known of a record never changes, and none of it is secret.
    subjects: Mutex<HashMap<(TenantId, RecordId), Known>>,
}

/// Why a person could not be looked up.
#[derive(Debug, thiserror::Error)]
pub enum PeopleError {
    /// There is no such record: erased, or another tenant's.
    #[error("no such record")]
    Missing,
    /// The durable store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A key could not be had, or does not fit.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// A person as a tenant's keyed ids name one.
#[derive(Clone, Copy)]
pub struct Known {
    /// As events name the person.
    pub subject: SubjectId,
    /// Under the tenant's index key, as suppressions name the person.
    pub index: BlindIndex,
}

/// A person as a pool sees one.
pub struct Seen {
    /// The record and its index under the pool's key.
    pub party: Party,
    /// Whether the person's number is itself in a pool of the same mode.
    pub in_pool: bool,
    /// The lots whose numbers reach the person.
    pub reached: BTreeSet<LotId>,
}

impl People {
    /// Over a store and its keys.
    pub fn new(store: Arc<dyn Store>, keyring: Arc<Keyring>) -> Self {
        Self { store, keyring, subjects: Mutex::default() }
    }

    /// The person behind `record`, as `pool` with these lots sees them.
    pub async fn seen_by(
        &self,
        pool: &PoolRow,
        tenant: TenantId,
        record: RecordId,
        lots: &[LotRow],
    ) -> Result<Seen, PeopleError> {
        let row = self.row(tenant, record).await?;
        let number = self.keyring.tenant(tenant).await?.open_number(record, &row.number)?;
        let index = self.keyring.system().pool_index(pool.id, &number);
        let in_pool = self.store.in_pool(number.as_virtual(), pool.mode).await?;
        let reaches = |lot: &&LotRow| {
            let reach = &lot.traits.reach;
            reach.is_empty() || reach.iter().any(|prefix| number.begins_with(prefix))
        };
        let reached = lots.iter().filter(reaches).map(|lot| lot.id).collect();
        Ok(Seen { party: Party { record, index }, in_pool, reached })
    }

    /// Where messages to the person behind `record` go, as prices and caps see it.
    pub async fn bearing(&self, tenant: TenantId, record: RecordId) -> Result<Bearing, PeopleError> {
        let row = self.row(tenant, record).await?;
        Ok(Bearing::of(&self.keyring.tenant(tenant).await?.open_number(record, &row.number)?))
    }

    /// The keyed id by which events name the person behind `record`.
    pub async fn subject(&self, tenant: TenantId, record: RecordId) -> Result<SubjectId, PeopleError> {
        Ok(self.known(tenant, record).await?.subject)
    }

    /// The keyed ids of the person behind `record`.
    pub async fn known(&self, tenant: TenantId, record: RecordId) -> Result<Known, PeopleError> {
        if let Some(known) = self.remembered(tenant, record) {
            return Ok(known);
        }
        let row = self.row(tenant, record).await?;
        let known = Known { subject: self.keyring.tenant(tenant).await?.subject(row.index), index: row.index };
        let mut subjects = self.subjects.lock().unwrap_or_else(PoisonError::into_inner);
        if subjects.len() >= MAX_SUBJECTS {
            subjects.clear();
        }
        subjects.insert((tenant, record), known);
        Ok(known)
    }

    /// The keyed id of a stranger whose number is sealed for `alias`.
    pub async fn stranger(&self, tenant: TenantId, alias: AliasId, sealed: &Sealed) -> Result<SubjectId, PeopleError> {
        let keys = self.keyring.tenant(tenant).await?;
        let number = keys.open_stranger(&ids::bytes(&alias), sealed)?;
        Ok(keys.subject(keys.index(&number)))
    }

    fn remembered(&self, tenant: TenantId, record: RecordId) -> Option<Known> {
        self.subjects.lock().unwrap_or_else(PoisonError::into_inner).get(&(tenant, record)).copied()
    }

    async fn row(&self, tenant: TenantId, record: RecordId) -> Result<TokenRow, PeopleError> {
        self.store.token(tenant, record).await?.ok_or(PeopleError::Missing)
    }
}

/// About 5 MB; emptied when full, since filling it again costs one read each.
const MAX_SUBJECTS: usize = 65_536;
