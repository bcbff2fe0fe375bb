//! Tenants, credentials, freezes and audiences.
//!
//! Every write to what decides who a caller is moves the directory's version in the same transaction.

use rusqlite::{Connection, Row, params};

use super::columns::id;
use super::writer::Tx;
use crate::clock::Timestamp;
use crate::ids::{CredentialId, TenantId, bytes};
use crate::store::{Conflict, CredentialRow, DirectoryRows, Proofs, SigningKey, StoreError, TenantRow, With};

pub(super) fn add_tenant(tx: &Tx<'_>, row: &TenantRow) -> Result<(), StoreError> {
    tx.conn
        .prepare_cached("INSERT INTO tenant (id, name, mode, region, created_at) VALUES (?, ?, ?, ?, ?)")?
        .execute(params![bytes(&row.id), row.name, row.mode, row.region, row.created_at])?;
    moved(tx)
}

pub(super) fn add_credential(tx: &Tx<'_>, row: &CredentialRow) -> Result<(), StoreError> {
    let (salt, public) = match row.proofs.signing {
        Some(SigningKey::Hmac(salt)) => (Some(salt), None),
        Some(SigningKey::Ed25519(public)) => (None, Some(public)),
        None => (None, None),
    };
    let networks: Vec<_> = row.networks.iter().map(ToString::to_string).collect();
    tx.conn
        .prepare_cached(
            "INSERT INTO credential (id, tenant, secret, person, role, audience, networks, created_at, ends_at,
                 keyless, client_cert, signing_salt, signing_key, requires)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            bytes(&row.id),
            bytes(&row.tenant),
            row.secret,
            row.person,
            row.role,
            row.audience,
            networks.join(" "),
            row.created_at,
            row.ends_at,
            row.proofs.keyless,
            row.proofs.certificate,
            salt,
            public,
            row.proofs.requires.spelled(),
        ])?;
    moved(tx)
}

/// A credential that ends already keeps the earlier end.
pub(super) fn end_credential(tx: &Tx<'_>, tenant: TenantId, id: CredentialId, at: Timestamp) -> Result<(), StoreError> {
    let changed = tx
        .conn
        .prepare_cached("UPDATE credential SET ends_at = min(coalesce(ends_at, ?1), ?1) WHERE id = ?2 AND tenant = ?3")?
        .execute(params![at, bytes(&id), bytes(&tenant)])?;
    if changed == 0 {
        return Err(StoreError::Conflict(Conflict::Missing));
    }
    moved(tx)
}

pub(super) fn freeze(tx: &Tx<'_>, target: &str, on: bool) -> Result<(), StoreError> {
    let sql =
        if on { "INSERT OR IGNORE INTO frozen (target) VALUES (?)" } else { "DELETE FROM frozen WHERE target = ?" };
    match tx.conn.prepare_cached(sql)?.execute([target])? {
        0 => Ok(()),
        _ => moved(tx),
    }
}

pub(super) fn add_audience(tx: &Tx<'_>, tenant: TenantId, audience: &str) -> Result<(), StoreError> {
    let added = tx
        .conn
        .prepare_cached("INSERT INTO audience (tenant, audience) VALUES (?, ?) ON CONFLICT DO NOTHING")?
        .execute(params![bytes(&tenant), audience])?;
    if added == 0 { Ok(()) } else { moved(tx) }
}

pub(super) fn moved(tx: &Tx<'_>) -> Result<(), StoreError> {
    tx.conn.prepare_cached("UPDATE meta SET value = value + 1 WHERE key = 'directory'")?.execute([])?;
    Ok(())
}

pub(super) fn directory_version(conn: &Connection) -> Result<u64, StoreError> {
    let version: i64 =
        conn.prepare_cached("SELECT value FROM meta WHERE key = 'directory'")?.query_row([], |row| row.get(0))?;
    Ok(version.cast_unsigned())
}

