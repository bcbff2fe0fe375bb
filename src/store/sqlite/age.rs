//! Rows that outlived their time, of all classes: found beside the writer, taken away by it a few milliseconds at a time.
//!
//! Nothing here scans while others wait. Verifications, messages and entries are found by their time-ordered keys, ended
//! aliases and lapsed tokens by partial indexes; what test and erased tenants left by walking the table in stretches.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension, params};

use super::token;
use super::writer::Tx;
use crate::clock::Timestamp;
use crate::ids::{TenantId, bytes, from_bytes};
use crate::store::{Aged, Aging, Kept, RowKey, StoreError};

/// Rows that a look at a table without a fitting index passes.
const STRETCH: u32 = 8_192;
/// Rows between two looks at the clock.
const STEP: usize = 16;
/// How long a body lives as its message says; `bodies` may be shorter.
const BODY_LIFE: Duration = Duration::from_secs(24 * 3_600);

impl ToSql for RowKey {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Number(number) => ToSqlOutput::from(*number),
            Self::Id(id) => ToSqlOutput::from(id.as_slice()),
        })
    }
}

impl FromSql for RowKey {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value {
            ValueRef::Integer(number) => Ok(Self::Number(number)),
            ValueRef::Blob(id) => id.try_into().map(Self::Id).map_err(|_| FromSqlError::InvalidType),
            _ => Err(FromSqlError::InvalidType),
        }
    }
}

/// The first key, the key a stretch further on, and what may go in between.
macro_rules! walked {
    ($table:literal) => {
        (
            concat!("SELECT id FROM ", $table, " ORDER BY id LIMIT 1"),
            concat!("SELECT id FROM ", $table, " WHERE id >= ?1 ORDER BY id LIMIT 1 OFFSET ?2"),
            concat!(
                "SELECT id, tenant FROM ",
                $table,
                " WHERE id >= ?1 AND (?2 IS NULL OR id < ?2) AND (
                     (?3 IS NULL AND tenant IN (SELECT id FROM tenant WHERE erased_at IS NOT NULL))
                     OR (created_at < ?3 AND tenant IN (SELECT id FROM tenant WHERE mode = 1)))
                  ORDER BY id LIMIT ?4"
            ),
        )
    };
}

pub(super) fn aged(conn: &Connection, class: Aging, after: Option<RowKey>, limit: u32) -> Result<Aged, StoreError> {
    match class {
        Aging::Bodies(before) => oldest(
            conn,
            "SELECT id FROM message WHERE (body IS NOT NULL OR disclosed IS NOT NULL) AND expires_at < ? LIMIT ?",
            &before.plus(BODY_LIFE),
            limit,
        ),
        Aging::Tokens(before) => {
            oldest(conn, "SELECT id FROM token WHERE expires_at IS NOT NULL AND expires_at < ? LIMIT ?", &before, limit)
        }
        Aging::Aliases(before) => {
            oldest(conn, "SELECT id FROM alias WHERE ended_at IS NOT NULL AND ended_at < ? LIMIT ?", &before, limit)
        }
        Aging::Messages(before) => {
            let sql = "SELECT id FROM message WHERE id < ?1 AND created_at < ?3 ORDER BY id LIMIT ?2";
            found(conn.prepare_cached(sql)?.query_map(params![floor(before), limit, before], |row| row.get(0))?, limit)
        }
        Aging::Verifications(before) => {
            let sql =
                "SELECT id FROM verification WHERE id < ?1 AND created_at < ?3 AND status <> 0 ORDER BY id LIMIT ?2";
            found(conn.prepare_cached(sql)?.query_map(params![floor(before), limit, before], |row| row.get(0))?, limit)
        }
        Aging::Deliveries(before, test) => deliveries(conn, before, test, after, limit),
        Aging::Entries(before) => entries(conn, before, limit),
        Aging::Approvals(before) => {
            let sql = "SELECT id FROM approval WHERE id < ?1 AND created_at < ?3 AND status NOT IN (0, 1)
                       ORDER BY id LIMIT ?2";
            found(conn.prepare_cached(sql)?.query_map(params![floor(before), limit, before], |row| row.get(0))?, limit)
        }
        Aging::Test(kept, before) => walk(conn, kept, Some(before), after, limit),
        Aging::Erased(kept) => walk(conn, kept, None, after, limit),
    }
}

