//! What tenants say about themselves, their templates, and complaints.

use rusqlite::types::FromSqlError;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::columns::id;
use super::writer::Tx;
use crate::clock::Timestamp;
use crate::ids::{TemplateId, TenantId, bytes, from_bytes};
use crate::store::{Class, ComplaintRow, Conflict, Profile, Registration, RouteComplaints, StoreError, TemplateRow};

/// Every process learns of it with the rest of the directory.
pub(super) fn set_profile(tx: &Tx<'_>, tenant: TenantId, profile: &Profile) -> Result<(), StoreError> {
    tx.conn
        .prepare_cached("INSERT OR REPLACE INTO profile (tenant, profile, at) VALUES (?, ?, ?)")?
        .execute(params![bytes(&tenant), json(profile)?, tx.now])?;
    super::access::moved(tx)
}

pub(super) fn profiles(conn: &Connection) -> rusqlite::Result<Vec<(TenantId, Profile)>> {
    let mut statement = conn.prepare_cached("SELECT tenant, profile FROM profile")?;
    let read = |row: &Row<'_>| {
        let text: String = row.get(1)?;
        Ok((from_bytes(row.get(0)?), serde_json::from_str(&text).map_err(|_| FromSqlError::InvalidType)?))
    };
    statement.query_map([], read)?.collect()
}

pub(super) fn add_template(tx: &Tx<'_>, row: &TemplateRow) -> Result<(), StoreError> {
    let tenant = bytes(&row.tenant);
    let count: u32 = tx
        .conn
        .prepare_cached("SELECT count(*) FROM template WHERE tenant = ?")?
        .query_row([tenant], |row| row.get(0))?;
    if count >= MAX_TEMPLATES {
        return Err(StoreError::Conflict(Conflict::TooMany));
    }
    tx.conn
        .prepare_cached(
            "INSERT INTO template (id, tenant, name, class, texts, registration, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            bytes(&row.id),
            tenant,
            row.name,
            row.class,
            json(&row.texts)?,
            row.registration.as_ref().map(json).transpose()?,
            row.created_at,
        ])?;
    Ok(())
}

pub(super) fn remove_template(tx: &Tx<'_>, tenant: TenantId, id: TemplateId) -> Result<(), StoreError> {
    let gone = tx
        .conn
        .prepare_cached("DELETE FROM template WHERE id = ? AND tenant = ?")?
        .execute(params![bytes(&id), bytes(&tenant)])?;
    if gone == 0 { Err(StoreError::Conflict(Conflict::Missing)) } else { Ok(()) }
}

pub(super) fn template(conn: &Connection, tenant: TenantId, id: TemplateId) -> Result<Option<TemplateRow>, StoreError> {
    Ok(conn
        .prepare_cached("SELECT * FROM template WHERE id = ? AND tenant = ?")?
        .query_row(params![bytes(&id), bytes(&tenant)], template_row)
        .optional()?)
}

pub(super) fn template_named(
    conn: &Connection,
    tenant: TenantId,
    name: &str,
) -> Result<Option<TemplateRow>, StoreError> {
    Ok(conn
        .prepare_cached("SELECT * FROM template WHERE tenant = ? AND name = ?")?
        .query_row(params![bytes(&tenant), name], template_row)
        .optional()?)
}

pub(super) fn templates(
    conn: &Connection,
    tenant: TenantId,
    after: Option<TemplateId>,
    limit: u32,
) -> Result<Vec<TemplateRow>, StoreError> {
    Ok(conn
        .prepare_cached(
            "SELECT * FROM template WHERE tenant = ?1 AND id < coalesce(?2, x'ffffffffffffffffffffffffffffffffff')
             ORDER BY id DESC LIMIT ?3",
        )?
        .query_map(params![bytes(&tenant), after.as_ref().map(bytes), limit], template_row)?
        .collect::<Result<_, _>>()?)
}

fn template_row(row: &Row<'_>) -> rusqlite::Result<TemplateRow> {
    let texts: String = row.get("texts")?;
    Ok(TemplateRow {
        id: id(row, "id")?,
        tenant: id(row, "tenant")?,
        name: row.get("name")?,
        class: row.get("class")?,
        texts: serde_json::from_str(&texts).map_err(|_| FromSqlError::InvalidType)?,
        registration: registration(row)?,
        created_at: row.get("created_at")?,
    })
}

/// Reads the column `registration`.
pub(super) fn registration(row: &Row<'_>) -> rusqlite::Result<Option<Registration>> {
    let text: Option<String> = row.get("registration")?;
    Ok(text.map(|text| serde_json::from_str(&text).map_err(|_| FromSqlError::InvalidType)).transpose()?)
}

pub(super) fn json(value: &impl serde::Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|_| StoreError::Corrupt("record"))
}

/// One for each message: a second one is [`Conflict::Exists`].
pub(super) fn add_complaint(tx: &Tx<'_>, row: &ComplaintRow) -> Result<(), StoreError> {
    tx.conn
        .prepare_cached(
            "INSERT INTO complaint (id, tenant, idx, message, carrier, country, class, at)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            bytes(&row.id),
            bytes(&row.tenant),
            row.index,
            row.message.as_ref().map(bytes),
            row.carrier,
            row.country,
            row.class,
            row.at,
        ])?;
    Ok(())
}

/// Complaints by tenant and the way that the messages went, with how many messages went that way from the day of `since` on.
pub(super) fn complaints_by_route(conn: &Connection, since: Timestamp) -> Result<Vec<RouteComplaints>, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT c.tenant, c.carrier, c.country, c.class, c.complaints,
             (SELECT coalesce(sum(t.messages), 0) FROM traffic AS t
              WHERE t.tenant = c.tenant AND t.day >= ?2 AND t.carrier = c.carrier AND t.country = c.country
                  AND t.class = c.class)
         FROM (SELECT tenant, carrier, country, class, count(*) AS complaints FROM complaint
               WHERE at >= ?1 AND carrier IS NOT NULL AND country IS NOT NULL AND class IS NOT NULL
               GROUP BY tenant, carrier, country, class) AS c",
    )?;
    let day = since.as_secs().div_euclid(86_400);
    let found = statement.query_map(params![since, day], |row| {
        let count = |at| row.get::<_, i64>(at).map(i64::cast_unsigned);
        let class: Class = row.get("class")?;
        Ok(RouteComplaints {
            tenant: id(row, "tenant")?,
            carrier: row.get("carrier")?,
            country: row.get("country")?,
            class,
            complaints: count(4)?,
            sent: count(5)?,
        })
    })?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// Templates of one tenant.
const MAX_TEMPLATES: u32 = 1_000;
