//! Pools and their numbers.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::columns::{exists_means, id, words};
use super::writer::Tx;
use crate::clock::Timestamp;
use crate::ids::{PoolId, TenantId, bytes};
use crate::phone::VirtualNumber;
use crate::store::{
    Conflict, LotId, LotRow, LowPool, MAX_LOTS, NumberFilter, NumberRow, PoolCounts, PoolRow, StoreError, Traits,
};

pub(super) fn add(tx: &Tx<'_>, row: &PoolRow) -> Result<(), StoreError> {
    tx.conn
        .prepare_cached(
            "INSERT INTO pool (id, tenant, name, carrier, shared, mode, low_water, created_at)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            bytes(&row.id),
            bytes(&row.tenant),
            row.name,
            row.carrier,
            row.shared,
            row.mode,
            row.low_water.map(u64::cast_signed),
            row.created_at,
        ])?;
    Ok(())
}

/// Its place in the walk of [`super::allocate`] is given here, see [`place`].
pub(super) fn add_number(tx: &Tx<'_>, row: &NumberRow) -> Result<(), StoreError> {
    let lot = lot(tx, row)?;
    tx.conn
        .prepare_cached(
            "INSERT INTO number (x, pool, lot, draining, aside, use, spread, created_at)
             VALUES (?, ?, ?, ?, ?, 'free', ?, ?)",
        )?
        .execute(params![
            row.number,
            bytes(&row.pool),
            lot,
            row.draining,
            row.aside,
            place(&row.number),
            row.created_at,
        ])
        .map_err(exists_means(Conflict::NumberInPool))?;
    Ok(())
}