/// The least id of a moment: ids are UUIDv7, whose first 48 bits are Unix milliseconds.
fn floor(at: Timestamp) -> RowKey {
    let millis = at.as_millis().max(0).to_be_bytes();
    let mut id = [0; 16];
    id.iter_mut().zip(millis.iter().skip(2)).for_each(|(to, from)| *to = *from);
    RowKey::Id(id)
}

fn oldest(conn: &Connection, sql: &str, bound: &dyn ToSql, limit: u32) -> Result<Aged, StoreError> {
    found(conn.prepare_cached(sql)?.query_map(params![bound, limit], |row| row.get(0))?, limit)
}

fn found(keys: impl Iterator<Item = rusqlite::Result<RowKey>>, limit: u32) -> Result<Aged, StoreError> {
    let keys = keys.collect::<Result<Vec<_>, _>>()?;
    // What is taken away is not found again: the next look begins at the same end.
    let next = if keys.len() >= limit as usize { keys.last().copied() } else { None };
    Ok(Aged { keys, tenants: Vec::new(), next })
}

/// In the order of coming, so that the oldest are found without an index; past those of live tenants that are kept longer.
fn deliveries(
    conn: &Connection,
    before: Timestamp,
    test: Timestamp,
    after: Option<RowKey>,
    limit: u32,
) -> Result<Aged, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT d.rowid, d.at, d.at < ?2 OR (d.at < ?3 AND t.mode = 1) FROM webhook_delivery AS d
         LEFT JOIN tenant AS t ON t.id = d.tenant WHERE d.rowid > ?1 ORDER BY d.rowid LIMIT ?4",
    )?;
    let from = if let Some(RowKey::Number(row)) = after { row } else { i64::MIN };
    let mut rows = statement.query(params![from, before, test, STRETCH])?;
    let (young, mut aged, mut seen) = (before.max(test), Aged::default(), 0);
    while let Some(row) = rows.next()? {
        seen += 1;
        let key = row.get(0)?;
        if row.get::<_, Timestamp>(1)? >= young {
            return Ok(aged);
        }
        if row.get::<_, Option<bool>>(2)?.unwrap_or(true) {
            aged.keys.push(key);
        }
        if aged.keys.len() >= limit as usize || seen >= STRETCH {
            aged.next = Some(key);
            return Ok(aged);
        }
    }
    Ok(aged)
}

/// Entries go in order, so that a mark says where the next look begins. It ends at the first that is not old: no index
/// is needed, and a log that is young throughout costs one row.
fn entries(conn: &Connection, before: Timestamp, limit: u32) -> Result<Aged, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT idx, at FROM log WHERE idx >= (SELECT value FROM meta WHERE key = 'entries_forgotten')
         ORDER BY idx LIMIT ?",
    )?;
    let mut rows = statement.query([limit])?;
    let mut keys = Vec::new();
    while let Some(row) = rows.next()? {
        if row.get::<_, Timestamp>(1)? >= before {
            break;
        }
        keys.push(Ok(row.get(0)?));
    }
    found(keys.into_iter(), limit)
}

