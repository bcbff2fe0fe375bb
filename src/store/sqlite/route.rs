//! Routes: versions of each tenant's set, and ways that are closed. Every write moves the version that processes follow.

use rusqlite::types::FromSqlError;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::columns::id;
use super::writer::Tx;
use crate::ids::{TenantId, bytes};
use crate::store::{Class, ClosedRoute, Conflict, RouteRows, RouteSetRow, StoreError};

/// A set comes into force over the version before, and over no other.
pub(super) fn set(tx: &Tx<'_>, row: &RouteSetRow) -> Result<(), StoreError> {
    let newest: Option<u32> = tx
        .conn
        .prepare_cached("SELECT max(version) FROM route_set WHERE tenant = ?")?
        .query_row([bytes(&row.tenant)], |row| row.get(0))?;
    if newest.unwrap_or(0).checked_add(1) != Some(row.version) {
        return Err(StoreError::Conflict(Conflict::RoutesMoved));
    }
    tx.conn
        .prepare_cached(
            "INSERT INTO route_set (tenant, version, rules, author, approver, at) VALUES (?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![bytes(&row.tenant), row.version, row.rules, row.author, row.approver, row.at])?;
    moved(tx)
}

pub(super) fn close(tx: &Tx<'_>, row: &ClosedRoute) -> Result<(), StoreError> {
    let added = tx
        .conn
        .prepare_cached(
            "INSERT INTO route_closed (tenant, carrier, country, class, complaints, sent, since)
             VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            bytes(&row.tenant),
            row.carrier,
            row.country,
            row.class.as_str(),
            row.complaints.cast_signed(),
            row.sent.cast_signed(),
            row.since
        ])?;
    if added == 0 { Err(StoreError::Conflict(Conflict::Exists)) } else { moved(tx) }
}

pub(super) fn open(
    tx: &Tx<'_>,
    tenant: TenantId,
    carrier: &str,
    country: &str,
    class: Class,
) -> Result<(), StoreError> {
    let gone = tx
        .conn
        .prepare_cached("DELETE FROM route_closed WHERE tenant = ? AND carrier = ? AND country = ? AND class = ?")?
        .execute(params![bytes(&tenant), carrier, country, class.as_str()])?;
    if gone == 0 { Err(StoreError::Conflict(Conflict::Missing)) } else { moved(tx) }
}

fn moved(tx: &Tx<'_>) -> Result<(), StoreError> {
    tx.conn.prepare_cached("UPDATE meta SET value = value + 1 WHERE key = 'routes'")?.execute([])?;
    Ok(())
}

pub(super) fn version(conn: &Connection) -> Result<u64, StoreError> {
    let version: Option<i64> = conn
        .prepare_cached("SELECT value FROM meta WHERE key = 'routes'")?
        .query_row([], |row| row.get(0))
        .optional()?;
    Ok(version.unwrap_or_default().cast_unsigned())
}

/// All of it, of one moment.
pub(super) fn all(conn: &Connection) -> Result<RouteRows, StoreError> {
    let moment = conn.unchecked_transaction()?;
    let version = version(&moment)?;
    let sets = moment
        .prepare_cached(
            "SELECT tenant, version, rules, author, approver, at FROM route_set AS s
             WHERE version = (SELECT max(version) FROM route_set WHERE tenant = s.tenant)",
        )?
        .query_map([], row)?
        .collect::<rusqlite::Result<_>>()?;
    let closed =
        moment.prepare_cached("SELECT * FROM route_closed")?.query_map([], closed)?.collect::<rusqlite::Result<_>>()?;
    Ok(RouteRows { version, sets, closed })
}

fn row(row: &Row<'_>) -> rusqlite::Result<RouteSetRow> {
    Ok(RouteSetRow {
        tenant: id(row, "tenant")?,
        version: row.get("version")?,
        rules: row.get("rules")?,
        author: row.get("author")?,
        approver: row.get("approver")?,
        at: row.get("at")?,
    })
}

fn closed(row: &Row<'_>) -> rusqlite::Result<ClosedRoute> {
    let class: String = row.get("class")?;
    Ok(ClosedRoute {
        tenant: id(row, "tenant")?,
        carrier: row.get("carrier")?,
        country: row.get("country")?,
        class: Class::parse(&class).ok_or(FromSqlError::InvalidType)?,
        complaints: row.get::<_, i64>("complaints")?.cast_unsigned(),
        sent: row.get::<_, i64>("sent")?.cast_unsigned(),
        since: row.get("since")?,
    })
}
