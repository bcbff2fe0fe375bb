//! The outbox: what is to be delivered, one row of a conversation at a time.
//!
//! One row of each conversation is its head: the oldest, or one that is under way. Only heads can be claimed, through an
//! index of heads alone, so that a claim costs the same behind ten thousand waiting rows. A lease is a `ready` moved to
//! its end, so that it lapses by itself.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::columns::{id, maybe_id};
use super::writer::Tx;
use crate::clock::Timestamp;
use crate::ids::{OutboxId, bytes};
use crate::store::{BlindIndex, Conflict, Lane, OutboxRow, Room, StoreError};

pub(super) fn enqueue(tx: &Tx<'_>, row: &OutboxRow) -> Result<(), StoreError> {
    let head = becomes_head(tx, row)?;
    tx.conn
        .prepare_cached(
            "INSERT INTO outbox (id, tenant, task, lane, conversation, credential, policy, due, ready, attempts, head)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, ?9, ?10)",
        )?
        .execute(params![
            bytes(&row.id),
            bytes(&row.tenant),
            row.task,
            row.lane,
            row.conversation,
            row.credential.as_ref().map(bytes),
            row.policy,
            row.due,
            row.attempts,
            head,
        ])?;
    Ok(())
}

/// Ids are drawn before the commit, so that an older one may come in later: it takes the head's place unless that is
/// under way.
fn becomes_head(tx: &Tx<'_>, row: &OutboxRow) -> Result<bool, StoreError> {
    let head: Option<([u8; 16], bool)> = tx
        .conn
        .prepare_cached(
            "SELECT id, holder IS NOT NULL FROM outbox WHERE conversation = ? AND head = 1 ORDER BY id LIMIT 1",
        )?
        .query_row([row.conversation], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    match head {
        None => Ok(true),
        Some((first, under_way)) if bytes(&row.id) < first && !under_way => {
            tx.conn.prepare_cached("UPDATE outbox SET head = 0 WHERE id = ?")?.execute([first])?;
            Ok(true)
        }
        Some(_) => Ok(false),
    }
}

pub(super) fn dequeue(tx: &Tx<'_>, id: OutboxId) -> Result<(), StoreError> {
    let gone: Option<(BlindIndex, bool)> = tx
        .conn
        .prepare_cached("DELETE FROM outbox WHERE id = ? RETURNING conversation, head")?
        .query_row([bytes(&id)], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    match gone {
        None => Err(StoreError::Conflict(Conflict::Taken)),
        Some((_, false)) => Ok(()),
        Some((conversation, true)) => {
            tx.conn
                .prepare_cached(
                    "UPDATE outbox SET head = 1
                     WHERE id = (SELECT id FROM outbox WHERE conversation = ? ORDER BY id LIMIT 1)",
                )?
                .execute([conversation])?;
            Ok(())
        }
    }
}

pub(super) fn put_off(tx: &Tx<'_>, id: OutboxId, until: Timestamp, attempts: u32) -> Result<(), StoreError> {
    let put_off = tx
        .conn
        .prepare_cached("UPDATE outbox SET due = ?1, ready = ?1, attempts = ?2, holder = NULL WHERE id = ?3")?
        .execute(params![until, attempts, bytes(&id)])?;
    if put_off == 0 { Err(StoreError::Conflict(Conflict::Taken)) } else { Ok(()) }
}

/// Within a lane, what has waited longest first.
pub(super) fn claim(tx: &Tx<'_>, holder: &str, until: Timestamp, mut room: Room) -> Result<Vec<OutboxRow>, StoreError> {
    let mut claimed = Vec::new();
    for lane in Lane::ALL {
        let mut statement = tx.conn.prepare_cached(
            "UPDATE outbox SET holder = ?1, ready = ?2
             WHERE id IN (SELECT id FROM outbox INDEXED BY outbox_heads
                          WHERE head = 1 AND lane = ?3 AND ready <= ?4 ORDER BY ready, id LIMIT ?5)
             RETURNING *",
        )?;
        let rows = statement.query_map(params![holder, until, lane, tx.now, room.for_lane(lane)], outbox)?;
        let rows = rows.collect::<Result<Vec<_>, _>>()?;
        room = room.less(lane, u32::try_from(rows.len()).unwrap_or(u32::MAX));
        claimed.extend(rows);
    }
    claimed.sort_unstable_by_key(|row| (row.lane, bytes(&row.id)));
    Ok(claimed)
}

pub(super) fn release(tx: &Tx<'_>, holder: &str) -> Result<(), StoreError> {
    tx.conn.prepare_cached("UPDATE outbox SET holder = NULL, ready = due WHERE holder = ?")?.execute([holder])?;
    Ok(())
}

/// The end of a lease counts: its row falls due then.
pub(super) fn next_due(conn: &Connection, room: Room) -> Result<Option<Timestamp>, StoreError> {
    let mut statement =
        conn.prepare_cached("SELECT min(ready) FROM outbox INDEXED BY outbox_heads WHERE head = 1 AND lane = ?")?;
    let mut earliest = None;
    for lane in Lane::ALL.into_iter().filter(|lane| room.for_lane(*lane) > 0) {
        let ready: Option<Timestamp> = statement.query_row([lane], |row| row.get(0))?;
        earliest = [earliest, ready].into_iter().flatten().min();
    }
    Ok(earliest)
}

pub(super) fn outbox(row: &Row<'_>) -> rusqlite::Result<OutboxRow> {
    Ok(OutboxRow {
        id: id(row, "id")?,
        tenant: id(row, "tenant")?,
        task: row.get("task")?,
        lane: row.get("lane")?,
        conversation: row.get("conversation")?,
        credential: maybe_id(row, "credential")?,
        policy: row.get("policy")?,
        due: row.get("due")?,
        attempts: row.get("attempts")?,
    })
}
