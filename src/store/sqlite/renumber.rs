//! A person's aliases move to another record: the person has another number now, the other parties keep theirs.

use rusqlite::params;

use super::columns::exists_means;
use super::writer::Tx;
use super::{alias, place};
use crate::ids::bytes;
use crate::phone::VirtualNumber;
use crate::store::{AliasRow, BlindIndex, Conflict, LegKey, Move, Party, StoreError, Usage};

/// All aliases or none.
pub(super) fn renumber(tx: &Tx<'_>, change: &Move) -> Result<(), StoreError> {
    for (was, old, new) in &change.aliases {
        let stood = places(tx, was, old)?;
        rename(tx, was, old, new)?;
        let now = alias::find(tx.conn, was.tenant, was.id)?.ok_or(StoreError::Conflict(Conflict::Missing))?;
        for x in &stood {
            refuse_cooling(tx, &now, *x, new)?;
        }
        legs(tx, was, old, new)?;
        messages(tx, was, old, new)?;
        for x in stood {
            keep_free(tx, was, x, old.index, change)?;
        }
    }
    Ok(())
}

/// The numbers on which the person has a leg of their own.
fn places(tx: &Tx<'_>, alias: &AliasRow, old: &Party) -> Result<Vec<VirtualNumber>, StoreError> {
    Ok(tx
        .conn
        .prepare_cached("SELECT x FROM leg WHERE alias = ? AND party = ?")?
        .query_map(params![bytes(&alias.id), old.index], |row| row.get(0))?
        .collect::<Result<_, _>>()?)
}

/// The new number may stand here for somebody else still.
fn refuse_cooling(tx: &Tx<'_>, alias: &AliasRow, x: VirtualNumber, new: &Party) -> Result<(), StoreError> {
    let counterpart = alias.counterpart(&LegKey::Person(new.index));
    let cooling: bool = tx
        .conn
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM cooling WHERE x = ? AND party = ? AND until > ? AND counterpart IS NOT ?)",
        )?
        .query_row(params![x, new.index, tx.now, counterpart], |row| row.get(0))?;
    if cooling { Err(StoreError::Conflict(Conflict::LegTaken)) } else { Ok(()) }
}

fn rename(tx: &Tx<'_>, alias: &AliasRow, old: &Party, new: &Party) -> Result<(), StoreError> {
    let renamed = tx
        .conn
        .prepare_cached(
            "UPDATE alias SET
                 a_record = iif(a_index = ?1, ?2, a_record), b_record = iif(b_index = ?1, ?2, b_record),
                 a_index = iif(a_index = ?1, ?3, a_index), b_index = iif(b_index = ?1, ?3, b_index)
             WHERE id = ?4 AND status = 0",
        )?
        .execute(params![old.index, new.record, new.index, bytes(&alias.id)])?;
    if renamed == 0 {
        return Err(StoreError::Conflict(Conflict::AliasOver));
    }
    tx.conn
        .prepare_cached("UPDATE alias_member SET record = ?, idx = ? WHERE alias = ? AND idx = ?")?
        .execute(params![new.record, new.index, bytes(&alias.id), old.index])?;
    Ok(())
}

fn legs(tx: &Tx<'_>, alias: &AliasRow, old: &Party, new: &Party) -> Result<(), StoreError> {
    tx.conn
        .prepare_cached("UPDATE leg SET party = ? WHERE alias = ? AND party = ?")?
        .execute(params![new.index, bytes(&alias.id), old.index])
        .map_err(exists_means(Conflict::LegTaken))?;
    tx.conn.prepare_cached("UPDATE leg SET target = ? WHERE alias = ? AND target = ?")?.execute(params![
        new.record,
        bytes(&alias.id),
        old.record
    ])?;
    Ok(())
}

/// What waits goes to the new number.
fn messages(tx: &Tx<'_>, alias: &AliasRow, old: &Party, new: &Party) -> Result<(), StoreError> {
    tx.conn.prepare_cached("UPDATE message SET to_record = ? WHERE alias = ? AND to_record = ?")?.execute(params![
        new.record,
        bytes(&alias.id),
        old.record
    ])?;
    Ok(())
}

/// Whoever has the old number next is not taken for the person by the other party.
fn keep_free(
    tx: &Tx<'_>,
    alias: &AliasRow,
    x: VirtualNumber,
    old: BlindIndex,
    change: &Move,
) -> Result<(), StoreError> {
    if alias.mode.usage() != Usage::Pair {
        return Ok(());
    }
    let key = LegKey::Person(old);
    let kept = place::Kept { cool_until: change.cool_until, rest_until: change.cool_until };
    place::keep(tx, x, &key, alias.counterpart(&key), &kept)
}
