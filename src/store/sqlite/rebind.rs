//! Other people in an active alias, in one transaction: who stays keeps the place, who leaves cools, who comes needs one.

use rusqlite::params;

use super::writer::Tx;
use super::{alias, leg, place};
use crate::ids::bytes;
use crate::store::{AliasRow, Conflict, LegRow, StoreError};

pub(super) fn rebind(
    tx: &Tx<'_>,
    was: &AliasRow,
    to: &AliasRow,
    legs: &[LegRow],
    kept: &place::Kept,
) -> Result<(), StoreError> {
    rename(tx, was, to)?;
    alias::set_members(tx, to)?;
    // Callers of an extension stay in their sessions, with whoever answers now.
    tx.conn
        .prepare_cached("UPDATE leg SET target = ? WHERE alias = ? AND use = 'ext' AND length(party) = 16")?
        .execute(params![to.a.record, bytes(&to.id)])?;
    for (x, key) in take(tx, was)? {
        if !legs.iter().any(|leg| leg.number == x && leg.from == key) {
            place::keep(tx, x, &key, was.counterpart(&key), kept)?;
        }
    }
    let stood = |leg: &LegRow| was.people().iter().any(|party| leg.from.person() == Some(party.index));
    for row in legs {
        if !stood(row) {
            place::refuse_cooling(tx, to, row)?;
        }
        leg::add(tx, row, to.mode.usage())?;
    }
    Ok(())
}

fn rename(tx: &Tx<'_>, was: &AliasRow, to: &AliasRow) -> Result<(), StoreError> {
    let now = alias::find(tx.conn, was.tenant, was.id)?.ok_or(StoreError::Conflict(Conflict::Missing))?;
    if (now.a, now.b, &now.members) != (was.a, was.b, &was.members) {
        return Err(StoreError::Conflict(Conflict::Taken));
    }
    let renamed = tx
        .conn
        .prepare_cached(
            "UPDATE alias SET a_record = ?1, a_index = ?2, b_record = ?3, b_index = ?4
             WHERE id = ?5 AND status = 0 AND (expires_at IS NULL OR expires_at > ?6)",
        )?
        .execute(params![
            to.a.record,
            to.a.index,
            to.b.map(|b| b.record),
            to.b.map(|b| b.index),
            bytes(&to.id),
            tx.now
        ])?;
    if renamed == 0 { Err(StoreError::Conflict(Conflict::AliasOver)) } else { Ok(()) }
}

/// Takes the alias's own legs away. Callers' sessions are not the alias's own.
fn take(tx: &Tx<'_>, was: &AliasRow) -> Result<Vec<(crate::phone::VirtualNumber, crate::store::LegKey)>, StoreError> {
    Ok(tx
        .conn
        .prepare_cached(
            "DELETE FROM leg WHERE alias = ? AND NOT (use = 'ext' AND length(party) = 16) RETURNING x, party",
        )?
        .query_map([bytes(&was.id)], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?)
}
