//! Choosing a number of a pool, with work bounded by the parties' own legs however full the pool is.
//!
//! The numbers of a lot stand spread over a circle (`spread`). A choice enters it at a random place and walks on, round
//! the end, through an index of those in the right use only; it skips just numbers that one of the parties has a leg or
//! a cooling place on. What else a number has to be, its lot says, so that no walk passes numbers that do not fit. The
//! choice is a proposal: [`super::alias::bind`] holds it against the constraints.

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension, params};

use super::place::MAX_EXTENSIONS;
use crate::clock::Timestamp;
use crate::ids::bytes;
use crate::phone::VirtualNumber;
use crate::store::{Allocation, LotId, StoreError, Strategy, Usage};

type Barred = HashSet<VirtualNumber>;

pub(super) fn allocate(
    conn: &Connection,
    wish: &Allocation,
    now: Timestamp,
) -> Result<Option<VirtualNumber>, StoreError> {
    let moment = conn.unchecked_transaction()?;
    let barred = barred(&moment, wish, now)?;
    let search = Search { conn: &moment, wish, now, barred };
    if let Some(x) = wish.number {
        return Ok(if search.can_have(x)? { Some(x) } else { None });
    }
    if wish.strategy == Strategy::Sticky
        && let Some(x) = search.again()?
    {
        return Ok(Some(x));
    }
    match search.fresh()? {
        Some(x) => Ok(Some(x)),
        None => search.rested(),
    }
}

/// The numbers that are not wanted, and those on which a party stands already, or stood lately for somebody else than its
/// counterpart. On a number with extensions anybody may have several.
fn barred(conn: &Connection, wish: &Allocation, now: Timestamp) -> Result<Barred, StoreError> {
    let mut barred: Barred = wish.without.iter().copied().collect();
    if wish.usage != Usage::Pair {
        return Ok(barred);
    }
    let mut statement = conn.prepare_cached(
        "SELECT x FROM leg WHERE party = ?1 AND party <> x''
         UNION ALL SELECT x FROM cooling WHERE party = ?1 AND until > ?2 AND counterpart IS NOT ?3",
    )?;
    for (party, counterpart) in &wish.parties {
        for x in statement.query_map(params![party, now, counterpart], |row| row.get(0))? {
            barred.insert(x?);
        }
    }
    Ok(barred)
}

struct Search<'a> {
    conn: &'a Connection,
    wish: &'a Allocation,
    now: Timestamp,
    barred: Barred,
}

