//! Spend against caps of a day, counted in the change that spends.

use rusqlite::{Connection, OptionalExtension, params};

use super::tally::day;
use super::writer::Tx;
use crate::clock::Timestamp;
use crate::ids::{TenantId, bytes};
use crate::store::{Conflict, NearCap, Payer, Spending, StoreError};

/// From this share of a cap on somebody is told.
const NEAR: u64 = 80;

/// Counts, unless that would pass the cap: [`Conflict::CapReached`]. Gives the cap if this made it nearly spent.
pub(super) fn spend(tx: &Tx<'_>, what: &Spending) -> Result<Option<NearCap>, StoreError> {
    let cap = |cap: Option<u64>| cap.filter(|_| what.exact).unwrap_or(LIMITLESS);
    let caps = (cap(what.cap_parts), cap(what.cap_cost));
    let key = key(what.payer);
    let counted: Option<(u64, u64, u8)> = tx
        .conn
        .prepare_cached(
            "INSERT INTO spend (tenant, payer, day, parts, cost) SELECT ?1, ?2, ?3, ?4, ?5 WHERE ?4 <= ?6 AND ?5 <= ?7
             ON CONFLICT DO UPDATE SET parts = parts + ?4, cost = cost + ?5
                 WHERE parts + ?4 <= ?6 AND cost + ?5 <= ?7
             RETURNING parts, cost, told",
        )?
        .query_row(
            params![
                bytes(&what.tenant),
                key,
                day(tx.now),
                signed(what.parts),
                signed(what.cost),
                signed(caps.0),
                signed(caps.1),
            ],
            |row| {
                let count = |at| row.get::<_, i64>(at).map(i64::cast_unsigned);
                Ok((count(0)?, count(1)?, row.get(2)?))
            },
        )
        .optional()?;
    let Some((parts, cost, told)) = counted else { return Err(StoreError::Conflict(Conflict::CapReached)) };
    let near =
        |spent: u64, cap: Option<u64>| cap.is_some_and(|cap| spent.saturating_mul(100) >= cap.saturating_mul(NEAR));
    if told == 0 && (near(parts, what.cap_parts) || near(cost, what.cap_cost)) {
        tell(tx, what.tenant, what.payer, 80)?;
        return Ok(Some(NearCap { payer: what.payer, share: 80 }));
    }
    Ok(None)
}

/// Notes that a share of a cap was told of; [`Conflict::Taken`] if it was before, today.
pub(super) fn tell(tx: &Tx<'_>, tenant: TenantId, payer: Payer, share: u8) -> Result<(), StoreError> {
    let told = tx
        .conn
        .prepare_cached(
            "INSERT INTO spend (tenant, payer, day, parts, cost, told) VALUES (?1, ?2, ?3, 0, 0, ?4)
             ON CONFLICT DO UPDATE SET told = ?4 WHERE told < ?4",
        )?
        .execute(params![bytes(&tenant), key(payer), day(tx.now), share])?;
    if told == 0 { Err(StoreError::Conflict(Conflict::Taken)) } else { Ok(()) }
}

/// Parts and cost of today.
pub(super) fn spent(
    conn: &Connection,
    tenant: TenantId,
    payer: Payer,
    now: Timestamp,
) -> Result<(u64, u64), StoreError> {
    let found: Option<(i64, i64)> = conn
        .prepare_cached("SELECT parts, cost FROM spend WHERE tenant = ? AND payer = ? AND day = ?")?
        .query_row(params![bytes(&tenant), key(payer), day(now)], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(found.map_or((0, 0), |(parts, cost)| (parts.cast_unsigned(), cost.cast_unsigned())))
}

fn key(payer: Payer) -> Vec<u8> {
    match payer {
        Payer::Tenant => b"t".to_vec(),
        Payer::Alias(id) => [b"a".as_slice(), &bytes(&id)].concat(),
        Payer::Stranger(index) => [b"s".as_slice(), &index.0].concat(),
    }
}

/// As SQLite counts; what is more than that is as good as without end.
fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Half of what SQLite can count, so that sums do not overflow.
const LIMITLESS: u64 = 1 << 62;
