//! Wrapped keys, how often they were used, and the passes that re-encrypt what older ones sealed.
//!
//! Every write to wrapped keys moves their version in the same transaction.

use rusqlite::{Connection, OptionalExtension, params};

use super::columns::{id, maybe_id};
use super::writer::Tx;
use crate::ids::{AliasId, MessageId, RecordId, TenantId, bytes, from_bytes};
use crate::store::{Cell, CellAt, CellKind, CellPage, Conflict, KeyUse, ResealPass, Sealed, StoreError, WrappedKey};

pub(super) fn add(tx: &Tx<'_>, row: &WrappedKey) -> Result<(), StoreError> {
    tx.conn
        .prepare_cached(
            "INSERT INTO wrapped_key (owner, purpose, version, wrapped, created_at) VALUES (?, ?, ?, ?, ?)",
        )?
        .execute(params![row.owner, row.purpose, row.version, row.wrapped, row.created_at])?;
    moved(tx)
}

/// Puts another wrapping of the same key in the place of the one it was made from.
pub(super) fn rewrap(tx: &Tx<'_>, row: &WrappedKey, from: &[u8]) -> Result<(), StoreError> {
    let changed = tx
        .conn
        .prepare_cached(
            "UPDATE wrapped_key SET wrapped = ? WHERE owner = ? AND purpose = ? AND version = ? AND wrapped = ?",
        )?
        .execute(params![row.wrapped, row.owner, row.purpose, row.version, from])?;
    if changed == 0 { Err(StoreError::Conflict(Conflict::Taken)) } else { moved(tx) }
}

pub(super) fn retire(tx: &Tx<'_>, owner: &str, purpose: &str, version: u16) -> Result<(), StoreError> {
    let gone = tx
        .conn
        .prepare_cached("DELETE FROM wrapped_key WHERE owner = ? AND purpose = ? AND version = ?")?
        .execute(params![owner, purpose, version])?;
    if gone == 0 {
        return Err(StoreError::Conflict(Conflict::Missing));
    }
    tx.conn
        .prepare_cached("DELETE FROM key_use WHERE owner = ? AND purpose = ? AND version = ?")?
        .execute(params![owner, purpose, version])?;
    moved(tx)
}

/// Forgets every key of an owner, and remembers that its KEK has to go.
pub(super) fn doom(tx: &Tx<'_>, owner: &str) -> Result<(), StoreError> {
    tx.conn.prepare_cached("DELETE FROM wrapped_key WHERE owner = ?")?.execute([owner])?;
    tx.conn.prepare_cached("DELETE FROM key_use WHERE owner = ?")?.execute([owner])?;
    tx.conn.prepare_cached("INSERT OR IGNORE INTO doomed_kek (owner) VALUES (?)")?.execute([owner])?;
    moved(tx)
}

pub(super) fn kek_destroyed(tx: &Tx<'_>, owner: &str) -> Result<(), StoreError> {
    match tx.conn.prepare_cached("DELETE FROM doomed_kek WHERE owner = ?")?.execute([owner])? {
        0 => Err(StoreError::Conflict(Conflict::Missing)),
        _ => Ok(()),
    }
}

fn moved(tx: &Tx<'_>) -> Result<(), StoreError> {
    tx.conn.prepare_cached("UPDATE meta SET value = value + 1 WHERE key = 'keys'")?.execute([])?;
    Ok(())
}

pub(super) fn version(conn: &Connection) -> Result<u64, StoreError> {
    let version: i64 =
        conn.prepare_cached("SELECT value FROM meta WHERE key = 'keys'")?.query_row([], |row| row.get(0))?;
    Ok(version.cast_unsigned())
}

