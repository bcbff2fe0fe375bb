//! Reading the log: pages by role, and the export that others check with tools of their own.
//!
//! Writing it is no business of this room: an entry comes about only with the change that it tells of, in the store's
//! transaction. Reading is a decision too and leaves an entry.

mod export;

use std::sync::Arc;

use crate::access::{AuditLog, Permit};
use crate::event::What;
use crate::store::{Change, EntryFilter, EntryRow, Store, StoreError};

/// The log as readers see it.
pub struct Log {
    store: Arc<dyn Store>,
}

/// Why the log was not read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The store could not be read, or could not record that it was.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The export could not be written.
    #[error("the export cannot be written: {0}")]
    Output(#[from] std::io::Error),
}

/// Entries of one page at most.
pub const MAX_PAGE: u32 = 200;

impl Log {
    /// A reader over `store`.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    /// The entries that `filter` asks for, as far as the permit reaches: the tenant's, and for `own` permits only the
    /// caller's.
    pub async fn read(&self, permit: &Permit<AuditLog>, filter: EntryFilter) -> Result<Vec<EntryRow>, LogError> {
        let limit = filter.limit.min(MAX_PAGE);
        let rows = self.store.entries(&EntryFilter { limit, ..within(permit, filter) }).await?;
        let told = What::AuditRead { entries: rows.len() as u64 };
        self.store.commit(Change::telling(permit.event(self.store.now(), told))).await?;
        Ok(rows)
    }
}

/// Narrows a filter to what the permit is for.
fn within(permit: &Permit<AuditLog>, filter: EntryFilter) -> EntryFilter {
    let own = permit.resource().own.then(|| permit.credential().map(|id| id.to_string()).unwrap_or_default());
    EntryFilter { tenant: Some(permit.tenant()), actor: own.or(filter.actor), ..filter }
}