/// The lot of numbers like this one, a new one if there is none.
fn lot(tx: &Tx<'_>, row: &NumberRow) -> Result<LotId, StoreError> {
    let Traits { region, capabilities, reach, carriers } = &row.traits;
    let words = [capabilities, reach, carriers].map(|words| words.join(" "));
    let [capabilities, reach, carriers] = &words;
    let key = params![bytes(&row.pool), region, capabilities, reach, carriers];
    let known = tx
        .conn
        .prepare_cached(
            "SELECT id FROM lot WHERE pool = ? AND coalesce(region, '') = coalesce(?, '') AND capabilities = ?
             AND reach = ? AND carriers = ?",
        )?
        .query_row(key, |row| row.get(0))
        .optional()?;
    if let Some(known) = known {
        return Ok(known);
    }
    let count: u32 = tx
        .conn
        .prepare_cached("SELECT count(*) FROM lot WHERE pool = ?")?
        .query_row([bytes(&row.pool)], |row| row.get(0))?;
    if count >= MAX_LOTS {
        return Err(StoreError::Conflict(Conflict::TooMany));
    }
    tx.conn
        .prepare_cached("INSERT INTO lot (pool, region, capabilities, reach, carriers) VALUES (?, ?, ?, ?, ?)")?
        .execute(key)?;
    Ok(LotId(tx.conn.last_insert_rowid()))
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

pub(super) fn set_aside(tx: &Tx<'_>, pool: PoolId, x: VirtualNumber, reason: Option<&str>) -> Result<(), StoreError> {
    let set = tx.conn.prepare_cached("UPDATE number SET aside = ? WHERE x = ? AND pool = ?")?.execute(params![
        reason,
        x,
        bytes(&pool)
    ])?;
    if set == 0 { Err(StoreError::Conflict(Conflict::Missing)) } else { Ok(()) }
}

/// The owner is told anew under another mark.
pub(super) fn set_low_water(tx: &Tx<'_>, pool: PoolId, low_water: Option<u64>) -> Result<(), StoreError> {
    let set = tx
        .conn
        .prepare_cached("UPDATE pool SET low_water = ?, told_low = 0 WHERE id = ?")?
        .execute(params![low_water.map(u64::cast_signed), bytes(&pool)])?;
    if set == 0 { Err(StoreError::Conflict(Conflict::Missing)) } else { Ok(()) }
}

pub(super) fn told_low(tx: &Tx<'_>, pool: PoolId, told: bool) -> Result<(), StoreError> {
    let noted = tx
        .conn
        .prepare_cached("UPDATE pool SET told_low = ?1 WHERE id = ?2 AND told_low <> ?1")?
        .execute(params![told, bytes(&pool)])?;
    if noted == 0 { Err(StoreError::Conflict(Conflict::Taken)) } else { Ok(()) }
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

pub(super) fn lots(conn: &Connection, pool: PoolId) -> Result<Vec<LotRow>, StoreError> {
    Ok(conn
        .prepare_cached("SELECT * FROM lot WHERE pool = ? ORDER BY id")?
        .query_map([bytes(&pool)], |row| Ok(LotRow { id: row.get("id")?, traits: traits(row)? }))?
        .collect::<Result<_, _>>()?)
}

/// Numbers whose rest is over but which no sweep has freed yet are free: few at any time.
pub(super) fn counts(conn: &Connection, id: PoolId, now: Timestamp) -> Result<PoolCounts, StoreError> {
    let mut counts = conn
        .prepare_cached(
            "SELECT coalesce(sum(free), 0), coalesce(sum(bound), 0), coalesce(sum(cooling), 0),
                    coalesce(sum(draining), 0), coalesce(sum(aside), 0) FROM lot WHERE pool = ?",
        )?
        .query_row([bytes(&id)], |row| {
            let [free, bound, cooling, draining, quarantined] =
                [row.get::<_, i64>(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?].map(i64::cast_unsigned);
            Ok(PoolCounts { free, bound, cooling, draining, quarantined })
        })?;
    let lapsed: i64 = conn
        .prepare_cached(
            "SELECT count(*) FROM lot JOIN number INDEXED BY number_lapsed ON number.lot = lot.id
             WHERE lot.pool = ? AND use IN ('cool', 'rest') AND idle_until <= ? AND state = 'cooling'",
        )?
        .query_row(params![bytes(&id), now], |row| row.get(0))?;
    counts.free += lapsed.cast_unsigned();
    counts.cooling = counts.cooling.saturating_sub(lapsed.cast_unsigned());
    Ok(counts)
}

pub(super) fn own(
    conn: &Connection,
    tenant: TenantId,
    after: Option<PoolId>,
    limit: u32,
) -> Result<Vec<PoolRow>, StoreError> {
    Ok(conn
        .prepare_cached(
            "SELECT * FROM pool WHERE tenant = ?1 AND id < coalesce(?2, x'ffffffffffffffffffffffffffffffffff')
             ORDER BY id DESC LIMIT ?3",
        )?
        .query_map(params![bytes(&tenant), after.as_ref().map(bytes), limit], pool)?
        .collect::<Result<_, _>>()?)
}

pub(super) fn numbers(conn: &Connection, filter: &NumberFilter) -> Result<Vec<NumberRow>, StoreError> {
    let sql = if filter.aside {
        "SELECT number.*, region, capabilities, reach, carriers
         FROM number INDEXED BY number_aside JOIN lot ON lot.id = number.lot
         WHERE number.pool = ?1 AND number.aside IS NOT NULL AND x > ?2 ORDER BY x LIMIT ?3"
    } else {
        "SELECT number.*, region, capabilities, reach, carriers
         FROM number INDEXED BY number_pool JOIN lot ON lot.id = number.lot
         WHERE number.pool = ?1 AND x > ?2 ORDER BY x LIMIT ?3"
    };
    let after = filter.after.map_or(0, |x| x.digits().cast_signed());
    Ok(conn
        .prepare_cached(sql)?
        .query_map(params![bytes(&filter.pool), after, filter.limit], number_row)?
        .collect::<Result<_, _>>()?)
}

/// Pools that are lower than their owners want, and those of which they were told.
pub(super) fn low(conn: &Connection) -> Result<Vec<LowPool>, StoreError> {
    Ok(conn
        .prepare_cached(
            "SELECT * FROM (
                 SELECT pool.*, (SELECT coalesce(sum(free), 0) FROM lot WHERE lot.pool = pool.id) AS left
                 FROM pool WHERE low_water IS NOT NULL OR told_low)
             WHERE left < low_water OR told_low LIMIT 1000",
        )?
        .query_map([], |row| {
            let free = row.get::<_, i64>("left")?.cast_unsigned();
            Ok(LowPool { pool: pool(row)?, free, told: row.get("told_low")? })
        })?
        .collect::<Result<_, _>>()?)
}

/// Live and cooling places of people, counted by person: the highest count.
pub(super) fn busiest(conn: &Connection, id: PoolId, now: Timestamp) -> Result<u64, StoreError> {
    let most: i64 = conn
        .prepare_cached(
            "SELECT coalesce(max(places), 0) FROM (
                 SELECT count(*) AS places FROM (
                     SELECT leg.party, leg.x FROM leg JOIN number USING (x)
                     WHERE number.pool = ?1 AND leg.use = 'pair'
                     UNION SELECT cooling.party, cooling.x FROM cooling JOIN number USING (x)
                     WHERE number.pool = ?1 AND until > ?2 AND length(cooling.party) = 16)
                 GROUP BY party)",
        )?
        .query_row(params![bytes(&id), now], |row| row.get(0))?;
    Ok(most.cast_unsigned())
}

pub(super) fn number(conn: &Connection, x: VirtualNumber) -> Result<Option<NumberRow>, StoreError> {
    let mut find = conn.prepare_cached(
        "SELECT number.*, region, capabilities, reach, carriers FROM number JOIN lot ON lot.id = number.lot WHERE x = ?",
    )?;
    let row = find.query_row([x], number_row);
    // Whose number is asked for may be a person's, and SQLite keeps what was last asked for in the statement's memory, also
    // when its parameters are cleared: so ask for nobody's.
    find.exists([0])?;
    Ok(row.optional()?)
}

fn number_row(row: &Row<'_>) -> rusqlite::Result<NumberRow> {
    Ok(NumberRow {
        number: row.get("x")?,
        pool: id(row, "pool")?,
        traits: traits(row)?,
        draining: row.get("draining")?,
        aside: row.get("aside")?,
        created_at: row.get("created_at")?,
    })
}

fn traits(row: &Row<'_>) -> rusqlite::Result<Traits> {
    Ok(Traits {
        region: row.get("region")?,
        capabilities: words(row, "capabilities")?,
        reach: words(row, "reach")?,
        carriers: words(row, "carriers")?,
    })
}

fn pool(row: &Row<'_>) -> rusqlite::Result<PoolRow> {
    Ok(PoolRow {
        id: id(row, "id")?,
        tenant: id(row, "tenant")?,
        name: row.get("name")?,
        carrier: row.get("carrier")?,
        shared: row.get("shared")?,
        mode: row.get("mode")?,
        low_water: row.get::<_, Option<i64>>("low_water")?.map(i64::cast_unsigned),
        created_at: row.get("created_at")?,
    })
}