/// Goes on in the table from `after`, past a stretch of rows.
fn walk(
    conn: &Connection,
    kept: Kept,
    before: Option<Timestamp>,
    after: Option<RowKey>,
    limit: u32,
) -> Result<Aged, StoreError> {
    let (first, stretch, rows) = match kept {
        Kept::Token => walked!("token"),
        Kept::Verification => walked!("verification"),
        Kept::Message => walked!("message"),
        Kept::Alias => walked!("alias"),
    };
    let from = match after {
        Some(after) => after,
        None => match conn.prepare_cached(first)?.query_row([], |row| row.get(0)).optional()? {
            Some(first) => first,
            None => return Ok(Aged::default()),
        },
    };
    let young = before.map(|before| first_since(kept, before));
    if young.is_some_and(|young| from >= young) {
        return Ok(Aged::default());
    }
    let next: Option<RowKey> =
        conn.prepare_cached(stretch)?.query_row(params![from, STRETCH], |row| row.get(0)).optional()?;
    let next = next.filter(|next| young.is_none_or(|young| *next < young));
    let end = next.or(young);
    let mut aged = Aged { next, ..Aged::default() };
    let mut statement = conn.prepare_cached(rows)?;
    let mut found = statement.query(params![from, end, before, limit])?;
    while let Some(row) = found.next()? {
        let key = row.get(0)?;
        aged.keys.push(key);
        count(&mut aged.tenants, from_bytes(row.get(1)?));
        if aged.keys.len() >= limit as usize {
            // The rest of the stretch comes next; this key is gone by then, or is looked at again.
            aged.next = Some(key);
        }
    }
    Ok(aged)
}

/// The least key of what was made at `at` or later: keys are ordered by time, so that nobody walks over what is young.
fn first_since(kept: Kept, at: Timestamp) -> RowKey {
    match kept {
        Kept::Token => RowKey::Number(token::floor(at)),
        Kept::Verification | Kept::Message | Kept::Alias => floor(at),
    }
}

fn count(tenants: &mut Vec<(TenantId, u64)>, tenant: TenantId) {
    match tenants.iter_mut().find(|(known, _)| *known == tenant) {
        Some((_, count)) => *count += 1,
        None => tenants.push((tenant, 1)),
    }
}

/// Takes rows away until all are, or until the time is up. Gives how many.
pub(super) fn age(tx: &Tx<'_>, class: Aging, keys: &[RowKey], within: Duration) -> Result<usize, StoreError> {
    let started = Instant::now();
    let mut gone = 0;
    for step in keys.chunks(STEP) {
        for key in step {
            remove(tx, class, key)?;
            gone += 1;
        }
        if started.elapsed() >= within {
            break;
        }
    }
    if let (Aging::Entries(_), Some(RowKey::Number(last))) = (class, keys.get(..gone).and_then(<[_]>::last)) {
        tx.conn.prepare_cached("UPDATE meta SET value = ? WHERE key = 'entries_forgotten'")?.execute([last + 1])?;
    }
    Ok(gone)
}

