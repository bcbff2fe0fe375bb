//! Verifications: attempts are spent, and endings decided, by conditional updates on the store's own clock.

use rusqlite::{Connection, OptionalExtension, Row, ffi, params};

use super::columns::id;
use super::writer::Tx;
use crate::clock::Timestamp;
use crate::ids::{TenantId, VerificationId, bytes};
use crate::store::{
    BlindIndex, Conflict, DeliveryStatus, HeldBy, PendingKey, SendRecord, StoreError, Transaction, VerificationRow,
    VerificationStatus,
};

/// One that has lapsed unnoticed ends as expired when it is superseded, any other as canceled.
pub(super) fn start(tx: &Tx<'_>, row: &VerificationRow, supersedes: Option<VerificationId>) -> Result<(), StoreError> {
    if let Some(old) = supersedes {
        let ended = tx
            .conn
            .prepare_cached(
                "UPDATE verification SET status = iif(expires_at <= ?1, ?2, ?3), salt = NULL
                 WHERE id = ?4 AND tenant = ?5 AND status = 0",
            )?
            .execute(params![
                tx.now,
                VerificationStatus::Expired,
                VerificationStatus::Canceled,
                bytes(&old),
                bytes(&row.key.tenant),
            ])?;
        if ended == 0 {
            return Err(over_or_missing(tx, row.key.tenant, old)?);
        }
        tx.tally.ended(row.key.tenant, VerificationStatus::Canceled, tx.now);
    }
    insert(tx, row)?;
    tx.tally.started(row.key.tenant, tx.now);
    for (n, send) in row.sends.iter().enumerate() {
        add_send(tx, row.id, i64::try_from(n).unwrap_or(i64::MAX), send)?;
    }
    Ok(())
}

fn insert(tx: &Tx<'_>, row: &VerificationRow) -> Result<(), StoreError> {
    let transaction = row.transaction.as_ref();
    tx.conn
        .prepare_cached(
            "INSERT INTO verification (id, tenant, party, purpose, requester, credential, audience, record, status,
                 salt, code_key, code_length, alphanumeric, attempts_left, channel, locale, origin, app_hash, amount,
                 payee, created_at, expires_at)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            bytes(&row.id),
            bytes(&row.key.tenant),
            row.key.party,
            row.key.purpose,
            row.key.requester,
            bytes(&row.credential),
            row.audience,
            row.record,
            row.status,
            row.salt,
            row.code_key,
            row.code_length,
            row.alphanumeric,
            row.attempts_left,
            row.channel,
            row.locale,
            row.origin,
            row.app_hash,
            transaction.map(|it| &it.amount),
            transaction.map(|it| &it.payee),
            row.created_at,
            row.expires_at,
        ])
        .map_err(|error| match error.sqlite_error().map(|failure| failure.extended_code) {
            // The only unique key besides the id.
            Some(ffi::SQLITE_CONSTRAINT_UNIQUE) => StoreError::Conflict(Conflict::VerificationPending),
            _ => error.into(),
        })?;
    Ok(())
}

fn add_send(tx: &Tx<'_>, id: VerificationId, n: i64, send: &SendRecord) -> Result<(), StoreError> {
    tx.conn
        .prepare_cached("INSERT INTO verification_send (verification, n, channel, status, at) VALUES (?, ?, ?, ?, ?)")?
        .execute(params![bytes(&id), n, send.channel, send.status, send.at])?;
    Ok(())
}

/// Gives the attempts that are left.
pub(super) fn spend(tx: &Tx<'_>, tenant: TenantId, id: VerificationId) -> Result<u8, StoreError> {
    let left = tx
        .conn
        .prepare_cached(
            "UPDATE verification SET attempts_left = attempts_left - 1
             WHERE id = ? AND tenant = ? AND status = 0 AND expires_at > ? AND attempts_left > 0
             RETURNING attempts_left",
        )?
        .query_row(params![bytes(&id), bytes(&tenant), tx.now], |row| row.get(0))
        .optional()?;
    left.ok_or(()).or_else(|()| Err(over_or_missing(tx, tenant, id)?))
}

pub(super) fn count_send(tx: &Tx<'_>, tenant: TenantId, id: VerificationId, channel: String) -> Result<(), StoreError> {
    let next = tx
        .conn
        .prepare_cached(
            "SELECT (SELECT count(*) FROM verification_send WHERE verification = ?1) FROM verification
             WHERE id = ?1 AND tenant = ?2 AND status = 0 AND expires_at > ?3",
        )?
        .query_row(params![bytes(&id), bytes(&tenant), tx.now], |row| row.get(0))
        .optional()?;
    let Some(next) = next else { return Err(over_or_missing(tx, tenant, id)?) };
    add_send(tx, id, next, &SendRecord { channel, status: DeliveryStatus::Queued, at: tx.now })
}

/// A lapsed one may still be ended, but never approved.
pub(super) fn end(
    tx: &Tx<'_>,
    tenant: TenantId,
    id: VerificationId,
    status: VerificationStatus,
) -> Result<(), StoreError> {
    let ended = tx
        .conn
        .prepare_cached(
            "UPDATE verification SET status = ?1, salt = NULL
             WHERE id = ?2 AND tenant = ?3 AND status = 0 AND (?1 <> ?4 OR expires_at > ?5)",
        )?
        .execute(params![status, bytes(&id), bytes(&tenant), VerificationStatus::Approved, tx.now])?;
    if ended == 0 {
        return Err(over_or_missing(tx, tenant, id)?);
    }
    tx.tally.ended(tenant, status, tx.now);
    Ok(())
}

