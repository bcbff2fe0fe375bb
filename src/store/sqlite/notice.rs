//! Events on their way to endpoints: one row for each event and endpoint, delivered in the order of the log.
//!
//! The first row of an endpoint that waits is its head; nothing behind it is sent before. What comes of a call is
//! recorded without an entry in the log: the event has one.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::columns::{id, maybe_id};
use super::packed::{self, Columns};
use super::webhook::webhook;
use super::writer::Tx;
use crate::ids::{TenantId, WebhookId, bytes};
use crate::store::{Again, Called, Conflict, Notice, NoticeRow, StoreError, Then, Waiting};

/// The head of an endpoint that is called at all, with the event's text.
pub(super) fn next(conn: &Connection, of: WebhookId) -> Result<Option<Notice>, StoreError> {
    let endpoint = conn
        .prepare_cached("SELECT * FROM webhook WHERE id = ? AND deleted = 0 AND disabled IS NULL")?
        .query_row([bytes(&of)], webhook)
        .optional()?;
    let Some(endpoint) = endpoint else { return Ok(None) };
    let row = conn
        .prepare_cached("SELECT * FROM webhook_delivery WHERE webhook = ? AND state = 0 ORDER BY idx LIMIT 1")?
        .query_row([bytes(&of)], notice)
        .optional()?;
    let Some(row) = row else { return Ok(None) };
    let entry = entry(conn, row.index)?;
    Ok(Some(Notice { endpoint, row, entry }))
}

/// The text of an entry; none once retention took it away.
fn entry(conn: &Connection, index: u64) -> Result<Option<String>, StoreError> {
    let found = conn
        .prepare_cached("SELECT tenant, at, text FROM log WHERE idx = ? AND text IS NOT NULL")?
        .query_row([index.cast_signed()], |row| {
            let columns = Columns { tenant: maybe_id(row, "tenant")?, at: row.get("at")? };
            Ok((columns, row.get::<_, Vec<u8>>("text")?))
        })
        .optional()?;
    found.map(|(columns, text)| packed::unpack(&text, columns).ok_or(StoreError::Corrupt("log entry"))).transpose()
}

/// Every endpoint that something waits for and that is called at all, found by leaping from one to the next.
pub(super) fn waiting(conn: &Connection) -> Result<Vec<Waiting>, StoreError> {
    Ok(conn
        .prepare_cached(
            "WITH RECURSIVE of(webhook) AS (
                 SELECT min(webhook) FROM webhook_delivery WHERE state = 0
                 UNION ALL
                 SELECT (SELECT min(webhook) FROM webhook_delivery WHERE state = 0 AND webhook > of.webhook)
                 FROM of WHERE of.webhook IS NOT NULL)
             SELECT d.webhook, d.tenant, d.at, d.due FROM of
             JOIN webhook AS w ON w.id = of.webhook AND w.deleted = 0 AND w.disabled IS NULL
             JOIN webhook_delivery AS d ON d.webhook = of.webhook
               AND d.idx = (SELECT min(idx) FROM webhook_delivery WHERE webhook = of.webhook AND state = 0)",
        )?
        .query_map([], |row| {
            Ok(Waiting {
                webhook: id(row, "webhook")?,
                tenant: id(row, "tenant")?,
                since: row.get("at")?,
                due: row.get("due")?,
            })
        })?
        .collect::<Result<_, _>>()?)
}

/// The deliveries of an endpoint, newest first, before a place in the log.
pub(super) fn list(
    conn: &Connection,
    tenant: TenantId,
    of: WebhookId,
    before: Option<u64>,
    limit: u32,
) -> Result<Vec<NoticeRow>, StoreError> {
    let before = before.map_or(i64::MAX, u64::cast_signed);
    Ok(conn
        .prepare_cached(
            "SELECT * FROM webhook_delivery WHERE webhook = ? AND tenant = ? AND idx < ? ORDER BY idx DESC LIMIT ?",
        )?
        .query_map(params![bytes(&of), bytes(&tenant), before, limit], notice)?
        .collect::<Result<_, _>>()?)
}

