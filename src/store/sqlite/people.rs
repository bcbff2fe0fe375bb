//! What is held of one person, found by blind index: the reads behind erasure and export.

use rusqlite::{Connection, OptionalExtension, ToSql, params};

use super::columns::id;
use super::{alias, message, outbox, token, verification};
use crate::ids::{RecordId, TenantId, bytes};
use crate::store::{AliasRow, BlindIndex, Held, HeldBy, MessageRow, Queued, Seat, StoreError};

/// Everything of one moment.
pub(super) fn held(conn: &Connection, of: &HeldBy) -> Result<Held, StoreError> {
    let moment = conn.unchecked_transaction()?;
    let mut held = Held {
        tokens: token::of_person(&moment, of)?,
        verifications: verification::of_person(&moment, of)?,
        aliases: aliases(&moment, of)?,
        ..Held::default()
    };
    held.messages = messages(&moment, of, &held.aliases)?;
    if of.record.is_none() {
        held.seats = seats(&moment, of)?;
        held.failures = verification::failures_since(&moment, of.tenant, of.index, i64::MIN)?;
    }
    Ok(held)
}

fn aliases(conn: &Connection, of: &HeldBy) -> Result<Vec<AliasRow>, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT * FROM alias WHERE a_index = ?1 AND tenant = ?2 AND (?3 IS NULL OR a_record = ?3)
         UNION
         SELECT * FROM alias WHERE b_index = ?1 AND tenant = ?2 AND (?3 IS NULL OR b_record = ?3)
         UNION
         SELECT alias.* FROM alias JOIN alias_member ON alias_member.alias = alias.id
         WHERE alias_member.idx = ?1 AND alias.tenant = ?2 AND (?3 IS NULL OR alias_member.record = ?3)",
    )?;
    let mut found = Vec::new();
    for place in &of.places {
        for row in statement.query_map(params![place, bytes(&of.tenant), of.record], alias::alias)? {
            found.push(row?);
        }
    }
    alias::completed(conn, found)
}

fn messages(conn: &Connection, of: &HeldBy, aliases: &[AliasRow]) -> Result<Vec<MessageRow>, StoreError> {
    let mut found = Vec::new();
    for alias in aliases {
        let left = of.messages.saturating_sub(u32::try_from(found.len()).unwrap_or(u32::MAX));
        if left == 0 {
            break;
        }
        found.extend(message::list(conn, of.tenant, alias.id, None, left)?);
    }
    let left = of.messages.saturating_sub(u32::try_from(found.len()).unwrap_or(u32::MAX));
    found.extend(message::of_person(conn, of, left)?);
    Ok(found)
}

fn seats(conn: &Connection, of: &HeldBy) -> Result<Vec<Seat>, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT sender.alias, alias.x, sender.idx, sender.until
         FROM sender JOIN alias ON alias.id = sender.alias WHERE sender.idx = ? AND alias.tenant = ?",
    )?;
    let mut found = Vec::new();
    for place in &of.places {
        for seat in statement.query_map(params![place, bytes(&of.tenant)], |row| {
            Ok(Seat { alias: id(row, "alias")?, number: row.get(1)?, index: row.get(2)?, until: row.get(3)? })
        })? {
            found.push(seat?);
        }
    }
    Ok(found)
}

pub(super) fn queued(
    conn: &Connection,
    tenant: TenantId,
    conversations: &[BlindIndex],
) -> Result<Vec<Queued>, StoreError> {
    let mut statement =
        conn.prepare_cached("SELECT * FROM outbox WHERE conversation = ? AND tenant = ? ORDER BY id")?;
    let mut found = Vec::new();
    for conversation in conversations {
        for row in statement.query_map(params![conversation, bytes(&tenant)], outbox::outbox)? {
            found.push(row?);
        }
    }
    Ok(found)
}

/// The epochs of these entries of the list, in order.
pub(super) fn epochs(conn: &Connection, tenant: TenantId, people: &[BlindIndex]) -> Result<Vec<u8>, StoreError> {
    let mut statement = conn.prepare_cached("SELECT epoch FROM erasure WHERE tenant = ? AND person = ?")?;
    let tenant = bytes(&tenant);
    let of = |person: &BlindIndex| Ok(statement.query_row(params![tenant, person], |row| row.get(0)).optional()?);
    people.iter().map(of).map(|epoch| epoch.map(Option::unwrap_or_default)).collect()
}

/// How many rows a condition on one table meets.
pub(super) fn count(conn: &Connection, sql: &str, key: &[&dyn ToSql]) -> Result<u64, StoreError> {
    let count: i64 = conn.prepare_cached(sql)?.query_row(key, |row| row.get(0))?;
    Ok(count.cast_unsigned())
}

/// Whether an alias carries that names the person, or the one record of theirs.
pub(super) fn is_bound(
    conn: &Connection,
    tenant: TenantId,
    place: BlindIndex,
    record: Option<RecordId>,
) -> Result<bool, StoreError> {
    Ok(conn
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM alias
                 WHERE a_index = ?1 AND tenant = ?2 AND status = 0 AND (?3 IS NULL OR a_record = ?3))
                 OR EXISTS (SELECT 1 FROM alias
                 WHERE b_index = ?1 AND tenant = ?2 AND status = 0 AND (?3 IS NULL OR b_record = ?3))
                 OR EXISTS (SELECT 1 FROM alias_member JOIN alias ON alias.id = alias_member.alias
                 WHERE idx = ?1 AND tenant = ?2 AND status = 0 AND (?3 IS NULL OR record = ?3))",
        )?
        .query_row(params![place, bytes(&tenant), record], |row| row.get(0))?)
}
