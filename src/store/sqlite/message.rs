//! Messages, the parts of those that are not whole yet, and the outside senders who can be answered.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::columns::{exists_means, id, maybe_id};
use super::outreach;
use super::writer::Tx;
use crate::clock::Timestamp;
use crate::ids::{AliasId, MessageId, TenantId, bytes};
use crate::phone::VirtualNumber;
use crate::store::{
    Asked, Conflict, HeldBy, MessageRow, PartKey, PartRow, Progress, Recipient, SenderRow, Shown, StoreError,
};

pub(super) fn add(tx: &Tx<'_>, row: &MessageRow) -> Result<(), StoreError> {
    let (record, stranger) = match &row.to {
        Recipient::Person(record) => (Some(record), None),
        Recipient::Stranger(number) => (None, Some(number)),
    };
    tx.conn
        .prepare_cached(
            "INSERT INTO message (id, tenant, alias, sender, from_number, from_name, class, to_record, to_number, body,
                 disclosed, status, parts, created_at, expires_at, asked_by, asked_in, party, registration)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            bytes(&row.id),
            bytes(&row.tenant),
            row.alias.as_ref().map(bytes),
            row.sender,
            row.from.number(),
            if let Shown::Sender(name) = &row.from { Some(name) } else { None },
            row.class,
            record,
            stranger,
            row.body,
            row.disclosed,
            row.status,
            row.parts,
            row.created_at,
            row.expires_at,
            row.asked.as_ref().map(|asked| bytes(&asked.credential)),
            row.asked.as_ref().and_then(|asked| asked.audience.as_ref()),
            row.asked.as_ref().map(|asked| asked.party),
            row.asked.as_ref().and_then(|asked| asked.registration.as_ref()).map(outreach::json).transpose()?,
        ])?;
    Ok(())
}

pub(super) fn find(conn: &Connection, tenant: TenantId, id: MessageId) -> Result<Option<MessageRow>, StoreError> {
    Ok(conn
        .prepare_cached("SELECT * FROM message WHERE id = ? AND tenant = ?")?
        .query_row(params![bytes(&id), bytes(&tenant)], message)
        .optional()?)
}

pub(super) fn list(
    conn: &Connection,
    tenant: TenantId,
    alias: AliasId,
    after: Option<MessageId>,
    limit: u32,
) -> Result<Vec<MessageRow>, StoreError> {
    Ok(conn
        .prepare_cached(
            "SELECT * FROM message
             WHERE alias = ?1 AND tenant = ?2 AND id < coalesce(?3, x'ffffffffffffffffffffffffffffffffff')
             ORDER BY id DESC LIMIT ?4",
        )?
        .query_map(params![bytes(&alias), bytes(&tenant), after.as_ref().map(bytes), limit], message)?
        .collect::<Result<_, _>>()?)
}

/// Why a message did not arrive. One that is gone needs no reason.
pub(super) fn note_failure(tx: &Tx<'_>, tenant: TenantId, id: MessageId, failure: &str) -> Result<(), StoreError> {
    tx.conn.prepare_cached("UPDATE message SET failure = ? WHERE id = ? AND tenant = ?")?.execute(params![
        failure,
        bytes(&id),
        bytes(&tenant)
    ])?;
    Ok(())
}

/// What a tenant itself sent to a person, newest first.
pub(super) fn of_person(conn: &Connection, of: &HeldBy, limit: u32) -> Result<Vec<MessageRow>, StoreError> {
    Ok(conn
        .prepare_cached(
            "SELECT * FROM message WHERE tenant = ?1 AND party = ?2 AND (?3 IS NULL OR to_record = ?3)
             ORDER BY id DESC LIMIT ?4",
        )?
        .query_map(params![bytes(&of.tenant), of.index, of.record, limit], message)?
        .collect::<Result<_, _>>()?)
}

fn message(row: &Row<'_>) -> rusqlite::Result<MessageRow> {
    let to = match row.get("to_record")? {
        Some(record) => Recipient::Person(record),
        None => Recipient::Stranger(row.get("to_number")?),
    };
    Ok(MessageRow {
        id: id(row, "id")?,
        tenant: id(row, "tenant")?,
        alias: maybe_id(row, "alias")?,
        sender: row.get("sender")?,
        from: shown(row)?,
        class: row.get("class")?,
        to,
        body: row.get("body")?,
        disclosed: row.get("disclosed")?,
        status: row.get("status")?,
        parts: row.get("parts")?,
        created_at: row.get("created_at")?,
        expires_at: row.get("expires_at")?,
        asked: asked(row)?,
        progress: Progress {
            carrier: row.get("carrier")?,
            failure: row.get("failure")?,
            submitted_at: row.get("submitted_at")?,
            settled_at: row.get("settled_at")?,
        },
    })
}