pub(super) fn doomed(conn: &Connection) -> Result<Vec<String>, StoreError> {
    let mut statement = conn.prepare_cached("SELECT owner FROM doomed_kek ORDER BY owner")?;
    Ok(statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
}

// ── uses

pub(super) fn reserve_uses(
    tx: &Tx<'_>,
    owner: &str,
    purpose: &str,
    version: u16,
    count: u64,
) -> Result<u64, StoreError> {
    let total: i64 = tx
        .conn
        .prepare_cached(
            "INSERT INTO key_use (owner, purpose, version, uses) VALUES (?, ?, ?, ?)
             ON CONFLICT DO UPDATE SET uses = uses + excluded.uses RETURNING uses",
        )?
        .query_row(params![owner, purpose, version, i64::try_from(count).unwrap_or(i64::MAX)], |row| row.get(0))?;
    Ok(total.cast_unsigned())
}

pub(super) fn uses(conn: &Connection) -> Result<Vec<KeyUse>, StoreError> {
    let mut statement = conn.prepare_cached("SELECT owner, purpose, version, uses FROM key_use")?;
    let uses = statement.query_map([], |row| {
        Ok(KeyUse {
            owner: row.get(0)?,
            purpose: row.get(1)?,
            version: row.get(2)?,
            uses: row.get::<_, i64>(3)?.cast_unsigned(),
        })
    })?;
    Ok(uses.collect::<Result<_, _>>()?)
}

/// Whether a pending verification of the tenant derives its code under an older version than this.
pub(super) fn has_codes_below(conn: &Connection, tenant: TenantId, version: u16) -> Result<bool, StoreError> {
    Ok(conn
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM verification WHERE status = 0 AND tenant = ? AND code_key < ?)")?
        .query_row(params![bytes(&tenant), version], |row| row.get(0))?)
}

/// Whether a part is sealed under an older version of the deployment's key than this.
pub(super) fn has_parts_below(conn: &Connection, version: u16) -> Result<bool, StoreError> {
    Ok(conn
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM part WHERE substr(body, 1, 2) < ?)")?
        .query_row([version.to_be_bytes()], |row| row.get(0))?)
}

// ── passes

pub(super) fn pass(conn: &Connection) -> Result<Option<ResealPass>, StoreError> {
    Ok(conn
        .prepare_cached("SELECT started_at, kind, after, looked, stale, resealed FROM reseal_pass")?
        .query_row([], |row| {
            let count = |at| row.get::<_, i64>(at).map(i64::cast_unsigned);
            Ok(ResealPass {
                started_at: row.get(0)?,
                kind: row.get(1)?,
                after: row.get(2)?,
                looked: count(3)?,
                stale: count(4)?,
                resealed: count(5)?,
            })
        })
        .optional()?)
}

pub(super) fn save_pass(tx: &Tx<'_>, pass: Option<&ResealPass>) -> Result<(), StoreError> {
    let Some(pass) = pass else {
        tx.conn.prepare_cached("DELETE FROM reseal_pass")?.execute([])?;
        return Ok(());
    };
    tx.conn
        .prepare_cached(
            "INSERT OR REPLACE INTO reseal_pass (id, started_at, kind, after, looked, stale, resealed)
             VALUES (1, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            pass.started_at,
            pass.kind,
            pass.after,
            pass.looked.cast_signed(),
            pass.stale.cast_signed(),
            pass.resealed.cast_signed(),
        ])?;
    Ok(())
}

/// Looks through at most `scan` rows behind `after`, and stops once `limit` older ciphertexts are found.
pub(super) fn cells(
    conn: &Connection,
    kind: CellKind,
    after: &[u8],
    wanted: &[(TenantId, u16)],
    scan: u32,
    limit: usize,
) -> Result<CellPage, StoreError> {
    let mut look = Look { wanted, page: CellPage::default(), last: Vec::new() };
    let mut statement = conn.prepare_cached(match kind {
        CellKind::Token => "SELECT id, tenant, number FROM token WHERE id > ?1 AND ?2 = ?2 ORDER BY id LIMIT ?3",
        CellKind::Sender => {
            "SELECT alias, tag, sender.number, alias.tenant FROM sender JOIN alias ON alias.id = sender.alias
             WHERE (alias, tag) > (?1, ?2) ORDER BY alias, tag LIMIT ?3"
        }
        CellKind::Message => {
            "SELECT id, tenant, alias, body, disclosed, to_number FROM message WHERE id > ?1 AND ?2 = ?2 ORDER BY id LIMIT ?3"
        }
    })?;
    let mut rows = match kind {
        CellKind::Token => statement.query(params![record_after(after), 0, scan])?,
        CellKind::Sender => {
            let (alias, tag) = after.split_at_checked(16).unwrap_or((&[], &[]));
            let tag = tag.first_chunk::<4>().map_or(0, |tag| u32::from_be_bytes(*tag));
            statement.query(params![alias, tag, scan])?
        }
        CellKind::Message => statement.query(params![after, 0, scan])?,
    };
    while look.page.cells.len() < limit {
        let Some(row) = rows.next()? else {
            // Fewer rows than asked for: nothing is behind them.
            look.page.next = (look.page.looked >= u64::from(scan)).then_some(look.last);
            return Ok(look.page);
        };
        look.page.looked += 1;
        match kind {
            CellKind::Token => {
                let record: RecordId = row.get("id")?;
                look.last = record.0.to_be_bytes().to_vec();
                look.at(id(row, "tenant")?, CellAt::Number(record), row.get("number")?);
            }
            CellKind::Sender => {
                let (alias, tag): ([u8; 16], u32) = (row.get("alias")?, row.get("tag")?);
                look.last = [alias.as_slice(), &tag.to_be_bytes()].concat();
                look.at(id(row, "tenant")?, CellAt::Sender(from_bytes(alias), tag), row.get("number")?);
            }
            CellKind::Message => {
                let (message, tenant): (MessageId, TenantId) = (id(row, "id")?, id(row, "tenant")?);
                let alias: Option<AliasId> = maybe_id(row, "alias")?;
                look.last = bytes(&message).to_vec();
                look.at(tenant, CellAt::Body(message), row.get("body")?);
                look.at(tenant, CellAt::Disclosed(message), row.get("disclosed")?);
                // Without an alias it is sealed for the message itself.
                let alias = alias.unwrap_or_else(|| from_bytes(bytes(&message)));
                look.at(tenant, CellAt::Stranger(message, alias), row.get("to_number")?);
            }
        }
    }
    look.page.next = Some(look.last);
    Ok(look.page)
}