/// All of it, of one moment.
pub(super) fn directory(conn: &Connection) -> Result<DirectoryRows, StoreError> {
    let moment = conn.unchecked_transaction()?;
    let version = directory_version(&moment)?;
    let tenants = all(&moment, "SELECT * FROM tenant WHERE erased_at IS NULL ORDER BY id", tenant)?;
    let credentials = all(
        &moment,
        "SELECT * FROM credential WHERE tenant IN (SELECT id FROM tenant WHERE erased_at IS NULL) ORDER BY id",
        credential,
    )?;
    let frozen = frozen(&moment)?;
    let audiences = all(&moment, "SELECT tenant, audience FROM audience ORDER BY tenant, audience", |row| {
        Ok((id(row, "tenant")?, row.get("audience")?))
    })?;
    let policy = super::policy::active(&moment)?;
    let erasures = all(&moment, "SELECT id FROM tenant WHERE erasures = 1", |row| id(row, "id"))?;
    let profiles = super::outreach::profiles(&moment)?;
    let suppressions = all(&moment, "SELECT id FROM tenant WHERE suppressions = 1", |row| id(row, "id"))?;
    let erased = all(&moment, "SELECT id FROM tenant WHERE erased_at IS NOT NULL", |row| id(row, "id"))?;
    Ok(DirectoryRows {
        version,
        tenants,
        credentials,
        frozen,
        audiences,
        policy,
        erasures,
        profiles,
        suppressions,
        erased,
    })
}

pub(super) fn frozen(conn: &Connection) -> rusqlite::Result<Vec<String>> {
    all(conn, "SELECT target FROM frozen ORDER BY target", |row| row.get(0))
}

fn all<T>(conn: &Connection, sql: &str, read: fn(&Row<'_>) -> rusqlite::Result<T>) -> rusqlite::Result<Vec<T>> {
    conn.prepare_cached(sql)?.query_map([], read)?.collect()
}

fn tenant(row: &Row<'_>) -> rusqlite::Result<TenantRow> {
    Ok(TenantRow {
        id: id(row, "id")?,
        name: row.get("name")?,
        mode: row.get("mode")?,
        region: row.get("region")?,
        created_at: row.get("created_at")?,
    })
}

fn credential(row: &Row<'_>) -> rusqlite::Result<CredentialRow> {
    let networks: String = row.get("networks")?;
    let networks = networks.split_whitespace().map(str::parse).collect::<Result<_, _>>();
    Ok(CredentialRow {
        id: id(row, "id")?,
        tenant: id(row, "tenant")?,
        secret: row.get("secret")?,
        person: row.get("person")?,
        role: row.get("role")?,
        audience: row.get("audience")?,
        networks: networks.map_err(|_| rusqlite::types::FromSqlError::InvalidType)?,
        created_at: row.get("created_at")?,
        ends_at: row.get("ends_at")?,
        proofs: proofs(row)?,
    })
}

fn proofs(row: &Row<'_>) -> rusqlite::Result<Proofs> {
    let (salt, public): (Option<[u8; 16]>, Option<[u8; 32]>) = (row.get("signing_salt")?, row.get("signing_key")?);
    let requires: String = row.get("requires")?;
    Ok(Proofs {
        keyless: row.get("keyless")?,
        certificate: row.get("client_cert")?,
        signing: salt.map(SigningKey::Hmac).or(public.map(SigningKey::Ed25519)),
        // A proof that this version does not know cannot be demanded, so the row is not read as if it demanded less.
        requires: With::parse(&requires).ok_or(rusqlite::types::FromSqlError::InvalidType)?,
    })
}

/// Ends a tenant at once: nobody of it is known any more. What is its own goes by [`super::purge`].
pub(super) fn erase_tenant(tx: &Tx<'_>, tenant: TenantId, at: Timestamp) -> Result<(), StoreError> {
    let ended = tx
        .conn
        .prepare_cached(
            "UPDATE tenant SET erased_at = ?1, name = ?2, region = NULL WHERE id = ?3 AND erased_at IS NULL",
        )?
        .execute(params![at, format!("erased {tenant}"), bytes(&tenant)])?;
    if ended == 0 {
        return Err(StoreError::Conflict(Conflict::Missing));
    }
    super::webhook::moved(tx)?;
    // Approvals may refer to them: they stay, as nobody's, until those have gone.
    tx.conn
        .prepare_cached(
            "UPDATE credential SET ends_at = ?, secret = randomblob(32), person = 'erased', networks = '' WHERE tenant = ?",
        )?
        .execute(params![at, bytes(&tenant)])?;
    moved(tx)
}
