//! Token records, and the high-water mark that their ids come from.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::access;
use super::log::{self, Draft};
use super::writer::Tx;
use crate::clock::Timestamp;
use crate::ids::{RecordId, TenantId, bytes, from_bytes};
use crate::store::{BlindIndex, HeldBy, Holding, StoreError, TokenRow};

/// As [`token`] reads them, by place.
macro_rules! columns {
    () => {
        "id, tenant, idx, disc, number, created_at, expires_at, metadata"
    };
}

pub(super) fn add(tx: &Tx<'_>, row: &TokenRow) -> Result<(), StoreError> {
    match standing(tx, row)? {
        None => Ok(()),
        Some(first) => Err(StoreError::TokenExists(first)),
    }
}

/// Adds each record, or finds the one that stands for its number, and tells of them. Only the audiences have a
/// precondition, their tenant, which the first of them finds out.
pub(super) fn hold(tx: &mut Tx<'_>, holding: &Holding) -> Result<Held, StoreError> {
    for audience in &holding.audiences {
        access::add_audience(tx, holding.tenant, audience)?;
    }
    let mut records = Vec::with_capacity(holding.rows.len());
    for row in &holding.rows {
        // The id is from the mark, so that no other record can have it.
        let standing = standing(tx, row).map_err(|_| StoreError::Corrupt("high-water mark of record ids"))?;
        records.push(standing.unwrap_or(row.id));
    }
    let draft = Draft::of(&(holding.telling)(&records))?;
    log::append(tx, std::slice::from_ref(&draft))?;
    Ok(Held { records, action: draft.action().to_owned() })
}

/// What [`hold`] came to.
pub(super) struct Held {
    pub(super) records: Vec<RecordId>,
    /// The name of what was told.
    pub(super) action: String,
}

/// Adds the record unless another one stands for its number, which is returned.
fn standing(tx: &Tx<'_>, row: &TokenRow) -> Result<Option<RecordId>, StoreError> {
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
        return Ok(None);
    }
    let first = tx
        .conn
        .prepare_cached("SELECT id FROM token WHERE idx = ? AND disc = ?")?
        .query_row(params![row.index, other], |row| row.get(0))?;
    Ok(Some(first))
}

/// The least id that is given out at this moment or later.
pub(super) fn floor(at: Timestamp) -> i64 {
    at.as_millis().max(1).checked_shl(20).unwrap_or(i64::MAX)
}

/// Moves the mark and gives the first of `count` ids.
///
/// An id is at least the present millisecond times 2^20, so that ids are ordered by time, stay below 2^63 until the year
/// 2248, and a store restored from a backup begins above every id that the lost one gave out, as long as it gave out
/// fewer than a million a millisecond. Within one file the mark alone decides: a clock set back changes nothing.
pub(super) fn reserve(tx: &Tx<'_>, count: u64) -> Result<RecordId, StoreError> {
    let floor = floor(tx.now);
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let end: i64 = tx
        .conn
        .prepare_cached("UPDATE meta SET value = max(value, ?1) + ?2 WHERE key = 'records' RETURNING value")?
        .query_row([floor, count], |row| row.get(0))?;
    Ok(RecordId((end - count).cast_unsigned()))
}

pub(super) fn find(conn: &Connection, tenant: TenantId, id: RecordId) -> Result<Option<TokenRow>, StoreError> {
    Ok(conn
        .prepare_cached(concat!("SELECT ", columns!(), " FROM token WHERE id = ? AND tenant = ?"))?
        .query_row(params![id, bytes(&tenant)], token)
        .optional()?)
}

/// The canonical record of each index, in the order asked.
pub(super) fn by_index(
    conn: &Connection,
    tenant: TenantId,
    indexes: &[BlindIndex],
) -> Result<Vec<Option<TokenRow>>, StoreError> {
    let mut statement =
        conn.prepare_cached(concat!("SELECT ", columns!(), " FROM token WHERE idx = ? AND disc = 0 AND tenant = ?"))?;
    let tenant = bytes(&tenant);
    indexes.iter().map(|index| Ok(statement.query_row(params![index, tenant], token).optional()?)).collect()
}

/// Records of every tenant in order.
pub(super) fn after(conn: &Connection, after: RecordId, limit: u32) -> Result<Vec<TokenRow>, StoreError> {
    Ok(conn
        .prepare_cached(concat!("SELECT ", columns!(), " FROM token WHERE id > ? ORDER BY id LIMIT ?"))?
        .query_map(params![after, limit], token)?
        .collect::<Result<_, _>>()?)
}

/// Every record of a person, fresh ones too, or the one asked for.
pub(super) fn of_person(conn: &Connection, of: &HeldBy) -> Result<Vec<TokenRow>, StoreError> {
    Ok(conn
        .prepare_cached(concat!(
            "SELECT ",
            columns!(),
            " FROM token WHERE idx = ?1 AND tenant = ?2 AND (?3 IS NULL OR id = ?3) ORDER BY id"
        ))?
        .query_map(params![of.index, bytes(&of.tenant), of.record], token)?
        .collect::<Result<_, _>>()?)
}

fn token(row: &Row<'_>) -> rusqlite::Result<TokenRow> {
    Ok(TokenRow {
        id: row.get(0)?,
        tenant: from_bytes(row.get(1)?),
        index: row.get(2)?,
        canonical: row.get::<_, i64>(3)? == 0,
        number: row.get(4)?,
        created_at: row.get(5)?,
        expires_at: row.get(6)?,
        metadata: row.get(7)?,
    })
}
