//! A person's aliases move to another record: the person has another number now, the other parties keep theirs.

use rusqlite::params;

use super::columns::exists_means;
use super::writer::Tx;
use crate::ids::bytes;
use crate::store::{AliasRow, BlindIndex, Conflict, Move, Party, StoreError};

/// All aliases or none.
pub(super) fn renumber(tx: &Tx<'_>, change: &Move) -> Result<(), StoreError> {
    for (alias, old, new) in &change.aliases {
        refuse_cooling(tx, alias, old, new)?;
        rename(tx, alias, old, new)?;
        legs(tx, alias, old, new)?;
        messages(tx, alias, old, new)?;
        keep_free(tx, alias, old.index, change)?;
    }
    Ok(())
}

/// The new number may stand here for somebody else still.
fn refuse_cooling(tx: &Tx<'_>, alias: &AliasRow, old: &Party, new: &Party) -> Result<(), StoreError> {
    let counterpart = other(alias, old.index);
    let cooling: bool = tx
        .conn
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM cooling WHERE x = ? AND party = ? AND until > ? AND counterpart IS NOT ?)",
        )?
        .query_row(params![alias.number, new.index, tx.now, counterpart], |row| row.get(0))?;
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
    if renamed == 0 { Err(StoreError::Conflict(Conflict::AliasOver)) } else { Ok(()) }
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
fn keep_free(tx: &Tx<'_>, alias: &AliasRow, old: BlindIndex, change: &Move) -> Result<(), StoreError> {
    if alias.b.is_none() {
        return Ok(());
    }
    tx.conn
        .prepare_cached(
            "INSERT INTO cooling (x, party, counterpart, until) VALUES (?, ?, ?, ?)
             ON CONFLICT DO UPDATE SET counterpart = excluded.counterpart, until = max(until, excluded.until)",
        )?
        .execute(params![alias.number, old, other(alias, old), change.cool_until])?;
    Ok(())
}

/// Whom the person meets through the alias, if that is one person.
fn other(alias: &AliasRow, person: BlindIndex) -> Option<BlindIndex> {
    let b = alias.b?.index;
    Some(if alias.a.index == person { b } else { alias.a.index })
}
