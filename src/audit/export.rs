//! The export: one JSON object a line, `{"index","leaf","previous","salt","entry"}`, in the order of the log.
//!
//! `entry` is the canonical text as it was committed, so that `SHA-256(salt ‖ entry)` is `leaf` for whoever checks.

use std::io::Write;

use data_encoding::HEXLOWER;
use serde_json::json;

use super::{Log, LogError, within};
use crate::access::{AuditLog, DeploymentLog, Permit};
use crate::event::What;
use crate::store::{Change, EntryFilter, EntryRow};

const PAGE: u32 = 1_000;

impl Log {
    /// Writes every entry of the permit's tenant to `out`. Returns how many, after the log tells of it.
    pub async fn export(&self, permit: &Permit<AuditLog>, out: &mut dyn Write) -> Result<u64, LogError> {
        let count = self.write(|filter| within(permit, filter), out).await?;
        self.tell(permit, count).await
    }

    /// Writes the whole log to `out`: every tenant's entries and the deployment's own.
    pub async fn export_whole(&self, permit: &Permit<DeploymentLog>, out: &mut dyn Write) -> Result<u64, LogError> {
        let count = self.write(|filter| filter, out).await?;
        self.tell(permit, count).await
    }

    async fn write(&self, reach: impl Fn(EntryFilter) -> EntryFilter, out: &mut dyn Write) -> Result<u64, LogError> {
        let (mut after, mut count) = (None, 0);
        loop {
            let filter = EntryFilter { after, limit: PAGE, ..EntryFilter::default() };
            let rows = self.store.entries(&reach(filter)).await?;
            let Some(last) = rows.last() else { break };
            after = Some(last.index);
            count += rows.len() as u64;
            rows.iter().try_for_each(|row| writeln!(out, "{}", line(row)))?;
        }
        out.flush()?;
        Ok(count)
    }

    async fn tell<R>(&self, permit: &Permit<R>, entries: u64) -> Result<u64, LogError> {
        let event = permit.event(self.store.now(), What::AuditExported { entries });
        self.store.commit(Change::telling(event)).await?;
        Ok(entries)
    }
}

fn line(row: &EntryRow) -> serde_json::Value {
    json!({
        "index": row.index,
        "leaf": row.leaf.to_hex(),
        "previous": row.previous.to_hex(),
        "salt": HEXLOWER.encode(&row.salt),
        "entry": row.text,
    })
}