impl Search<'_> {
    /// Whether this number can be had.
    fn can_have(&self, x: VirtualNumber) -> Result<bool, StoreError> {
        let Self { conn, wish, now, barred } = self;
        let lot = conn
            .prepare_cached(
                "SELECT lot FROM number WHERE x = ?1 AND pool = ?2 AND NOT draining AND aside IS NULL
                 AND (use = 'free' OR (use IN ('cool', 'rest', 'ext') AND load = 0 AND idle_until <= ?3)
                      OR (?4 = 'pair' AND use IN ('pair', 'cool')) OR (?4 = 'ext' AND use = 'ext' AND load < ?7)
                      OR (?4 = 'star' AND use = 'rest' AND rest_tenant = ?5 AND rest_party = ?6))",
            )?
            .query_row(
                params![
                    x,
                    bytes(&wish.pool),
                    now,
                    wish.usage.as_str(),
                    bytes(&wish.tenant),
                    wish.owner,
                    MAX_EXTENSIONS
                ],
                |row| row.get(0),
            )
            .optional()?;
        Ok(lot.is_some_and(|lot| wish.lots.contains(&lot)) && !barred.contains(&x))
    }

    /// The number that these people had before.
    fn again(&self) -> Result<Option<VirtualNumber>, StoreError> {
        if let Some(own) = self.rested()? {
            return Ok(Some(own));
        }
        let wish = self.wish;
        let mut had: Vec<VirtualNumber> = Vec::new();
        if let [(party, counterpart), ..] = wish.parties.as_slice() {
            let cooling = "SELECT x FROM cooling WHERE party = ? AND counterpart IS ? AND until > ? LIMIT 8";
            let mut cooling = self.conn.prepare_cached(cooling)?;
            for x in cooling.query_map(params![party, counterpart, self.now], |row| row.get(0))? {
                had.push(x?);
            }
            let before =
                "SELECT x FROM alias WHERE a_index = ? AND b_index IS ? AND pool = ? AND tenant = ? AND status <> 0
                          ORDER BY id DESC LIMIT 4";
            let mut before = self.conn.prepare_cached(before)?;
            for (a, b) in [(Some(*party), *counterpart), (*counterpart, Some(*party))] {
                let rows = before.query_map(params![a, b, bytes(&wish.pool), bytes(&wish.tenant)], |row| row.get(0))?;
                for x in rows {
                    had.push(x?);
                }
            }
        }
        for x in had {
            if self.can_have(x)? {
                return Ok(Some(x));
            }
        }
        Ok(None)
    }

    /// A number that still rests after this very person had it as a star.
    fn rested(&self) -> Result<Option<VirtualNumber>, StoreError> {
        let wish = self.wish;
        if wish.usage != Usage::Star {
            return Ok(None);
        }
        let mut statement = self.conn.prepare_cached(
            "SELECT x, lot FROM number WHERE use = 'rest' AND rest_party = ?1 AND rest_tenant = ?2 AND pool = ?3
             AND NOT draining AND aside IS NULL",
        )?;
        let mut rows = statement.query(params![wish.owner, bytes(&wish.tenant), bytes(&wish.pool)])?;
        while let Some(row) = rows.next()? {
            let x = row.get(0)?;
            if wish.lots.contains(&row.get(1)?) && !self.barred.contains(&x) {
                return Ok(Some(x));
            }
        }
        Ok(None)
    }

    /// A number that these people did not have before, or not that anybody knows of.
    fn fresh(&self) -> Result<Option<VirtualNumber>, StoreError> {
        let least = self.wish.strategy == Strategy::LeastUsed;
        let found = match self.wish.usage {
            Usage::Star => self.nearest(&["free"])?,
            Usage::Pair if least => match self.nearest(&["free", "cool"])? {
                Some(x) => Some(x),
                None => self.emptiest("pair", i64::MAX)?,
            },
            Usage::Pair => self.nearest(&["free", "pair", "cool"])?,
            // What carries extensions is filled first: the others can be of any use still.
            Usage::Ext => match self.emptiest("ext", MAX_EXTENSIONS)? {
                Some(x) => Some(x),
                None => self.nearest(&["free"])?,
            },
        };
        match found {
            Some(x) => Ok(Some(x)),
            None => self.lapsed(),
        }
    }

    /// Of the numbers in one of these uses, the first on the circle.
    fn nearest(&self, uses: &[&str]) -> Result<Option<VirtualNumber>, StoreError> {
        let start = i64::try_from(self.wish.spread >> 1).unwrap_or(0);
        let mut nearest: Option<(i64, VirtualNumber)> = None;
        for lot in &self.wish.lots {
            for of_use in uses {
                let found = self.walk(*lot, of_use, start)?;
                nearest = [nearest, found].into_iter().flatten().min();
            }
        }
        Ok(nearest.map(|(_, x)| x))
    }

    /// The first number of a lot from `start` on that is not barred, with how far it is.
    fn walk(&self, lot: LotId, of_use: &str, start: i64) -> Result<Option<(i64, VirtualNumber)>, StoreError> {
        let mut statement = self.conn.prepare_cached(
            "SELECT x, spread FROM number INDEXED BY number_choice
             WHERE lot = ?1 AND draining = 0 AND aside IS NULL AND use = ?2 AND spread BETWEEN ?3 AND ?4 ORDER BY spread",
        )?;
        for (low, high) in [(start, i64::MAX), (0, start.saturating_sub(1))] {
            let mut rows = statement.query(params![lot, of_use, low, high])?;
            while let Some(row) = rows.next()? {
                let x = row.get(0)?;
                if !self.barred.contains(&x) {
                    let spread: i64 = row.get(1)?;
                    // Modulo 2^63: places before the start come after the end.
                    return Ok(Some((spread.wrapping_sub(start) & i64::MAX, x)));
                }
            }
        }
        Ok(None)
    }

    /// Of the numbers in this use, one with the fewest aliases, fewer than `below`.
    fn emptiest(&self, of_use: &str, below: i64) -> Result<Option<VirtualNumber>, StoreError> {
        let mut statement = self.conn.prepare_cached(
            "SELECT load, x FROM number INDEXED BY number_load
             WHERE lot = ?1 AND draining = 0 AND aside IS NULL AND use = ?2 AND use IN ('pair', 'ext') AND load < ?3
             ORDER BY load",
        )?;
        let mut emptiest: Option<(i64, VirtualNumber)> = None;
        for lot in &self.wish.lots {
            let mut rows = statement.query(params![lot, of_use, below])?;
            while let Some(row) = rows.next()? {
                let found = (row.get(0)?, row.get(1)?);
                if !self.barred.contains(&found.1) {
                    emptiest = [emptiest, Some(found)].into_iter().flatten().min();
                    break;
                }
            }
        }
        Ok(emptiest.map(|(_, x)| x))
    }

    /// A number whose rest is over but which no sweep has freed yet.
    fn lapsed(&self) -> Result<Option<VirtualNumber>, StoreError> {
        let mut statement = self.conn.prepare_cached(
            "SELECT x FROM number INDEXED BY number_lapsed
             WHERE lot = ?1 AND use IN ('cool', 'rest') AND idle_until <= ?2 AND draining = 0 AND aside IS NULL",
        )?;
        for lot in &self.wish.lots {
            let mut rows = statement.query(params![lot, self.now])?;
            while let Some(row) = rows.next()? {
                let x = row.get(0)?;
                if !self.barred.contains(&x) {
                    return Ok(Some(x));
                }
            }
        }
        Ok(None)
    }
}
