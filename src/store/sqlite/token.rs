//! Token records, and the high-water mark that their ids come from.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::columns::id;
use super::writer::Tx;
use crate::clock::Timestamp;
use crate::ids::{RecordId, TenantId, bytes};
use crate::store::{BlindIndex, StoreError, TokenRow};

pub(super) fn add(tx: &Tx<'_>, row: &TokenRow) -> Result<(), StoreError> {
    let other = if row.canonical { RecordId(0) } else { row.id };
    let added = tx
        .conn
        .prepare_cached(
            "INSERT INTO token (id, tenant, idx, disc, number, created_at, expires_at, metadata)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (idx, disc) DO NOTHING",
        )?
        .execute(params![
            row.id,
            bytes(&row.tenant),
            row.index,
            other,
            row.number,
            row.created_at,
            row.expires_at,
            row.metadata,
        ])?;
    if added > 0 {
        return Ok(());
    }
    let first = tx
        .conn
        .prepare_cached("SELECT id FROM token WHERE idx = ? AND disc = ?")?
        .query_row(params![row.index, other], |row| row.get(0))?;
    Err(StoreError::TokenExists(first))
}

/// Moves the mark and gives the first of `count` ids.
///
/// An id is at least the present millisecond times 2^20, so that ids are ordered by time, stay below 2^63 until the year
/// 2248, and a store restored from a backup begins above every id that the lost one gave out, as long as it gave out
/// fewer than a million a millisecond. Within one file the mark alone decides: a clock set back changes nothing.
pub(super) fn reserve(tx: &Tx<'_>, count: u64) -> Result<RecordId, StoreError> {
    let floor = tx.now.as_millis().max(1).checked_shl(20).unwrap_or(i64::MAX);
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let end: i64 = tx
        .conn
        .prepare_cached("UPDATE meta SET value = max(value, ?1) + ?2 WHERE key = 'records' RETURNING value")?
        .query_row([floor, count], |row| row.get(0))?;
    Ok(RecordId((end - count).cast_unsigned()))
}

pub(super) fn find(conn: &Connection, tenant: TenantId, id: RecordId) -> Result<Option<TokenRow>, StoreError> {
    Ok(conn
        .prepare_cached("SELECT * FROM token WHERE id = ? AND tenant = ?")?
        .query_row(params![id, bytes(&tenant)], token)
        .optional()?)
}

/// The canonical record of each index, in the order asked.
pub(super) fn by_index(
    conn: &Connection,
    tenant: TenantId,
    indexes: &[BlindIndex],
) -> Result<Vec<Option<TokenRow>>, StoreError> {
    let mut statement = conn.prepare_cached("SELECT * FROM token WHERE idx = ? AND disc = 0 AND tenant = ?")?;
    let tenant = bytes(&tenant);
    indexes.iter().map(|index| Ok(statement.query_row(params![index, tenant], token).optional()?)).collect()
}

fn token(row: &Row<'_>) -> rusqlite::Result<TokenRow> {
    let expires_at: Option<Timestamp> = row.get("expires_at")?;
    Ok(TokenRow {
        id: row.get("id")?,
        tenant: id(row, "tenant")?,
        index: row.get("idx")?,
        canonical: row.get::<_, i64>("disc")? == 0,
        number: row.get("number")?,
        created_at: row.get("created_at")?,
        expires_at,
        metadata: row.get("metadata")?,
    })
}