fn shown(row: &Row<'_>) -> rusqlite::Result<Shown> {
    let number: Option<VirtualNumber> = row.get("from_number")?;
    let name: Option<String> = row.get("from_name")?;
    Ok(number.map(Shown::Number).or(name.map(Shown::Sender)).unwrap_or(Shown::House))
}

fn asked(row: &Row<'_>) -> rusqlite::Result<Option<Asked>> {
    let Some(credential) = maybe_id(row, "asked_by")? else { return Ok(None) };
    let registration = outreach::registration(row)?;
    Ok(Some(Asked { credential, audience: row.get("asked_in")?, party: row.get("party")?, registration }))
}

// ── parts

pub(super) fn add_part(tx: &Tx<'_>, key: &PartKey, part: &PartRow) -> Result<(), StoreError> {
    tx.conn
        .prepare_cached(
            "INSERT INTO part (carrier, x, sender, reference, total, n, body, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            key.carrier,
            key.number,
            key.sender,
            key.reference,
            key.total,
            part.number,
            part.body,
            part.at,
        ])?;
    Ok(())
}

pub(super) fn take_parts(tx: &Tx<'_>, key: &PartKey, count: u32) -> Result<(), StoreError> {
    let taken = tx
        .conn
        .prepare_cached("DELETE FROM part WHERE carrier = ? AND x = ? AND sender = ? AND reference = ? AND total = ?")?
        .execute(params![key.carrier, key.number, key.sender, key.reference, key.total])?;
    if taken == count as usize { Ok(()) } else { Err(StoreError::Conflict(Conflict::Taken)) }
}

pub(super) fn parts(conn: &Connection, key: &PartKey) -> Result<Vec<PartRow>, StoreError> {
    Ok(conn
        .prepare_cached(
            "SELECT n, body, at FROM part
             WHERE carrier = ? AND x = ? AND sender = ? AND reference = ? AND total = ? ORDER BY n",
        )?
        .query_map(params![key.carrier, key.number, key.sender, key.reference, key.total], |row| {
            Ok(PartRow { number: row.get(0)?, body: row.get(1)?, at: row.get(2)? })
        })?
        .collect::<Result<_, _>>()?)
}

pub(super) fn stale_parts(conn: &Connection, before: Timestamp, limit: u32) -> Result<Vec<PartKey>, StoreError> {
    Ok(conn
        .prepare_cached(
            "SELECT DISTINCT carrier, x, sender, reference, total FROM part AS old
             WHERE at < ?1 AND NOT EXISTS (
                 SELECT 1 FROM part AS new
                 WHERE new.carrier = old.carrier AND new.x = old.x AND new.sender = old.sender
                   AND new.reference = old.reference AND new.total = old.total AND new.at >= ?1)
             LIMIT ?2",
        )?
        .query_map(params![before, limit], |row| {
            Ok(PartKey {
                carrier: row.get(0)?,
                number: row.get(1)?,
                sender: row.get(2)?,
                reference: row.get(3)?,
                total: row.get(4)?,
            })
        })?
        .collect::<Result<_, _>>()?)
}

// ── senders

/// A tag or sender whose time is over makes room; a live one under another tag or sender is [`Conflict::Taken`].
pub(super) fn put_sender(tx: &Tx<'_>, row: &SenderRow) -> Result<(), StoreError> {
    let alias = bytes(&row.alias);
    tx.conn
        .prepare_cached("DELETE FROM sender WHERE alias = ? AND until <= ? AND (tag = ? OR idx = ?)")?
        .execute(params![alias, tx.now, row.tag, row.index])?;
    let put = tx
        .conn
        .prepare_cached(
            "INSERT INTO sender (alias, tag, idx, number, until) VALUES (?, ?, ?, ?, ?)
             ON CONFLICT (alias, idx) DO UPDATE SET number = excluded.number, until = excluded.until
             WHERE tag = excluded.tag",
        )?
        .execute(params![alias, row.tag, row.index, row.number, row.until])
        .map_err(exists_means(Conflict::Taken))?;
    if put == 0 { Err(StoreError::Conflict(Conflict::Taken)) } else { Ok(()) }
}

pub(super) fn senders(conn: &Connection, alias: AliasId, now: Timestamp) -> Result<Vec<SenderRow>, StoreError> {
    Ok(conn
        .prepare_cached("SELECT * FROM sender WHERE alias = ? AND until > ? ORDER BY tag")?
        .query_map(params![bytes(&alias), now], |row| {
            Ok(SenderRow {
                alias: id(row, "alias")?,
                tag: row.get("tag")?,
                index: row.get("idx")?,
                number: row.get("number")?,
                until: row.get("until")?,
            })
        })?
        .collect::<Result<_, _>>()?)
}