fn remove(tx: &Tx<'_>, class: Aging, key: &RowKey) -> Result<(), StoreError> {
    let statements: &[&str] = match class {
        Aging::Bodies(_) => {
            &["UPDATE message SET body = NULL, disclosed = NULL, to_number = iif(to_number IS NULL, NULL, x'')
               WHERE id = ?"]
        }
        Aging::Approvals(_) => &["DELETE FROM approval WHERE id = ?"],
        Aging::Deliveries(..) => &["DELETE FROM webhook_delivery WHERE rowid = ?"],
        Aging::Entries(_) => &["UPDATE log SET salt = NULL, text = NULL WHERE idx = ?"],
        Aging::Messages(_) | Aging::Test(Kept::Message, _) | Aging::Erased(Kept::Message) => {
            &["DELETE FROM message WHERE id = ?"]
        }
        Aging::Tokens(_) | Aging::Test(Kept::Token, _) | Aging::Erased(Kept::Token) => {
            &["DELETE FROM token WHERE id = ?"]
        }
        Aging::Verifications(_) | Aging::Test(Kept::Verification, _) | Aging::Erased(Kept::Verification) => {
            &["DELETE FROM verification_send WHERE verification = ?", "DELETE FROM verification WHERE id = ?"]
        }
        Aging::Aliases(_) | Aging::Test(Kept::Alias, _) | Aging::Erased(Kept::Alias) => {
            free(tx, key)?;
            &["DELETE FROM sender WHERE alias = ?", "DELETE FROM alias WHERE id = ?"]
        }
    };
    for sql in statements {
        tx.conn.prepare_cached(sql)?.execute([key])?;
    }
    Ok(())
}

/// Takes the legs of an alias away that still carries; a number that carries nothing else is free at once.
fn free(tx: &Tx<'_>, alias: &RowKey) -> Result<(), StoreError> {
    let numbers = tx
        .conn
        .prepare_cached("DELETE FROM leg WHERE alias = ? RETURNING x")?
        .query_map([alias], |row| row.get(0))?
        .collect::<Result<BTreeSet<i64>, _>>()?;
    for x in numbers {
        tx.conn
            .prepare_cached(
                "UPDATE number SET load = max(load - 1, 0), use = iif(load > 1, use, 'free'),
                     rest_tenant = NULL, rest_party = NULL
                 WHERE x = ?1 AND use IN ('star', 'pair', 'ext')",
            )?
            .execute([x])?;
    }
    Ok(())
}

pub(super) fn leavings(conn: &Connection) -> Result<Vec<TenantId>, StoreError> {
    Ok(conn
        .prepare_cached("SELECT id FROM tenant WHERE erased_at IS NOT NULL AND cleared = 0")?
        .query_map([], |row| row.get(0).map(from_bytes))?
        .collect::<Result<_, _>>()?)
}

/// Everything else that names the tenant: every table that has such a column, so that one that comes later is not
/// forgotten. The log stays, and the tenant's own row, which holds its id and nothing else.
pub(super) fn clear(tx: &Tx<'_>, tenant: TenantId) -> Result<(), StoreError> {
    let tables = tx
        .conn
        .prepare_cached(
            "SELECT DISTINCT m.name FROM sqlite_schema AS m JOIN pragma_table_info(m.name) AS c ON c.name = 'tenant'
             WHERE m.type = 'table' AND m.name NOT IN ('log', 'leg', 'pool', 'credential')",
        )?
        .query_map([], |row| row.get(0))?
        .collect::<Result<Vec<String>, _>>()?;
    for table in tables {
        let sql = format!("DELETE FROM \"{table}\" WHERE tenant = ?");
        tx.conn.prepare_cached(&sql)?.execute([bytes(&tenant)])?;
    }
    // A policy that one of its people approved still names the credential; then its row stays, with nothing in it.
    match tx.conn.prepare_cached("DELETE FROM credential WHERE tenant = ?")?.execute([bytes(&tenant)]) {
        Ok(_) => {}
        Err(error) => match StoreError::from(error) {
            StoreError::Conflict(_) => {}
            other => return Err(other),
        },
    }
    // Numbers on which another tenant's alias still stands stay with it; a shared pool goes with its last.
    for sql in [
        "UPDATE number SET rest_tenant = NULL, rest_party = NULL WHERE rest_tenant = ?",
        "DELETE FROM number WHERE pool IN (SELECT id FROM pool WHERE tenant = ?)
             AND NOT EXISTS (SELECT 1 FROM leg WHERE leg.x = number.x)",
        "DELETE FROM lot WHERE pool IN (SELECT id FROM pool WHERE tenant = ?)
             AND NOT EXISTS (SELECT 1 FROM number WHERE number.lot = lot.id)",
        "DELETE FROM pool WHERE tenant = ? AND NOT EXISTS (SELECT 1 FROM number WHERE number.pool = pool.id)",
        "UPDATE tenant SET cleared = 1 WHERE id = ?",
    ] {
        tx.conn.prepare_cached(sql)?.execute([bytes(&tenant)])?;
    }
    Ok(())
}
