//! Who does not want to be written to. The first of a tenant tells every process to look from now on.

use rusqlite::{Connection, OptionalExtension, params};

use super::columns::id;
use super::writer::Tx;
use crate::ids::{self, MessageId, SuppressionId, TenantId, bytes};
use crate::store::{BlindIndex, Scope, Spared, StoreError, Suppression};

/// What stands already stays as it came about.
pub(super) fn add(tx: &Tx<'_>, row: &Suppression) -> Result<(), StoreError> {
    let tenant = bytes(&row.tenant);
    tx.conn
        .prepare_cached(
            "INSERT INTO suppression (id, tenant, idx, scope, source, at) VALUES (?, ?, ?, ?, ?, ?)
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            bytes(&ids::fresh::<ids::SuppressionKind>()),
            tenant,
            row.index,
            row.scope,
            row.source,
            row.at
        ])?;
    let first = tx
        .conn
        .prepare_cached("UPDATE tenant SET suppressions = 1 WHERE id = ? AND suppressions = 0 RETURNING 1")?
        .query_row([tenant], |row| row.get::<_, i64>(0))
        .optional()?;
    match first {
        Some(_) => super::access::moved(tx),
        None => Ok(()),
    }
}

pub(super) fn remove(tx: &Tx<'_>, tenant: TenantId, index: BlindIndex, scopes: &[Scope]) -> Result<(), StoreError> {
    let tenant = bytes(&tenant);
    if scopes.is_empty() {
        tx.conn
            .prepare_cached("DELETE FROM suppression WHERE tenant = ? AND idx = ?")?
            .execute(params![tenant, index])?;
    }
    for scope in scopes {
        tx.conn
            .prepare_cached("DELETE FROM suppression WHERE tenant = ? AND idx = ? AND scope = ?")?
            .execute(params![tenant, index, scope])?;
    }
    Ok(())
}

pub(super) fn of(conn: &Connection, tenant: TenantId, index: BlindIndex) -> Result<Vec<Scope>, StoreError> {
    Ok(conn
        .prepare_cached("SELECT scope FROM suppression WHERE tenant = ? AND idx = ?")?
        .query_map(params![bytes(&tenant), index], |row| row.get(0))?
        .collect::<Result<_, _>>()?)
}

pub(super) fn list(
    conn: &Connection,
    tenant: TenantId,
    after: Option<SuppressionId>,
    limit: u32,
) -> Result<Vec<(SuppressionId, Suppression)>, StoreError> {
    Ok(conn
        .prepare_cached(
            "SELECT * FROM suppression WHERE tenant = ?1 AND id < coalesce(?2, x'ffffffffffffffffffffffffffffffffff')
             ORDER BY id DESC LIMIT ?3",
        )?
        .query_map(params![bytes(&tenant), after.as_ref().map(bytes), limit], |row| {
            let index = row.get("idx")?;
            let (scope, source, at) = (row.get("scope")?, row.get("source")?, row.get("at")?);
            Ok((id(row, "id")?, Suppression { tenant, index, scope, source, at }))
        })?
        .collect::<Result<_, _>>()?)
}

/// One look from a message over its person's record to what the person is spared.
pub(super) fn spared(conn: &Connection, tenant: TenantId, message: MessageId) -> Result<Option<Spared>, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT message.class, message.from_number, suppression.scope
         FROM message JOIN token ON token.id = message.to_record AND token.tenant = message.tenant
             JOIN suppression ON suppression.tenant = message.tenant AND suppression.idx = token.idx
         WHERE message.id = ? AND message.tenant = ?",
    )?;
    let mut rows = statement.query(params![bytes(&message), bytes(&tenant)])?;
    let mut found: Option<Spared> = None;
    while let Some(row) = rows.next()? {
        let scope = row.get(2)?;
        match &mut found {
            Some(spared) => spared.scopes.push(scope),
            None => found = Some(Spared { class: row.get(0)?, from: row.get(1)?, scopes: vec![scope] }),
        }
    }
    Ok(found)
}
