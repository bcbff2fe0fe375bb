//! The relay's reads and marks.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};

use super::writer::Tx;
use super::{SqliteStore, alias, leg, message};
use crate::clock::Timestamp;
use crate::event::Mode;
use crate::ids::{AliasId, TenantId, bytes, from_bytes};
use crate::phone::VirtualNumber;
use crate::store::{
    AliasMode, AliasRow, Conflict, Crossing, CrossingKey, CrossingStore, CrossingWrite, LegKey, LegRow, LegTarget,
    Mark, Recipient, SenderRow, Store, StoreError,
};

#[async_trait]
impl CrossingStore for SqliteStore {
    async fn crossing(&self, key: &CrossingKey) -> Result<Crossing, StoreError> {
        let now = self.now();
        self.readers.point(|conn| crossing(conn, key, now))
    }

    async fn is_marked(&self, mark: Mark) -> Result<bool, StoreError> {
        let now = self.now();
        self.readers.point(|conn| is_marked(conn, mark, now))
    }
}

/// The way of a message, all reads on one connection.
fn crossing(conn: &Connection, key: &CrossingKey, now: Timestamp) -> Result<Crossing, StoreError> {
    if let Some(writer) = key.writer
        && is_in_pool(conn, writer, key.mode)?
    {
        return Ok(Crossing::Loop);
    }
    let leg = leg::find(conn, key.number, key.party, now)?;
    let leg = leg.filter(|leg| key.only.is_none_or(|only| only == leg.tenant));
    if let Some(leg) = leg
        && let Some(alias) = alias::find(conn, leg.tenant, leg.alias)?
    {
        let senders = senders(conn, &leg, &alias, now)?;
        return Ok(Crossing::Leg(Box::new((leg, alias)), senders));
    }
    let shared: bool = conn
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM leg WHERE x = ?1 AND use = 'ext' AND length(party) <= 8
                            AND (expires_at IS NULL OR expires_at > ?2))",
        )?
        .query_row(params![key.number, now], |row| row.get(0))?;
    if shared {
        Ok(Crossing::Extensions)
    } else {
        Ok(Crossing::Unknown(sole(conn, key.number, key.only, now)?.map(Box::new)))
    }
}

fn is_in_pool(conn: &Connection, x: VirtualNumber, mode: Mode) -> Result<bool, StoreError> {
    let mut find = conn.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM number JOIN pool ON pool.id = number.pool WHERE x = ? AND mode = ?)",
    )?;
    let found = find.query_row(params![x, mode], |row| row.get(0))?;
    // The writer's number stays in the statement's memory until another takes its place: so ask for nobody's.
    find.query_row(params![0, mode], |_| Ok(()))?;
    Ok(found)
}

fn senders(conn: &Connection, leg: &LegRow, alias: &AliasRow, now: Timestamp) -> Result<Vec<SenderRow>, StoreError> {
    let answers = matches!(leg.to, LegTarget::Senders | LegTarget::LastSender);
    if answers || leg.from == LegKey::Anyone || alias.mode == AliasMode::Axe {
        return message::senders(conn, alias.id, now);
    }
    Ok(Vec::new())
}

/// The one alias on `x`, or the last that was where none is. Of several none: nobody can say which was meant.
fn sole(
    conn: &Connection,
    x: VirtualNumber,
    only: Option<TenantId>,
    now: Timestamp,
) -> Result<Option<AliasRow>, StoreError> {
    let only = only.as_ref().map(bytes);
    let on: Vec<([u8; 16], [u8; 16])> = conn
        .prepare_cached(
            "SELECT DISTINCT alias, tenant FROM leg
             WHERE x = ?1 AND (?2 IS NULL OR tenant = ?2) AND (expires_at IS NULL OR expires_at > ?3) LIMIT 2",
        )?
        .query_map(params![x, only, now], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let found = match on.as_slice() {
        [one] => Some(*one),
        [] => conn
            .prepare_cached(
                "SELECT id, tenant FROM alias WHERE x = ?1 AND (?2 IS NULL OR tenant = ?2) ORDER BY id DESC LIMIT 1",
            )?
            .query_row(params![x, only], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?,
        _ => None,
    };
    let Some((id, tenant)) = found else { return Ok(None) };
    let id: AliasId = from_bytes(id);
    alias::find(conn, from_bytes(tenant), id)
}

fn is_marked(conn: &Connection, mark: Mark, now: Timestamp) -> Result<bool, StoreError> {
    Ok(conn
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM mark WHERE mark = ? AND until > ?)")?
        .query_row(params![mark.0, now], |row| row.get(0))?)
}

pub(super) fn write(tx: &Tx<'_>, write: CrossingWrite) -> Result<(), StoreError> {
    match write {
        CrossingWrite::Hear { mark, until } => set(tx, mark, until, Conflict::Heard),
        CrossingWrite::Tell { mark, until } => set(tx, mark, until, Conflict::Taken),
        CrossingWrite::Redirect { tenant, id, to, shown } => {
            let (record, number) = match to {
                Recipient::Person(record) => (Some(record), None),
                Recipient::Stranger(number) => (None, Some(number)),
            };
            let redirected = tx
                .conn
                .prepare_cached(
                    "UPDATE message SET to_record = ?, to_number = ?, from_number = ?
                     WHERE id = ? AND tenant = ? AND status < 2 AND body IS NOT NULL",
                )?
                .execute(params![record, number, shown, bytes(&id), bytes(&tenant)])?;
            if redirected == 0 { Err(StoreError::Conflict(Conflict::Missing)) } else { Ok(()) }
        }
    }
}

/// A mark whose time is over makes room.
fn set(tx: &Tx<'_>, mark: Mark, until: Timestamp, stands: Conflict) -> Result<(), StoreError> {
    let set = tx
        .conn
        .prepare_cached(
            "INSERT INTO mark (mark, until) VALUES (?1, ?2)
             ON CONFLICT DO UPDATE SET until = excluded.until WHERE until <= ?3",
        )?
        .execute(params![mark.0, until, tx.now])?;
    if set == 0 { Err(StoreError::Conflict(stands)) } else { Ok(()) }
}
