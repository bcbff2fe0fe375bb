//! Pools and their numbers.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::columns::{exists_means, id};
use super::writer::Tx;
use crate::clock::Timestamp;
use crate::ids::{PoolId, TenantId, bytes};
use crate::phone::VirtualNumber;
use crate::store::{Conflict, NumberRow, PoolCounts, PoolRow, StoreError};

pub(super) fn add(tx: &Tx<'_>, row: &PoolRow) -> Result<(), StoreError> {
    tx.conn
        .prepare_cached(
            "INSERT INTO pool (id, tenant, name, carrier, shared, mode, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            bytes(&row.id),
            bytes(&row.tenant),
            row.name,
            row.carrier,
            row.shared,
            row.mode,
            row.created_at,
        ])?;
    Ok(())
}

/// Its place in the walk of [`super::allocate`] is given here, see [`place`].
pub(super) fn add_number(tx: &Tx<'_>, row: &NumberRow) -> Result<(), StoreError> {
    tx.conn
        .prepare_cached(
            "INSERT INTO number (x, pool, region, capabilities, draining, use, spread, created_at)
             VALUES (?, ?, ?, ?, ?, 'free', ?, ?)",
        )?
        .execute(params![
            row.number,
            bytes(&row.pool),
            row.region,
            row.capabilities.join(" "),
            row.draining,
            place(&row.number),
            row.created_at,
        ])
        .map_err(exists_means(Conflict::NumberInPool))?;
    Ok(())
}

/// Where a number stands on the circle of 2^63 places.
///
/// A choice enters the circle anywhere and takes the next number, so a number is chosen as often as the gap before it is
/// wide. Places drawn at random leave gaps of any width: one number of four may hardly ever be chosen. Multiples of the
/// golden ratio keep the gaps of consecutive numbers, which is how they are bought, within a factor of 2.7 of each other
/// (three-distance theorem).
fn place(x: &VirtualNumber) -> i64 {
    const GOLDEN_RATIO_OF_2_POW_64: u64 = 0x9E37_79B9_7F4A_7C15;
    (x.digits().wrapping_mul(GOLDEN_RATIO_OF_2_POW_64) >> 1).cast_signed()
}

pub(super) fn drain(tx: &Tx<'_>, pool: PoolId, x: VirtualNumber) -> Result<(), StoreError> {
    let drained = tx
        .conn
        .prepare_cached("UPDATE number SET draining = 1 WHERE x = ? AND pool = ?")?
        .execute(params![x, bytes(&pool)])?;
    if drained == 0 { Err(StoreError::Conflict(Conflict::Missing)) } else { Ok(()) }
}

/// A tenant's own pools and those that others of its mode share.
pub(super) fn usable(conn: &Connection, tenant: TenantId) -> Result<Vec<PoolRow>, StoreError> {
    Ok(conn
        .prepare_cached(
            "SELECT * FROM pool
             WHERE tenant = ?1 OR (shared AND mode = (SELECT mode FROM tenant WHERE id = ?1)) ORDER BY id",
        )?
        .query_map([bytes(&tenant)], pool)?
        .collect::<Result<_, _>>()?)
}

pub(super) fn find(conn: &Connection, id: PoolId) -> Result<Option<PoolRow>, StoreError> {
    Ok(conn.prepare_cached("SELECT * FROM pool WHERE id = ?")?.query_row([bytes(&id)], pool).optional()?)
}

/// A drained number that carries nothing is not counted: it is not free to be had.
pub(super) fn counts(conn: &Connection, id: PoolId, now: Timestamp) -> Result<PoolCounts, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT iif(use IN ('cool', 'rest') AND idle_until <= ?2, 'free', use) AS state, sum(NOT draining), count(*)
         FROM number WHERE pool = ?1 GROUP BY state",
    )?;
    let rows = statement.query_map(params![bytes(&id), now], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?.cast_unsigned(), row.get::<_, i64>(2)?.cast_unsigned()))
    })?;
    let mut counts = PoolCounts::default();
    for row in rows {
        match row? {
            (state, open, _) if state == "free" => counts.free += open,
            (state, _, all) if state == "cool" || state == "rest" => counts.cooling += all,
            (_, _, all) => counts.bound += all,
        }
    }
    Ok(counts)
}

pub(super) fn number(conn: &Connection, x: VirtualNumber) -> Result<Option<NumberRow>, StoreError> {
    let mut find = conn.prepare_cached("SELECT * FROM number WHERE x = ?")?;
    let row = find.query_row([x], |row| {
        let capabilities: String = row.get("capabilities")?;
        Ok(NumberRow {
            number: row.get("x")?,
            pool: id(row, "pool")?,
            region: row.get("region")?,
            capabilities: capabilities.split_whitespace().map(str::to_owned).collect(),
            draining: row.get("draining")?,
            created_at: row.get("created_at")?,
        })
    });
    // Whose number is asked for may be a person's, and SQLite keeps what was last asked for in the statement's memory, also
    // when its parameters are cleared: so ask for nobody's.
    find.exists([0])?;
    Ok(row.optional()?)
}

fn pool(row: &Row<'_>) -> rusqlite::Result<PoolRow> {
    Ok(PoolRow {
        id: id(row, "id")?,
        tenant: id(row, "tenant")?,
        name: row.get("name")?,
        carrier: row.get("carrier")?,
        shared: row.get("shared")?,
        mode: row.get("mode")?,
        created_at: row.get("created_at")?,
    })
}
