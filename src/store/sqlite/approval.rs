//! Approvals by a second person. Each step is one conditional update, so that of racing ones exactly one happens.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::columns::{id, maybe_id};
use super::writer::Tx;
use crate::clock::Timestamp;
use crate::ids::{ApprovalId, TenantId, bytes};
use crate::store::{ApprovalFilter, ApprovalRow, ApprovalStatus, Conflict, Decision, StoreError};

pub(super) fn file(tx: &Tx<'_>, row: &ApprovalRow) -> Result<(), StoreError> {
    tx.conn
        .prepare_cached(
            "INSERT INTO approval (id, tenant, credential, person, action, purpose, reference, binding, policy, summary,
                 status, created_at, expires_at)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            bytes(&row.id),
            bytes(&row.tenant),
            bytes(&row.credential),
            row.person,
            row.action,
            row.purpose,
            row.reference,
            row.binding,
            row.policy,
            row.summary,
            row.status,
            row.created_at,
            row.expires_at,
        ])?;
    Ok(())
}

pub(super) fn decide(tx: &Tx<'_>, decision: &Decision) -> Result<(), StoreError> {
    let status = if decision.approved { ApprovalStatus::Approved } else { ApprovalStatus::Denied };
    let changed = tx
        .conn
        .prepare_cached(
            "UPDATE approval SET status = ?1, approver = ?2, approver_person = ?3, decided_at = ?4, expires_at = ?5
             WHERE id = ?6 AND tenant = ?7 AND status = 0 AND expires_at > ?4",
        )?
        .execute(params![
            status,
            bytes(&decision.approver),
            decision.person,
            tx.now,
            decision.use_by,
            bytes(&decision.id),
            bytes(&decision.tenant),
        ])?;
    changed_one(changed, Conflict::ApprovalOver)
}

/// Whether both persons are still in office is looked at here, in the transaction that has the effect.
pub(super) fn spend(tx: &Tx<'_>, tenant: TenantId, approval: ApprovalId) -> Result<(), StoreError> {
    if !nobody_frozen(tx, tenant, approval)? {
        return Err(StoreError::Conflict(Conflict::ApprovalUsed));
    }
    let changed = tx
        .conn
        .prepare_cached(
            "UPDATE approval SET status = 4 WHERE id = ?1 AND tenant = ?2 AND status = 1 AND expires_at > ?3
                 AND NOT EXISTS (SELECT 1 FROM credential WHERE id IN (approval.credential, approval.approver)
                                     AND ends_at <= ?3)",
        )?
        .execute(params![bytes(&approval), bytes(&tenant), tx.now])?;
    changed_one(changed, Conflict::ApprovalUsed)
}

/// False also if there is no such approval.
fn nobody_frozen(tx: &Tx<'_>, tenant: TenantId, approval: ApprovalId) -> Result<bool, StoreError> {
    let Some(row) = find(tx.conn, tenant, approval)? else { return Ok(false) };
    let approver = row.approver.map(|id| id.to_string());
    Ok(tx
        .conn
        .prepare_cached("SELECT NOT EXISTS (SELECT 1 FROM frozen WHERE target IN (?, ?, ?))")?
        .query_row(params![tenant.to_string(), row.credential.to_string(), approver], |row| row.get(0))?)
}

pub(super) fn expire(tx: &Tx<'_>, tenant: TenantId, approval: ApprovalId) -> Result<(), StoreError> {
    let changed = tx
        .conn
        .prepare_cached(
            "UPDATE approval SET status = 3 WHERE id = ? AND tenant = ? AND status IN (0, 1) AND expires_at <= ?",
        )?
        .execute(params![bytes(&approval), bytes(&tenant), tx.now])?;
    changed_one(changed, Conflict::ApprovalOver)
}

fn changed_one(changed: usize, otherwise: Conflict) -> Result<(), StoreError> {
    if changed == 1 { Ok(()) } else { Err(StoreError::Conflict(otherwise)) }
}

pub(super) fn find(
    conn: &Connection,
    tenant: TenantId,
    approval: ApprovalId,
) -> Result<Option<ApprovalRow>, StoreError> {
    Ok(conn
        .prepare_cached("SELECT * FROM approval WHERE id = ? AND tenant = ?")?
        .query_row(params![bytes(&approval), bytes(&tenant)], read)
        .optional()?)
}

pub(super) fn list(conn: &Connection, filter: &ApprovalFilter) -> Result<Vec<ApprovalRow>, StoreError> {
    Ok(conn
        .prepare_cached(
            "SELECT * FROM approval WHERE tenant = ?1 AND (?2 IS NULL OR credential = ?2) AND (?3 IS NULL OR status = ?3)
                 AND id < coalesce(?4, x'ffffffffffffffffffffffffffffffffff')
             ORDER BY id DESC LIMIT ?5",
        )?
        .query_map(
            params![
                bytes(&filter.tenant),
                filter.credential.as_ref().map(bytes),
                filter.status,
                filter.after.as_ref().map(bytes),
                filter.limit,
            ],
            read,
        )?
        .collect::<Result<_, _>>()?)
}

pub(super) fn lapsed(conn: &Connection, now: Timestamp, limit: u32) -> Result<Vec<ApprovalRow>, StoreError> {
    Ok(conn
        .prepare_cached(
            "SELECT * FROM approval WHERE status IN (0, 1) AND expires_at <= ? ORDER BY expires_at LIMIT ?",
        )?
        .query_map(params![now, limit], read)?
        .collect::<Result<_, _>>()?)
}

fn read(row: &Row<'_>) -> rusqlite::Result<ApprovalRow> {
    Ok(ApprovalRow {
        id: id(row, "id")?,
        tenant: id(row, "tenant")?,
        credential: id(row, "credential")?,
        person: row.get("person")?,
        action: row.get("action")?,
        purpose: row.get("purpose")?,
        reference: row.get("reference")?,
        binding: row.get("binding")?,
        policy: row.get("policy")?,
        summary: row.get("summary")?,
        status: row.get("status")?,
        approver: maybe_id(row, "approver")?,
        approver_person: row.get("approver_person")?,
        created_at: row.get("created_at")?,
        expires_at: row.get("expires_at")?,
        decided_at: row.get("decided_at")?,
    })
}
