//! Choosing a number of a pool, with work bounded by the parties' own legs however full the pool is.
//!
//! The numbers of a pool stand spread over a circle (`spread`). A choice enters it at a random place and walks on, round
//! the end, through an index of those in the right use only; it skips just numbers that one of the parties has a leg or
//! a cooling place on. The choice is a proposal: [`super::alias::bind`] holds it against the constraints.

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension, params};

use crate::clock::Timestamp;
use crate::ids::bytes;
use crate::phone::VirtualNumber;
use crate::store::{Allocation, StoreError};

type Barred = HashSet<VirtualNumber>;

pub(super) fn allocate(
    conn: &Connection,
    wish: &Allocation,
    now: Timestamp,
) -> Result<Option<VirtualNumber>, StoreError> {
    let moment = conn.unchecked_transaction()?;
    let barred = if wish.star { Barred::new() } else { barred(&moment, wish, now)? };
    if let Some(x) = wish.number {
        return Ok(if named(&moment, wish, x, now)? && !barred.contains(&x) { Some(x) } else { None });
    }
    if let Some(own) = rested(&moment, wish)? {
        return Ok(Some(own));
    }
    let uses: &[&str] = if wish.star { &["free"] } else { &["free", "pair", "cool"] };
    let start = i64::try_from(wish.spread >> 1).unwrap_or(0);
    let mut nearest: Option<(i64, VirtualNumber)> = None;
    for of_use in uses {
        let found = walk(&moment, wish, of_use, start, &barred)?;
        nearest = [nearest, found].into_iter().flatten().min();
    }
    match nearest {
        Some((_, x)) => Ok(Some(x)),
        None => lapsed(&moment, wish, now, &barred),
    }
}

/// The numbers on which a party stands already, or stood lately for somebody else than its counterpart.
fn barred(conn: &Connection, wish: &Allocation, now: Timestamp) -> Result<Barred, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT x FROM leg WHERE party = ?1 AND party <> x''
         UNION ALL SELECT x FROM cooling WHERE party = ?1 AND until > ?2 AND counterpart IS NOT ?3",
    )?;
    let mut barred = Barred::new();
    for (party, counterpart) in &wish.parties {
        for x in statement.query_map(params![party, now, counterpart], |row| row.get(0))? {
            barred.insert(x?);
        }
    }
    Ok(barred)
}

/// Whether the number that was asked for can be had, but for the parties' own legs.
fn named(conn: &Connection, wish: &Allocation, x: VirtualNumber, now: Timestamp) -> Result<bool, StoreError> {
    let owner = wish.parties.first().map(|(party, _)| *party);
    Ok(conn
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM number WHERE x = ?1 AND pool = ?2 AND NOT draining
                 AND (?3 IS NULL OR region = ?3)
                 AND (use = 'free' OR (NOT ?4 AND use IN ('pair', 'cool'))
                      OR (use IN ('cool', 'rest') AND idle_until <= ?5)
                      OR (?4 AND use = 'rest' AND rest_tenant = ?6 AND rest_party = ?7)))",
        )?
        .query_row(params![x, bytes(&wish.pool), wish.region, wish.star, now, bytes(&wish.tenant), owner], |row| {
            row.get(0)
        })?)
}

/// A number that still rests after this very person had it as a star.
fn rested(conn: &Connection, wish: &Allocation) -> Result<Option<VirtualNumber>, StoreError> {
    let (true, Some((owner, _))) = (wish.star, wish.parties.first()) else { return Ok(None) };
    Ok(conn
        .prepare_cached(
            "SELECT x FROM number WHERE use = 'rest' AND rest_party = ?1 AND rest_tenant = ?2 AND pool = ?3
             AND NOT draining AND (?4 IS NULL OR region = ?4) LIMIT 1",
        )?
        .query_row(params![owner, bytes(&wish.tenant), bytes(&wish.pool), wish.region], |row| row.get(0))
        .optional()?)
}

/// The first number from `start` on that is not barred, with how far it is.
fn walk(
    conn: &Connection,
    wish: &Allocation,
    of_use: &str,
    start: i64,
    barred: &Barred,
) -> Result<Option<(i64, VirtualNumber)>, StoreError> {
    let sql = if wish.region.is_some() { IN_REGION } else { ANYWHERE };
    let mut statement = conn.prepare_cached(sql)?;
    for (low, high) in [(start, i64::MAX), (0, start.saturating_sub(1))] {
        let key = params![bytes(&wish.pool), of_use, low, high, wish.region];
        let mut rows = if wish.region.is_some() {
            statement.query(key)?
        } else {
            statement.query(params![bytes(&wish.pool), of_use, low, high])?
        };
        while let Some(row) = rows.next()? {
            let x = row.get(0)?;
            if !barred.contains(&x) {
                let spread: i64 = row.get(1)?;
                // Modulo 2^63: places before the start come after the end.
                return Ok(Some((spread.wrapping_sub(start) & i64::MAX, x)));
            }
        }
    }
    Ok(None)
}

const ANYWHERE: &str = "SELECT x, spread FROM number INDEXED BY number_choice
    WHERE pool = ?1 AND draining = 0 AND use = ?2 AND spread BETWEEN ?3 AND ?4 ORDER BY spread";
const IN_REGION: &str = "SELECT x, spread FROM number INDEXED BY number_region
    WHERE pool = ?1 AND draining = 0 AND use = ?2 AND region = ?5 AND spread BETWEEN ?3 AND ?4 ORDER BY spread";

/// A number whose rest is over but which no sweep has freed yet.
fn lapsed(
    conn: &Connection,
    wish: &Allocation,
    now: Timestamp,
    barred: &Barred,
) -> Result<Option<VirtualNumber>, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT x FROM number INDEXED BY number_idle
         WHERE use IN ('cool', 'rest') AND idle_until <= ?1 AND pool = ?2 AND draining = 0
         AND (?3 IS NULL OR region = ?3)",
    )?;
    let mut rows = statement.query(params![now, bytes(&wish.pool), wish.region])?;
    while let Some(row) = rows.next()? {
        let x = row.get(0)?;
        if !barred.contains(&x) {
            return Ok(Some(x));
        }
    }
    Ok(None)
}
