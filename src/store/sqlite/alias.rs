//! Aliases and their legs.
//!
//! `leg` holds live legs only, and its keys decide: (x, party) is primary, and (x, use) refers to the number's use, so
//! that no two aliases can have one (x, party) and no star can share its x. What ended stays in `cooling` and in the
//! number's rest.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::columns::{exists_means, id};
use super::writer::Tx;
use crate::clock::Timestamp;
use crate::ids::{AliasId, TenantId, bytes};
use crate::phone::VirtualNumber;
use crate::store::{AliasFilter, AliasRow, AliasStatus, BlindIndex, Conflict, LegRow, LegTarget, Party, StoreError};

/// The party of a leg that anyone may take.
const ANYONE: &[u8] = &[];

pub(super) fn bind(tx: &Tx<'_>, alias: &AliasRow, legs: &[LegRow]) -> Result<(), StoreError> {
    let star = legs.iter().any(|leg| leg.from.is_none());
    for x in legs.iter().map(|leg| leg.number).collect::<BTreeSet<_>>() {
        occupy(tx, alias, x, star)?;
    }
    insert(tx, alias)?;
    for leg in legs {
        if !star {
            refuse_cooling(tx, alias, leg)?;
        }
        add_leg(tx, leg, star)?;
    }
    Ok(())
}

/// Brings `x` into use, if its state and its rest allow it.
fn occupy(tx: &Tx<'_>, alias: &AliasRow, x: VirtualNumber, star: bool) -> Result<(), StoreError> {
    let occupied = if star {
        tx.conn
            .prepare_cached(
                "UPDATE number SET use = 'star' WHERE x = ?1 AND pool = ?2 AND NOT draining
                 AND (use = 'free' OR (use IN ('cool', 'rest') AND idle_until <= ?3)
                      OR (use = 'rest' AND rest_tenant = ?4 AND rest_party = ?5))",
            )?
            .execute(params![x, bytes(&alias.pool), tx.now, bytes(&alias.tenant), alias.a.index])?
    } else {
        tx.conn
            .prepare_cached(
                "UPDATE number SET use = 'pair' WHERE x = ?1 AND pool = ?2 AND NOT draining
                 AND (use IN ('free', 'pair', 'cool') OR (use = 'rest' AND idle_until <= ?3))",
            )?
            .execute(params![x, bytes(&alias.pool), tx.now])?
    };
    if occupied > 0 {
        return Ok(());
    }
    let there: bool = tx
        .conn
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM number WHERE x = ? AND pool = ?)")?
        .query_row(params![x, bytes(&alias.pool)], |row| row.get(0))?;
    Err(StoreError::Conflict(if there { Conflict::LegTaken } else { Conflict::Missing }))
}

/// A person may meet another on this x only after the time for which the last one there is kept.
fn refuse_cooling(tx: &Tx<'_>, alias: &AliasRow, leg: &LegRow) -> Result<(), StoreError> {
    let Some(party) = leg.from else { return Ok(()) };
    let cooling: bool = tx
        .conn
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM cooling WHERE x = ? AND party = ? AND until > ? AND counterpart IS NOT ?)",
        )?
        .query_row(params![leg.number, party, tx.now, counterpart(alias, party)], |row| row.get(0))?;
    if cooling { Err(StoreError::Conflict(Conflict::LegTaken)) } else { Ok(()) }
}

/// Whom `party` meets through the alias, if that is one person.
fn counterpart(alias: &AliasRow, party: BlindIndex) -> Option<BlindIndex> {
    let b = alias.b.map(|b| b.index);
    if party == alias.a.index { b } else { Some(alias.a.index).filter(|_| b == Some(party)) }
}

fn add_leg(tx: &Tx<'_>, leg: &LegRow, star: bool) -> Result<(), StoreError> {
    let target = match leg.to {
        LegTarget::Person(record) => Some(record),
        LegTarget::Senders => None,
    };
    tx.conn
        .prepare_cached(
            "INSERT INTO leg (x, party, use, alias, tenant, target, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            leg.number,
            leg.from.as_ref().map_or(ANYONE, |party| &party.0),
            if star { "star" } else { "pair" },
            bytes(&leg.alias),
            bytes(&leg.tenant),
            target,
            leg.expires_at,
        ])
        .map_err(exists_means(Conflict::LegTaken))?;
    Ok(())
}

fn insert(tx: &Tx<'_>, row: &AliasRow) -> Result<(), StoreError> {
    tx.conn
        .prepare_cached(
            "INSERT INTO alias (id, tenant, mode, x, pool, a_record, a_index, b_record, b_index, audience, credential,
                 status, metadata, created_at, expires_at)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            bytes(&row.id),
            bytes(&row.tenant),
            row.mode,
            row.number,
            bytes(&row.pool),
            row.a.record,
            row.a.index,
            row.b.map(|b| b.record),
            row.b.map(|b| b.index),
            row.audience,
            bytes(&row.credential),
            row.status,
            row.metadata,
            row.created_at,
            row.expires_at,
        ])?;
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
    tx.conn
        .prepare_cached("UPDATE leg SET expires_at = ? WHERE alias = ?")?
        .execute(params![expires_at, bytes(&id)])?;
    Ok(())
}

/// The ends of the times for which an ended alias's places are kept.
pub(super) struct Kept {
    /// A pair's (x, party).
    pub(super) cool_until: Timestamp,
    /// A star's x.
    pub(super) rest_until: Timestamp,
}