/// Records a call. One whose delivery is gone, or was asked for again meanwhile, changes nothing.
pub(super) fn called(tx: &Tx<'_>, called: &Called) -> Result<(), StoreError> {
    let (state, due, counts) = match called.then {
        Then::Delivered => (1, None, 1),
        Then::Again(due) => (0, Some(due), 1),
        Then::Dropped => (2, None, 0),
    };
    let endpoint = bytes(&called.webhook);
    tx.conn
        .prepare_cached(
            "UPDATE webhook_delivery SET state = ?1, due = coalesce(?2, due), attempts = attempts + ?3, code = ?4,
                 fault = ?5, tried_at = ?6
             WHERE webhook = ?7 AND idx = ?8 AND state = 0",
        )?
        .execute(params![
            state,
            due,
            counts,
            called.code,
            called.fault,
            called.at,
            endpoint,
            called.index.cast_signed()
        ])?;
    let failing = match called.then {
        Then::Delivered => {
            "UPDATE webhook SET failing_since = NULL WHERE id = ?1 AND failing_since IS NOT NULL AND ?2 > 0"
        }
        Then::Again(_) => "UPDATE webhook SET failing_since = ?2 WHERE id = ?1 AND failing_since IS NULL",
        Then::Dropped => return Ok(()),
    };
    tx.conn.prepare_cached(failing)?.execute(params![endpoint, called.at])?;
    Ok(())
}

/// The head is tried at once, and as often as if it never had been.
pub(super) fn begin_anew(tx: &Tx<'_>, of: WebhookId) -> Result<(), StoreError> {
    tx.conn
        .prepare_cached(
            "UPDATE webhook_delivery SET attempts = 0, due = ?1
             WHERE webhook = ?2 AND state = 0
               AND idx = (SELECT min(idx) FROM webhook_delivery WHERE webhook = ?2 AND state = 0)",
        )?
        .execute(params![tx.now, bytes(&of)])?;
    Ok(())
}

/// Puts deliveries before an endpoint again; gives the places in the log of those, in order.
pub(super) fn again(tx: &Tx<'_>, tenant: TenantId, of: WebhookId, which: Again) -> Result<Vec<u64>, StoreError> {
    if super::webhook::find(tx.conn, tenant, of)?.is_none() {
        return Err(StoreError::Conflict(Conflict::Missing));
    }
    let (since, after, until, limit) = match which {
        Again::One(index) => (None, index.cast_signed() - 1, index.cast_signed(), 1),
        Again::Since(since, after, limit) => (Some(since), after.map_or(-1, u64::cast_signed), i64::MAX, limit),
    };
    let places = tx
        .conn
        .prepare_cached(
            "SELECT idx FROM webhook_delivery
             WHERE webhook = ? AND idx > ? AND idx <= ? AND at >= coalesce(?, at) ORDER BY idx LIMIT ?",
        )?
        .query_map(params![bytes(&of), after, until, since, limit], |row| row.get(0))?
        .collect::<Result<Vec<i64>, _>>()?;
    if places.is_empty() && matches!(which, Again::One(_)) {
        return Err(StoreError::Conflict(Conflict::Missing));
    }
    let mut reset = tx
        .conn
        .prepare_cached("UPDATE webhook_delivery SET state = 0, attempts = 0, due = ? WHERE webhook = ? AND idx = ?")?;
    for place in &places {
        reset.execute(params![tx.now, bytes(&of), place])?;
    }
    Ok(places.into_iter().map(i64::cast_unsigned).collect())
}

fn notice(row: &Row<'_>) -> rusqlite::Result<NoticeRow> {
    Ok(NoticeRow {
        webhook: id(row, "webhook")?,
        tenant: id(row, "tenant")?,
        index: row.get::<_, i64>("idx")?.cast_unsigned(),
        action: row.get("action")?,
        at: row.get("at")?,
        record: row.get("record")?,
        state: row.get("state")?,
        attempts: row.get("attempts")?,
        due: row.get("due")?,
        code: row.get("code")?,
        fault: row.get("fault")?,
        tried_at: row.get("tried_at")?,
    })
}