fn over_or_missing(tx: &Tx<'_>, tenant: TenantId, id: VerificationId) -> Result<StoreError, StoreError> {
    let there: bool = tx
        .conn
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM verification WHERE id = ? AND tenant = ?)")?
        .query_row(params![bytes(&id), bytes(&tenant)], |row| row.get(0))?;
    Ok(StoreError::Conflict(if there { Conflict::VerificationOver } else { Conflict::Missing }))
}

pub(super) fn count_failure(tx: &Tx<'_>, tenant: TenantId, party: BlindIndex, day: i64) -> Result<(), StoreError> {
    tx.conn
        .prepare_cached(
            "INSERT INTO failure (tenant, party, day, count) VALUES (?, ?, ?, 1)
             ON CONFLICT DO UPDATE SET count = count + 1",
        )?
        .execute(params![bytes(&tenant), party, day])?;
    Ok(())
}

pub(super) fn failures_since(
    conn: &Connection,
    tenant: TenantId,
    party: BlindIndex,
    since: i64,
) -> Result<u64, StoreError> {
    let count: i64 = conn
        .prepare_cached("SELECT coalesce(sum(count), 0) FROM failure WHERE tenant = ? AND party = ? AND day >= ?")?
        .query_row(params![bytes(&tenant), party, since], |row| row.get(0))?;
    Ok(count.cast_unsigned())
}

pub(super) fn find(
    conn: &Connection,
    tenant: TenantId,
    id: VerificationId,
) -> Result<Option<VerificationRow>, StoreError> {
    let row = conn
        .prepare_cached("SELECT * FROM verification WHERE id = ? AND tenant = ?")?
        .query_row(params![bytes(&id), bytes(&tenant)], verification)
        .optional()?;
    row.map(|row| with_sends(conn, row)).transpose()
}

/// The pending one as stored, also if it has lapsed: whoever starts another has to supersede it.
pub(super) fn pending(conn: &Connection, key: &PendingKey) -> Result<Option<VerificationId>, StoreError> {
    Ok(conn
        .prepare_cached(
            "SELECT id FROM verification
             WHERE tenant = ? AND party = ? AND purpose = ? AND requester = ? AND status = 0",
        )?
        .query_row(params![bytes(&key.tenant), key.party, key.purpose, key.requester], |row| id(row, "id"))
        .optional()?)
}

pub(super) fn lapsed(conn: &Connection, now: Timestamp, limit: u32) -> Result<Vec<VerificationRow>, StoreError> {
    let rows: Vec<_> = conn
        .prepare_cached("SELECT * FROM verification WHERE status = 0 AND expires_at <= ? ORDER BY expires_at LIMIT ?")?
        .query_map(params![now, limit], verification)?
        .collect::<Result<_, _>>()?;
    rows.into_iter().map(|row| with_sends(conn, row)).collect()
}

/// Every verification of a person, or those that stand on one record.
pub(super) fn of_person(conn: &Connection, of: &HeldBy) -> Result<Vec<VerificationRow>, StoreError> {
    let rows: Vec<_> = conn
        .prepare_cached(
            "SELECT * FROM verification WHERE party = ?1 AND tenant = ?2 AND (?3 IS NULL OR record = ?3) ORDER BY id",
        )?
        .query_map(params![of.index, bytes(&of.tenant), of.record], verification)?
        .collect::<Result<_, _>>()?;
    rows.into_iter().map(|row| with_sends(conn, row)).collect()
}

fn with_sends(conn: &Connection, row: VerificationRow) -> Result<VerificationRow, StoreError> {
    let sends = conn
        .prepare_cached("SELECT channel, status, at FROM verification_send WHERE verification = ? ORDER BY n")?
        .query_map([bytes(&row.id)], |send| {
            Ok(SendRecord { channel: send.get(0)?, status: send.get(1)?, at: send.get(2)? })
        })?
        .collect::<Result<_, _>>()?;
    Ok(VerificationRow { sends, ..row })
}

fn verification(row: &Row<'_>) -> rusqlite::Result<VerificationRow> {
    let amount: Option<String> = row.get("amount")?;
    let payee: Option<String> = row.get("payee")?;
    Ok(VerificationRow {
        id: id(row, "id")?,
        key: PendingKey {
            tenant: id(row, "tenant")?,
            party: row.get("party")?,
            purpose: row.get("purpose")?,
            requester: row.get("requester")?,
        },
        credential: id(row, "credential")?,
        audience: row.get("audience")?,
        record: row.get("record")?,
        status: row.get("status")?,
        salt: row.get("salt")?,
        code_key: row.get("code_key")?,
        code_length: row.get("code_length")?,
        alphanumeric: row.get("alphanumeric")?,
        attempts_left: row.get("attempts_left")?,
        channel: row.get("channel")?,
        locale: row.get("locale")?,
        origin: row.get("origin")?,
        app_hash: row.get("app_hash")?,
        transaction: amount.zip(payee).map(|(amount, payee)| Transaction { amount, payee }),
        sends: Vec::new(),
        created_at: row.get("created_at")?,
        expires_at: row.get("expires_at")?,
    })
}