/// What a look through rows gathers.
struct Look<'a> {
    wanted: &'a [(TenantId, u16)],
    page: CellPage,
    last: Vec<u8>,
}

impl Look<'_> {
    /// Keeps a ciphertext if its tenant has a newer version. One that was emptied has none.
    fn at(&mut self, tenant: TenantId, at: CellAt, sealed: Option<Sealed>) {
        let Some(sealed) = sealed else { return };
        let Some(version) = sealed.0.first_chunk::<2>().map(|version| u16::from_be_bytes(*version)) else { return };
        if self.wanted.iter().any(|(wanted, newest)| *wanted == tenant && version < *newest) {
            self.page.cells.push(Cell { tenant, at, sealed });
        }
    }
}

fn record_after(after: &[u8]) -> i64 {
    after.first_chunk::<8>().map_or(i64::MIN, |record| i64::from_be_bytes(*record))
}

/// Puts another ciphertext of the same in the place of the one it was made from. One that was changed or erased
/// meanwhile stays as it is.
pub(super) fn reseal(tx: &Tx<'_>, tenant: TenantId, at: &CellAt, from: &Sealed, to: &Sealed) -> Result<(), StoreError> {
    let tenant = bytes(&tenant);
    match at {
        CellAt::Number(record) => tx
            .conn
            .prepare_cached("UPDATE token SET number = ? WHERE id = ? AND tenant = ? AND number = ?")?
            .execute(params![to, record, tenant, from]),
        CellAt::Sender(alias, tag) => tx
            .conn
            .prepare_cached("UPDATE sender SET number = ? WHERE alias = ? AND tag = ? AND number = ?")?
            .execute(params![to, bytes(alias), tag, from]),
        CellAt::Body(message) => tx
            .conn
            .prepare_cached("UPDATE message SET body = ? WHERE id = ? AND tenant = ? AND body = ?")?
            .execute(params![to, bytes(message), tenant, from]),
        CellAt::Disclosed(message) => tx
            .conn
            .prepare_cached("UPDATE message SET disclosed = ? WHERE id = ? AND tenant = ? AND disclosed = ?")?
            .execute(params![to, bytes(message), tenant, from]),
        CellAt::Stranger(message, _) => tx
            .conn
            .prepare_cached("UPDATE message SET to_number = ? WHERE id = ? AND tenant = ? AND to_number = ?")?
            .execute(params![to, bytes(message), tenant, from]),
    }?;
    Ok(())
}

pub(super) fn wrapped(conn: &Connection) -> Result<Vec<WrappedKey>, StoreError> {
    let mut statement = conn.prepare_cached("SELECT * FROM wrapped_key ORDER BY owner, purpose, version")?;
    let keys = statement.query_map([], |row| {
        Ok(WrappedKey {
            owner: row.get("owner")?,
            purpose: row.get("purpose")?,
            version: row.get("version")?,
            wrapped: row.get("wrapped")?,
            created_at: row.get("created_at")?,
        })
    })?;
    Ok(keys.collect::<Result<_, _>>()?)
}

/// Whether no key was ever made here.
pub(super) fn is_empty(conn: &Connection) -> Result<bool, StoreError> {
    Ok(conn.prepare_cached("SELECT NOT EXISTS (SELECT 1 FROM wrapped_key)")?.query_row([], |row| row.get(0))?)
}