pub(super) fn end(
    tx: &Tx<'_>,
    tenant: TenantId,
    id: AliasId,
    status: AliasStatus,
    kept: &Kept,
) -> Result<(), StoreError> {
    let ended = tx
        .conn
        .prepare_cached(
            "UPDATE alias SET status = ?, ended_at = ? WHERE id = ? AND tenant = ? AND status = 0 RETURNING *",
        )?
        .query_row(params![status, tx.now, bytes(&id), bytes(&tenant)], alias)
        .optional()?;
    let Some(alias) = ended else { return Err(over_or_missing(tx, tenant, id)?) };
    let legs = tx
        .conn
        .prepare_cached("DELETE FROM leg WHERE alias = ? RETURNING x, party, use")?
        .query_map([bytes(&id)], |row| Ok((row.get(0)?, row.get(1)?, row.get::<_, String>(2)? == "star")))?
        .collect::<Result<Vec<(VirtualNumber, Vec<u8>, bool)>, _>>()?;
    for (x, party, star) in legs {
        if star {
            rest(tx, &alias, x, kept)?;
        } else if let Ok(party) = party.try_into() {
            cool(tx, &alias, x, BlindIndex(party), kept)?;
        }
    }
    Ok(())
}

fn rest(tx: &Tx<'_>, alias: &AliasRow, x: VirtualNumber, kept: &Kept) -> Result<(), StoreError> {
    tx.conn
        .prepare_cached(
            "UPDATE number SET use = 'rest', idle_until = max(?1, ?2), rest_tenant = ?3, rest_party = ?4 WHERE x = ?5",
        )?
        .execute(params![kept.rest_until, kept.cool_until, bytes(&alias.tenant), alias.a.index, x])?;
    Ok(())
}

/// The x stays in use while other pairs meet on it.
fn cool(tx: &Tx<'_>, alias: &AliasRow, x: VirtualNumber, party: BlindIndex, kept: &Kept) -> Result<(), StoreError> {
    tx.conn
        .prepare_cached(
            "INSERT INTO cooling (x, party, counterpart, until) VALUES (?, ?, ?, ?)
             ON CONFLICT DO UPDATE SET counterpart = excluded.counterpart, until = max(until, excluded.until)",
        )?
        .execute(params![x, party, counterpart(alias, party), kept.cool_until])?;
    tx.conn
        .prepare_cached(
            "UPDATE number SET idle_until = max(idle_until, ?2),
                 use = iif(EXISTS (SELECT 1 FROM leg WHERE leg.x = ?1), use, 'cool')
             WHERE x = ?1",
        )?
        .execute(params![x, kept.cool_until])?;
    Ok(())
}

fn over_or_missing(tx: &Tx<'_>, tenant: TenantId, id: AliasId) -> Result<StoreError, StoreError> {
    Ok(StoreError::Conflict(if find(tx.conn, tenant, id)?.is_some() { Conflict::AliasOver } else { Conflict::Missing }))
}

pub(super) fn find(conn: &Connection, tenant: TenantId, id: AliasId) -> Result<Option<AliasRow>, StoreError> {
    Ok(conn
        .prepare_cached("SELECT * FROM alias WHERE id = ? AND tenant = ?")?
        .query_row(params![bytes(&id), bytes(&tenant)], alias)
        .optional()?)
}

pub(super) fn list(conn: &Connection, filter: &AliasFilter) -> Result<Vec<AliasRow>, StoreError> {
    let sql = match (&filter.tenant, &filter.number) {
        (_, Some(_)) => listed!("x = ?2 AND (?1 IS NULL OR tenant = ?1)"),
        (Some(_), None) => listed!("tenant = ?1 AND ?2 IS NULL"),
        (None, None) => listed!("?1 IS NULL AND ?2 IS NULL"),
    };
    Ok(conn
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
        .collect::<Result<_, _>>()?)
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
    Ok(conn
        .prepare_cached(
            "SELECT * FROM alias WHERE status = 0 AND expires_at IS NOT NULL AND expires_at <= ?
             ORDER BY expires_at LIMIT ?",
        )?
        .query_map(params![now, limit], alias)?
        .collect::<Result<_, _>>()?)
}

/// The live leg of this writer, else the one of anyone.
pub(super) fn leg(
    conn: &Connection,
    x: VirtualNumber,
    party: Option<BlindIndex>,
    now: Timestamp,
) -> Result<Option<LegRow>, StoreError> {
    Ok(conn
        .prepare_cached(
            "SELECT * FROM leg WHERE x = ?1 AND party IN (?2, x'') AND (expires_at IS NULL OR expires_at > ?3)
             ORDER BY party DESC LIMIT 1",
        )?
        .query_row(params![x, party.as_ref().map_or(ANYONE, |party| &party.0), now], leg_row)
        .optional()?)
}

fn leg_row(row: &Row<'_>) -> rusqlite::Result<LegRow> {
    let party: Vec<u8> = row.get("party")?;
    Ok(LegRow {
        number: row.get("x")?,
        from: party.try_into().ok().map(BlindIndex),
        alias: id(row, "alias")?,
        tenant: id(row, "tenant")?,
        to: row.get::<_, Option<_>>("target")?.map_or(LegTarget::Senders, LegTarget::Person),
        expires_at: row.get("expires_at")?,
    })
}

pub(super) fn alias(row: &Row<'_>) -> rusqlite::Result<AliasRow> {
    let b = row.get::<_, Option<_>>("b_record")?.zip(row.get::<_, Option<_>>("b_index")?);
    Ok(AliasRow {
        id: id(row, "id")?,
        tenant: id(row, "tenant")?,
        mode: row.get("mode")?,
        number: row.get("x")?,
        pool: id(row, "pool")?,
        a: Party { record: row.get("a_record")?, index: row.get("a_index")? },
        b: b.map(|(record, index)| Party { record, index }),
        audience: row.get("audience")?,
        credential: id(row, "credential")?,
        status: row.get("status")?,
        metadata: row.get("metadata")?,
        created_at: row.get("created_at")?,
        expires_at: row.get("expires_at")?,
    })
}
