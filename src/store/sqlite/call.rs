//! Calls.

use async_trait::async_trait;
use rusqlite::{OptionalExtension, params};

use super::SqliteStore;
use super::columns::id;
use super::writer::Tx;
use crate::ids::bytes;
use crate::store::{BlindIndex, CallRow, CallStore, CallWrite, Conflict, StoreError};

#[async_trait]
impl CallStore for SqliteStore {
    async fn call(&self, reference: BlindIndex) -> Result<Option<CallRow>, StoreError> {
        self.readers.point(|conn| {
            Ok(conn
                .prepare_cached(
                    "SELECT id, tenant, alias, screened, started_at, answered_at, ended_at, until
                     FROM call WHERE reference = ?",
                )?
                .query_row([reference], |row| {
                    Ok(CallRow {
                        id: id(row, "id")?,
                        reference,
                        tenant: id(row, "tenant")?,
                        alias: id(row, "alias")?,
                        screened: row.get("screened")?,
                        started_at: row.get("started_at")?,
                        answered_at: row.get("answered_at")?,
                        ended_at: row.get("ended_at")?,
                        until: row.get("until")?,
                    })
                })
                .optional()?)
        })
    }
}

pub(super) fn write(tx: &Tx<'_>, write: CallWrite) -> Result<(), StoreError> {
    let (changed, stands) = match write {
        CallWrite::Start(row) => (start(tx, &row)?, Conflict::Exists),
        CallWrite::Answer { id } => (
            tx.conn
                .prepare_cached(
                    "UPDATE call SET answered_at = ? WHERE id = ? AND answered_at IS NULL AND ended_at IS NULL",
                )?
                .execute(params![tx.now, bytes(&id)])?,
            Conflict::Taken,
        ),
        CallWrite::End { id } => (
            tx.conn
                .prepare_cached("UPDATE call SET ended_at = ? WHERE id = ? AND ended_at IS NULL")?
                .execute(params![tx.now, bytes(&id)])?,
            Conflict::Taken,
        ),
    };
    if changed == 0 { Err(StoreError::Conflict(stands)) } else { Ok(()) }
}

fn start(tx: &Tx<'_>, row: &CallRow) -> Result<usize, StoreError> {
    Ok(tx
        .conn
        .prepare_cached(
            "INSERT INTO call (id, reference, tenant, alias, screened, started_at, until) VALUES (?, ?, ?, ?, ?, ?, ?)
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            bytes(&row.id),
            row.reference,
            bytes(&row.tenant),
            bytes(&row.alias),
            row.screened,
            row.started_at,
            row.until
        ])?)
}
