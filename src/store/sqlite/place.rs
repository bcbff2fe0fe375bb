//! Places on numbers: what brings a number into use, what keeps it there, and for whom places are kept after an end.

use rusqlite::params;

use super::leg;
use super::writer::Tx;
use crate::clock::Timestamp;
use crate::ids::bytes;
use crate::phone::VirtualNumber;
use crate::store::{AliasRow, BlindIndex, Conflict, LegKey, LegRow, StoreError, Usage};

/// The ends of the times for which an ended alias's places are kept.
pub(super) struct Kept {
    /// A person's place.
    pub(super) cool_until: Timestamp,
    /// A star's number, and an extension.
    pub(super) rest_until: Timestamp,
}

/// The most aliases of one number with extensions: one guess of a million hits one in a hundred times at the most.
pub(super) const MAX_EXTENSIONS: i64 = 10_000;

/// Brings `x` into use for one alias more, if its state and its rest allow it.
pub(super) fn occupy(tx: &Tx<'_>, alias: &AliasRow, x: VirtualNumber) -> Result<(), StoreError> {
    let pool = bytes(&alias.pool);
    let occupied = match alias.mode.usage() {
        Usage::Star => tx
            .conn
            .prepare_cached(
                "UPDATE number SET use = 'star', load = 1 WHERE x = ?1 AND pool = ?2 AND NOT draining AND aside IS NULL
                 AND (use = 'free' OR (use IN ('cool', 'rest', 'ext') AND load = 0 AND idle_until <= ?3)
                      OR (use = 'rest' AND rest_tenant = ?4 AND rest_party = ?5))",
            )?
            .execute(params![x, pool, tx.now, bytes(&alias.tenant), alias.a.index])?,
        Usage::Pair => tx
            .conn
            .prepare_cached(
                "UPDATE number SET use = 'pair', load = load + 1
                 WHERE x = ?1 AND pool = ?2 AND NOT draining AND aside IS NULL
                 AND (use IN ('free', 'pair', 'cool') OR (use IN ('rest', 'ext') AND load = 0 AND idle_until <= ?3))",
            )?
            .execute(params![x, pool, tx.now])?,
        Usage::Ext => tx
            .conn
            .prepare_cached(
                "UPDATE number SET use = 'ext', load = load + 1
                 WHERE x = ?1 AND pool = ?2 AND NOT draining AND aside IS NULL AND load < ?4
                 AND (use IN ('free', 'ext') OR (use IN ('cool', 'rest') AND idle_until <= ?3))",
            )?
            .execute(params![x, pool, tx.now, MAX_EXTENSIONS])?,
    };
    if occupied > 0 {
        return Ok(());
    }
    let there: bool = tx
        .conn
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM number WHERE x = ? AND pool = ?)")?
        .query_row(params![x, pool], |row| row.get(0))?;
    Err(StoreError::Conflict(if there { Conflict::LegTaken } else { Conflict::Missing }))
}

/// A person may meet another on this x only after the time for which the last one there is kept, and an extension is
/// somebody else's only after that. A number that anyone may write to rests as a whole.
pub(super) fn refuse_cooling(tx: &Tx<'_>, alias: &AliasRow, leg: &LegRow) -> Result<(), StoreError> {
    if alias.mode.usage() == Usage::Star {
        return Ok(());
    }
    let cooling: bool = tx
        .conn
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM cooling WHERE x = ? AND party = ? AND until > ? AND counterpart IS NOT ?)",
        )?
        .query_row(params![leg.number, leg.from, tx.now, alias.counterpart(&leg.from)], |row| row.get(0))?;
    if cooling { Err(StoreError::Conflict(Conflict::LegTaken)) } else { Ok(()) }
}

/// Takes an ended alias off its numbers, and keeps its places from others for their time.
pub(super) fn leave(tx: &Tx<'_>, alias: &AliasRow, kept: &Kept) -> Result<(), StoreError> {
    for (x, key) in leg::take(tx, alias)? {
        keep(tx, x, &key, alias.counterpart(&key), kept)?;
    }
    let owner = Some(alias.a.index);
    alias.numbers().try_for_each(|x| unload(tx, alias, x, owner, kept))
}

/// Keeps a place for `counterpart` alone, or for nobody.
pub(super) fn keep(
    tx: &Tx<'_>,
    x: VirtualNumber,
    key: &LegKey,
    counterpart: Option<BlindIndex>,
    kept: &Kept,
) -> Result<(), StoreError> {
    let until = match key {
        LegKey::Anyone | LegKey::Person(_) => kept.cool_until,
        LegKey::Extension(_) => kept.rest_until.max(kept.cool_until),
    };
    tx.conn
        .prepare_cached(
            "INSERT INTO cooling (x, party, counterpart, until) VALUES (?, ?, ?, ?)
             ON CONFLICT DO UPDATE SET counterpart = excluded.counterpart, until = max(until, excluded.until)",
        )?
        .execute(params![x, key, counterpart, until])?;
    Ok(())
}

/// One alias less on `x`, which stays in use while it carries others. A number that anyone wrote to rests, and comes back
/// at once to `owner` alone.
pub(super) fn unload(
    tx: &Tx<'_>,
    alias: &AliasRow,
    x: VirtualNumber,
    owner: Option<BlindIndex>,
    kept: &Kept,
) -> Result<(), StoreError> {
    let rest_until = kept.rest_until.max(kept.cool_until);
    match alias.mode.usage() {
        Usage::Star => tx
            .conn
            .prepare_cached(
                "UPDATE number SET use = 'rest', load = 0, idle_until = ?1, rest_tenant = ?2, rest_party = ?3 WHERE x = ?4",
            )?
            .execute(params![rest_until, owner.map(|_| bytes(&alias.tenant)), owner, x])?,
        Usage::Pair => tx
            .conn
            .prepare_cached(
                "UPDATE number SET load = max(load - 1, 0), idle_until = max(idle_until, ?1),
                     use = iif(load > 1, use, 'cool')
                 WHERE x = ?2",
            )?
            .execute(params![kept.cool_until, x])?,
        Usage::Ext => tx
            .conn
            .prepare_cached(
                "UPDATE number SET load = max(load - 1, 0), idle_until = max(idle_until, ?1) WHERE x = ?2",
            )?
            .execute(params![rest_until, x])?,
    };
    Ok(())
}
