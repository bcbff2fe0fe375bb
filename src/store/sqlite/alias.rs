//! Aliases: bound, extended, adjusted, ended, read.
//!
//! `leg` ([`super::leg`]) holds live legs only, and its keys decide: (x, party) is primary, and (x, use) refers to the
//! number's use, so that no two aliases can have one (x, party) and no star can share its x. What ended stays in
//! `cooling` and in the number's rest.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::columns::{id, words};
use super::writer::Tx;
use super::{leg, place};
use crate::clock::Timestamp;
use crate::ids::{AliasId, TenantId, bytes};
use crate::store::{
    AliasFilter, AliasMode, AliasRow, AliasStatus, Conflict, Disclose, LegRow, Party, StoreError, Unknown,
};

pub(super) fn bind(tx: &Tx<'_>, alias: &AliasRow, legs: &[LegRow]) -> Result<(), StoreError> {
    for x in alias.numbers() {
        place::occupy(tx, alias, x)?;
    }
    insert(tx, alias)?;
    set_members(tx, alias)?;
    for row in legs {
        place::refuse_cooling(tx, alias, row)?;
        leg::add(tx, row, alias.mode.usage())?;
    }
    Ok(())
}

fn insert(tx: &Tx<'_>, row: &AliasRow) -> Result<(), StoreError> {
    tx.conn
        .prepare_cached(
            "INSERT INTO alias (id, tenant, mode, x, y, extension, pool, a_record, a_index, b_record, b_index, disclose,
                 unknown, content, capabilities, audience, credential, status, metadata, created_at, expires_at)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            bytes(&row.id),
            bytes(&row.tenant),
            row.mode,
            row.number,
            row.number_y,
            row.extension,
            bytes(&row.pool),
            row.a.record,
            row.a.index,
            row.b.map(|b| b.record),
            row.b.map(|b| b.index),
            row.disclose,
            row.unknown,
            row.content,
            row.capabilities.join(" "),
            row.audience,
            bytes(&row.credential),
            row.status,
            row.metadata,
            row.created_at,
            row.expires_at,
        ])?;
    Ok(())
}

/// Writes the team as the row has it.
pub(super) fn set_members(tx: &Tx<'_>, row: &AliasRow) -> Result<(), StoreError> {
    if row.mode != AliasMode::Axg {
        return Ok(());
    }
    tx.conn.prepare_cached("DELETE FROM alias_member WHERE alias = ?")?.execute([bytes(&row.id)])?;
    let mut add = tx.conn.prepare_cached("INSERT INTO alias_member (alias, n, record, idx) VALUES (?, ?, ?, ?)")?;
    for (n, member) in (0_i64..).zip(&row.members) {
        add.execute(params![bytes(&row.id), n, member.record, member.index])?;
    }
    Ok(())
}

/// One that has lapsed cannot be brought back: its legs may be somebody else's by now.
pub(super) fn extend(
    tx: &Tx<'_>,
    tenant: TenantId,
    id: AliasId,
    expires_at: Option<Timestamp>,
) -> Result<(), StoreError> {
    let extended = tx
        .conn
        .prepare_cached(
            "UPDATE alias SET expires_at = ?1
             WHERE id = ?2 AND tenant = ?3 AND status = 0 AND (expires_at IS NULL OR expires_at > ?4)",
        )?
        .execute(params![expires_at, bytes(&id), bytes(&tenant), tx.now])?;
    if extended == 0 {
        return Err(over_or_missing(tx, tenant, id)?);
    }
    leg::extend(tx, id, expires_at)
}

pub(super) fn adjust(
    tx: &Tx<'_>,
    tenant: TenantId,
    id: AliasId,
    disclose: Disclose,
    unknown: Unknown,
) -> Result<(), StoreError> {
    let adjusted = tx
        .conn
        .prepare_cached(
            "UPDATE alias SET disclose = ?1, unknown = ?2
             WHERE id = ?3 AND tenant = ?4 AND status = 0 AND (expires_at IS NULL OR expires_at > ?5)",
        )?
        .execute(params![disclose, unknown, bytes(&id), bytes(&tenant), tx.now])?;
    if adjusted == 0 { Err(over_or_missing(tx, tenant, id)?) } else { Ok(()) }
}

pub(super) fn end(
    tx: &Tx<'_>,
    tenant: TenantId,
    id: AliasId,
    status: AliasStatus,
    kept: &place::Kept,
) -> Result<(), StoreError> {
    let ended = tx
        .conn
        .prepare_cached(
            "UPDATE alias SET status = ?, ended_at = ? WHERE id = ? AND tenant = ? AND status = 0 RETURNING *",
        )?
        .query_row(params![status, tx.now, bytes(&id), bytes(&tenant)], alias)
        .optional()?;
    let Some(mut alias) = ended else { return Err(over_or_missing(tx, tenant, id)?) };
    complete(tx.conn, &mut alias)?;
    place::leave(tx, &alias, kept)
}

