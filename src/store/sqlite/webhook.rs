//! Endpoints of webhooks. Every write that changes who is told of what moves the version that [`super::told`] looks at.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::columns::id;
use super::writer::Tx;
use crate::clock::Timestamp;
use crate::ids::{TenantId, WebhookId, bytes};
use crate::store::{Conflict, MAX_WEBHOOKS, StoreError, WebhookFilter, WebhookRow};

pub(super) fn add(tx: &Tx<'_>, row: &WebhookRow) -> Result<(), StoreError> {
    let count: u32 = tx
        .conn
        .prepare_cached("SELECT count(*) FROM webhook WHERE tenant = ? AND deleted = 0")?
        .query_row([bytes(&row.tenant)], |row| row.get(0))?;
    if count >= MAX_WEBHOOKS {
        return Err(StoreError::Conflict(Conflict::TooMany));
    }
    tx.conn
        .prepare_cached(
            "INSERT INTO webhook (id, tenant, url, events, audience, salt, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            bytes(&row.id),
            bytes(&row.tenant),
            row.url,
            row.events.join(" "),
            row.audience,
            row.salt,
            row.created_at,
        ])?;
    moved(tx)
}

pub(super) fn change(
    tx: &Tx<'_>,
    tenant: TenantId,
    webhook: WebhookId,
    url: Option<&str>,
    events: Option<&[String]>,
) -> Result<(), StoreError> {
    let events = events.map(|events| events.join(" "));
    one(tx
        .conn
        .prepare_cached(
            "UPDATE webhook SET url = coalesce(?1, url), events = coalesce(?2, events)
             WHERE id = ?3 AND tenant = ?4 AND deleted = 0",
        )?
        .execute(params![url, events, bytes(&webhook), bytes(&tenant)])?)?;
    moved(tx)
}

/// Of secrets that still overlap the older one goes at once: two are enough to change a receiver over.
pub(super) fn rotate(
    tx: &Tx<'_>,
    tenant: TenantId,
    webhook: WebhookId,
    salt: &[u8; 16],
    until: Timestamp,
) -> Result<(), StoreError> {
    one(tx
        .conn
        .prepare_cached(
            "UPDATE webhook SET old_salt = salt, old_until = ?1, salt = ?2 WHERE id = ?3 AND tenant = ?4 AND deleted = 0",
        )?
        .execute(params![until, salt, bytes(&webhook), bytes(&tenant)])?)
}

pub(super) fn switch(
    tx: &Tx<'_>,
    tenant: TenantId,
    webhook: WebhookId,
    disabled: Option<&str>,
) -> Result<(), StoreError> {
    let was: Option<Option<String>> = tx
        .conn
        .prepare_cached("SELECT disabled FROM webhook WHERE id = ? AND tenant = ? AND deleted = 0")?
        .query_row(params![bytes(&webhook), bytes(&tenant)], |row| row.get(0))
        .optional()?;
    match (was, disabled) {
        (None, _) => return Err(StoreError::Conflict(Conflict::Missing)),
        (Some(was), _) if was.is_some() == disabled.is_some() => return Err(StoreError::Conflict(Conflict::Taken)),
        _ => {}
    }
    tx.conn
        .prepare_cached(
            "UPDATE webhook SET disabled = ?1, failing_since = iif(?1 IS NULL, NULL, failing_since) WHERE id = ?2",
        )?
        .execute(params![disabled, bytes(&webhook)])?;
    if disabled.is_none() {
        super::notice::begin_anew(tx, webhook)?;
    }
    moved(tx)
}

/// Nothing of it is kept but its id, until its deliveries are gone too.
pub(super) fn delete(tx: &Tx<'_>, tenant: TenantId, webhook: WebhookId) -> Result<(), StoreError> {
    one(tx
        .conn
        .prepare_cached(
            "UPDATE webhook SET deleted = 1, url = '', events = '', audience = NULL, salt = x'', old_salt = NULL
             WHERE id = ? AND tenant = ? AND deleted = 0",
        )?
        .execute(params![bytes(&webhook), bytes(&tenant)])?)?;
    moved(tx)
}

fn one(changed: usize) -> Result<(), StoreError> {
    if changed == 0 { Err(StoreError::Conflict(Conflict::Missing)) } else { Ok(()) }
}

pub(super) fn moved(tx: &Tx<'_>) -> Result<(), StoreError> {
    tx.conn.prepare_cached("UPDATE meta SET value = value + 1 WHERE key = 'webhooks'")?.execute([])?;
    Ok(())
}

pub(super) fn find(conn: &Connection, tenant: TenantId, of: WebhookId) -> Result<Option<WebhookRow>, StoreError> {
    Ok(conn
        .prepare_cached("SELECT * FROM webhook WHERE id = ? AND tenant = ? AND deleted = 0")?
        .query_row(params![bytes(&of), bytes(&tenant)], webhook)
        .optional()?)
}

/// Newest first.
pub(super) fn list(conn: &Connection, tenant: TenantId, filter: &WebhookFilter) -> Result<Vec<WebhookRow>, StoreError> {
    Ok(conn
        .prepare_cached(
            "SELECT * FROM webhook
             WHERE tenant = ?1 AND deleted = 0 AND (?2 IS NULL OR audience = ?2)
               AND id < coalesce(?3, x'ffffffffffffffffffffffffffffffffff')
             ORDER BY id DESC LIMIT ?4",
        )?
        .query_map(params![bytes(&tenant), filter.audience, filter.after.as_ref().map(bytes), filter.limit], webhook)?
        .collect::<Result<_, _>>()?)
}

pub(super) fn webhook(row: &Row<'_>) -> rusqlite::Result<WebhookRow> {
    let events: String = row.get("events")?;
    let old: Option<[u8; 16]> = row.get("old_salt")?;
    let until: Option<Timestamp> = row.get("old_until")?;
    Ok(WebhookRow {
        id: id(row, "id")?,
        tenant: id(row, "tenant")?,
        url: row.get("url")?,
        events: events.split_whitespace().map(str::to_owned).collect(),
        audience: row.get("audience")?,
        salt: row.get("salt")?,
        old: old.zip(until),
        disabled: row.get("disabled")?,
        failing_since: row.get("failing_since")?,
        created_at: row.get("created_at")?,
    })
}
