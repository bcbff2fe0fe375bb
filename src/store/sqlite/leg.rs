//! Live legs: who writes to x reaches whom. The key (x, party) gives each place to one alias among all tenants.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::alias;
use super::columns::{exists_means, id};
use super::writer::Tx;
use crate::clock::Timestamp;
use crate::ids::{AliasId, bytes};
use crate::phone::VirtualNumber;
use crate::store::{AliasRow, BlindIndex, Conflict, LegKey, LegRow, LegTarget, StoreError, Usage};

pub(super) fn add(tx: &Tx<'_>, leg: &LegRow, usage: Usage) -> Result<(), StoreError> {
    let (kind, target) = stored(leg.to);
    tx.conn
        .prepare_cached(
            "INSERT INTO leg (x, party, use, alias, tenant, shown, kind, target, expires_at)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            leg.number,
            leg.from,
            usage.as_str(),
            bytes(&leg.alias),
            bytes(&leg.tenant),
            leg.shown,
            kind,
            target,
            leg.expires_at,
        ])
        .map_err(exists_means(Conflict::LegTaken))?;
    Ok(())
}

/// A session goes no further than the alias does, and takes the place of the person's last one on this x.
pub(super) fn open_session(tx: &Tx<'_>, leg: &LegRow) -> Result<(), StoreError> {
    let LegTarget::Person(target) = leg.to else { return Err(StoreError::Conflict(Conflict::Missing)) };
    let opened = tx
        .conn
        .prepare_cached(
            "INSERT INTO leg (x, party, use, alias, tenant, shown, kind, target, expires_at)
             SELECT x, ?2, 'ext', id, tenant, ?5, 0, ?6, min(?7, coalesce(expires_at, ?7)) FROM alias
             WHERE id = ?3 AND tenant = ?4 AND x = ?1 AND extension IS NOT NULL AND status = 0
               AND (expires_at IS NULL OR expires_at > ?8)
             ON CONFLICT (x, party) DO UPDATE SET alias = excluded.alias, tenant = excluded.tenant,
                 target = excluded.target, expires_at = excluded.expires_at
             WHERE leg.use = 'ext'",
        )?
        .execute(params![
            leg.number,
            leg.from,
            bytes(&leg.alias),
            bytes(&leg.tenant),
            leg.shown,
            target,
            leg.expires_at.unwrap_or(tx.now),
            tx.now,
        ])?;
    if opened == 0 { Err(StoreError::Conflict(Conflict::AliasOver)) } else { Ok(()) }
}

/// Sessions keep their own end.
pub(super) fn extend(tx: &Tx<'_>, alias: AliasId, expires_at: Option<Timestamp>) -> Result<(), StoreError> {
    tx.conn
        .prepare_cached("UPDATE leg SET expires_at = ? WHERE alias = ? AND NOT (use = 'ext' AND length(party) = 16)")?
        .execute(params![expires_at, bytes(&alias)])?;
    Ok(())
}

/// Takes every leg of an alias away, sessions too. Gives the places that others may not have at once.
pub(super) fn take(tx: &Tx<'_>, alias: &AliasRow) -> Result<Vec<(VirtualNumber, LegKey)>, StoreError> {
    let legs = tx
        .conn
        .prepare_cached("DELETE FROM leg WHERE alias = ? RETURNING x, party, use")?
        .query_map([bytes(&alias.id)], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<Result<Vec<(VirtualNumber, LegKey, String)>, _>>()?;
    let stays = |(x, key, of_use): (VirtualNumber, LegKey, String)| match (&key, of_use.as_str()) {
        (_, "star") | (LegKey::Person(_), "ext") => None,
        _ => Some((x, key)),
    };
    Ok(legs.into_iter().filter_map(stays).collect())
}

/// The live leg of this writer, else the one of anyone.
pub(super) fn find(
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
        .query_row(params![x, party.map_or(LegKey::Anyone, LegKey::Person), now], leg_row)
        .optional()?)
}

/// The live leg of an extension.
pub(super) fn extension(
    conn: &Connection,
    x: VirtualNumber,
    digits: &str,
    now: Timestamp,
) -> Result<Option<LegRow>, StoreError> {
    if !(1..=8).contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(None);
    }
    Ok(conn
        .prepare_cached("SELECT * FROM leg WHERE x = ?1 AND party = ?2 AND (expires_at IS NULL OR expires_at > ?3)")?
        .query_row(params![x, digits.as_bytes(), now], leg_row)
        .optional()?)
}

/// The live aliases with an extension on `x` that are this person's.
pub(super) fn extensions_of(
    conn: &Connection,
    x: VirtualNumber,
    a: BlindIndex,
    now: Timestamp,
) -> Result<Vec<AliasRow>, StoreError> {
    Ok(conn
        .prepare_cached(
            "SELECT * FROM alias INDEXED BY alias_owner
             WHERE x = ? AND a_index = ? AND extension IS NOT NULL AND status = 0 AND (expires_at IS NULL OR expires_at > ?)
             LIMIT 100",
        )?
        .query_map(params![x, a, now], alias::alias)?
        .collect::<Result<_, _>>()?)
}

/// A leg's target as `kind` and `target` say it.
pub(super) const fn stored(to: LegTarget) -> (i64, Option<crate::ids::RecordId>) {
    match to {
        LegTarget::Person(record) => (0, Some(record)),
        LegTarget::Senders => (1, None),
        LegTarget::LastSender => (2, None),
        LegTarget::Members => (3, None),
    }
}

fn leg_row(row: &Row<'_>) -> rusqlite::Result<LegRow> {
    let to = match (row.get("kind")?, row.get("target")?) {
        (0, Some(record)) => LegTarget::Person(record),
        (1, None) => LegTarget::Senders,
        (2, None) => LegTarget::LastSender,
        (3, None) => LegTarget::Members,
        (kind, _) => return Err(rusqlite::Error::IntegralValueOutOfRange(0, kind)),
    };
    Ok(LegRow {
        number: row.get("x")?,
        from: row.get("party")?,
        shown: row.get("shown")?,
        alias: id(row, "alias")?,
        tenant: id(row, "tenant")?,
        to,
        expires_at: row.get("expires_at")?,
    })
}