pub(super) fn over_or_missing(tx: &Tx<'_>, tenant: TenantId, id: AliasId) -> Result<StoreError, StoreError> {
    Ok(StoreError::Conflict(if find(tx.conn, tenant, id)?.is_some() { Conflict::AliasOver } else { Conflict::Missing }))
}

pub(super) fn find(conn: &Connection, tenant: TenantId, id: AliasId) -> Result<Option<AliasRow>, StoreError> {
    let mut found = conn
        .prepare_cached("SELECT * FROM alias WHERE id = ? AND tenant = ?")?
        .query_row(params![bytes(&id), bytes(&tenant)], alias)
        .optional()?;
    found.iter_mut().try_for_each(|row| complete(conn, row))?;
    Ok(found)
}

pub(super) fn list(conn: &Connection, filter: &AliasFilter) -> Result<Vec<AliasRow>, StoreError> {
    let sql = match (&filter.tenant, &filter.number) {
        (_, Some(_)) => listed!("(x = ?2 OR y = ?2) AND (?1 IS NULL OR tenant = ?1)"),
        (Some(_), None) => listed!("tenant = ?1 AND ?2 IS NULL"),
        (None, None) => listed!("?1 IS NULL AND ?2 IS NULL"),
    };
    let rows = conn
        .prepare_cached(sql)?
        .query_map(
            params![
                filter.tenant.as_ref().map(bytes),
                filter.number,
                filter.audience,
                filter.status,
                filter.after.as_ref().map(bytes),
                filter.limit,
            ],
            alias,
        )?
        .collect::<Result<_, _>>()?;
    completed(conn, rows)
}

macro_rules! listed {
    ($key:literal) => {
        concat!(
            "SELECT * FROM alias WHERE ",
            $key,
            " AND (?3 IS NULL OR audience = ?3) AND (?4 IS NULL OR status = ?4) AND id < coalesce(?5, x'ffffffffffffffffffffffffffffffffff')
              ORDER BY id DESC LIMIT ?6"
        )
    };
}
use listed;

pub(super) fn lapsed(conn: &Connection, now: Timestamp, limit: u32) -> Result<Vec<AliasRow>, StoreError> {
    let rows = conn
        .prepare_cached(
            "SELECT * FROM alias WHERE status = 0 AND expires_at IS NOT NULL AND expires_at <= ?
             ORDER BY expires_at LIMIT ?",
        )?
        .query_map(params![now, limit], alias)?
        .collect::<Result<_, _>>()?;
    completed(conn, rows)
}

/// Rows with their teams.
pub(super) fn completed(conn: &Connection, mut rows: Vec<AliasRow>) -> Result<Vec<AliasRow>, StoreError> {
    rows.iter_mut().try_for_each(|row| complete(conn, row))?;
    Ok(rows)
}

/// Reads a row's team, which stands in a table of its own.
pub(super) fn complete(conn: &Connection, row: &mut AliasRow) -> Result<(), StoreError> {
    if row.mode == AliasMode::Axg {
        row.members = conn
            .prepare_cached("SELECT record, idx FROM alias_member WHERE alias = ? ORDER BY n")?
            .query_map([bytes(&row.id)], |row| Ok(Party { record: row.get(0)?, index: row.get(1)? }))?
            .collect::<Result<_, _>>()?;
    }
    Ok(())
}

/// A row without its team, see [`complete`].
pub(super) fn alias(row: &Row<'_>) -> rusqlite::Result<AliasRow> {
    let b = row.get::<_, Option<_>>("b_record")?.zip(row.get::<_, Option<_>>("b_index")?);
    Ok(AliasRow {
        id: id(row, "id")?,
        tenant: id(row, "tenant")?,
        mode: row.get("mode")?,
        number: row.get("x")?,
        number_y: row.get("y")?,
        extension: row.get("extension")?,
        pool: id(row, "pool")?,
        a: Party { record: row.get("a_record")?, index: row.get("a_index")? },
        b: b.map(|(record, index)| Party { record, index }),
        members: Vec::new(),
        disclose: row.get("disclose")?,
        unknown: row.get("unknown")?,
        content: row.get("content")?,
        capabilities: words(row, "capabilities")?,
        audience: row.get("audience")?,
        credential: id(row, "credential")?,
        status: row.get("status")?,
        metadata: row.get("metadata")?,
        created_at: row.get("created_at")?,
        expires_at: row.get("expires_at")?,
    })
}
