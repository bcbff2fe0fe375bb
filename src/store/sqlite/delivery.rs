//! How far deliveries got: what carriers took, and their word on it.
//!
//! A part's state, like a task's, only moves forward, and a final one stays (see the order of codes in
//! [`super::columns`]). A task fails with the first part that fails, and is delivered when every part is.

use rusqlite::{Connection, OptionalExtension, params};

use super::writer::Tx;
use crate::ids::{TenantId, bytes};
use crate::store::{Conflict, DeliveryStatus, ReceiptOutcome, Settled, StoreError, Task};

/// Sets a task's state unless that goes backwards; tells whether it moved. A task that is not there is
/// [`Conflict::Missing`].
pub(super) fn set(tx: &Tx<'_>, tenant: TenantId, task: Task, status: DeliveryStatus) -> Result<bool, StoreError> {
    move_on(tx, tenant, task, status, None)
}

/// The same, remembering who took it.
fn move_on(
    tx: &Tx<'_>,
    tenant: TenantId,
    task: Task,
    status: DeliveryStatus,
    carrier: Option<&str>,
) -> Result<bool, StoreError> {
    let tenant = bytes(&tenant);
    let (moved, there) = match task {
        Task::Message(id) => {
            // A stranger's number goes with the body: nothing is left to be sent to it.
            let moved = tx
                .conn
                .prepare_cached(
                    "UPDATE message SET status = ?1, body = iif(?1 >= 2, NULL, body),
                         to_number = iif(?1 >= 2 AND to_number IS NOT NULL, x'', to_number),
                         carrier = coalesce(?4, carrier), submitted_at = iif(?1 = 1, ?5, submitted_at),
                         settled_at = iif(?1 >= 2, ?5, settled_at)
                     WHERE id = ?2 AND tenant = ?3 AND status < 2 AND status < ?1",
                )?
                .execute(params![status, bytes(&id), tenant, carrier, tx.now])?;
            (moved, "SELECT EXISTS (SELECT 1 FROM message WHERE id = ?1 AND tenant = ?2)")
        }
        Task::Code(id, n) => {
            let moved = tx
                .conn
                .prepare_cached(
                    "UPDATE verification_send SET status = ?1 WHERE verification = ?2 AND n = ?3
                     AND status < 2 AND status < ?1
                     AND EXISTS (SELECT 1 FROM verification WHERE id = ?2 AND tenant = ?4)",
                )?
                .execute(params![status, bytes(&id), n, tenant])?;
            (moved, "SELECT EXISTS (SELECT 1 FROM verification WHERE id = ?1 AND tenant = ?2)")
        }
    };
    if moved > 0 {
        return Ok(true);
    }
    let id = match task {
        Task::Message(id) => bytes(&id),
        Task::Code(id, _) => bytes(&id),
    };
    let there: bool = tx.conn.prepare_cached(there)?.query_row(params![id, tenant], |row| row.get(0))?;
    if there { Ok(false) } else { Err(StoreError::Conflict(Conflict::Missing)) }
}

/// Remembers the carrier's ids of a task's parts; gives what receipts that came before them settled.
pub(super) fn submitted(
    tx: &Tx<'_>,
    carrier: &str,
    tenant: TenantId,
    task: Task,
    ids: &[String],
) -> Result<Option<Settled>, StoreError> {
    for part in ids {
        let early: Option<DeliveryStatus> = tx
            .conn
            .prepare_cached("DELETE FROM early_receipt WHERE carrier = ? AND part = ? RETURNING status")?
            .query_row(params![carrier, part], |row| row.get(0))
            .optional()?;
        // An id that a carrier uses again means the newer message.
        tx.conn
            .prepare_cached(
                "INSERT OR REPLACE INTO submission (carrier, part, tenant, task, status, at) VALUES (?, ?, ?, ?, ?, ?)",
            )?
            .execute(params![
                carrier,
                part,
                bytes(&tenant),
                task,
                early.unwrap_or(DeliveryStatus::Submitted),
                tx.now,
            ])?;
    }
    move_on(tx, tenant, task, DeliveryStatus::Submitted, Some(carrier))?;
    if ids.is_empty() { Ok(None) } else { settle(tx, tenant, task) }
}

/// A carrier's word on one part; gives what it settled. Kept for later if no submission has the id yet.
pub(super) fn receipt(
    tx: &Tx<'_>,
    carrier: &str,
    part: &str,
    status: DeliveryStatus,
) -> Result<Option<Settled>, StoreError> {
    let of: Option<([u8; 16], Task, DeliveryStatus)> = tx
        .conn
        .prepare_cached("SELECT tenant, task, status FROM submission WHERE carrier = ? AND part = ?")?
        .query_row(params![carrier, part], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((tenant, task, before)) = of else {
        keep_early(tx, carrier, part, status)?;
        return Ok(None);
    };
    if before.is_final() || !status.is_final() {
        return Ok(None);
    }
    tx.conn
        .prepare_cached("UPDATE submission SET status = ? WHERE carrier = ? AND part = ?")?
        .execute(params![status, carrier, part])?;
    settle(tx, crate::ids::from_bytes(tenant), task)
}

/// What a receipt of this status would make of the task whose part has this id; none if no submission has it.
pub(super) fn outcome(
    conn: &Connection,
    carrier: &str,
    part: &str,
    status: DeliveryStatus,
) -> Result<Option<ReceiptOutcome>, StoreError> {
    let of: Option<([u8; 16], Task)> = conn
        .prepare_cached("SELECT tenant, task FROM submission WHERE carrier = ? AND part = ?")?
        .query_row(params![carrier, part], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((tenant, task)) = of else { return Ok(None) };
    let found = |status| Ok(Some(ReceiptOutcome { tenant: crate::ids::from_bytes(tenant), task, status }));
    if stands(conn, task)?.is_none_or(DeliveryStatus::is_final) {
        return found(None);
    }
    // The parts as they would be: a final state stays, another takes the carrier's word.
    let parts = conn
        .prepare_cached(
            "SELECT iif(status < 2 AND carrier = ?1 AND part = ?2, max(status, ?3), status)
             FROM submission WHERE task = ?4",
        )?
        .query_map(params![carrier, part, status, task], |row| row.get(0))?
        .collect::<Result<Vec<_>, _>>()?;
    found(Some(overall(&parts)).filter(|status| status.is_final()))
}

/// How far a task got; none if it is gone.
fn stands(conn: &Connection, task: Task) -> Result<Option<DeliveryStatus>, StoreError> {
    let status = match task {
        Task::Message(id) => conn
            .prepare_cached("SELECT status FROM message WHERE id = ?")?
            .query_row([bytes(&id)], |row| row.get(0))
            .optional()?,
        Task::Code(id, n) => conn
            .prepare_cached("SELECT status FROM verification_send WHERE verification = ? AND n = ?")?
            .query_row(params![bytes(&id), n], |row| row.get(0))
            .optional()?,
    };
    Ok(status)
}

fn keep_early(tx: &Tx<'_>, carrier: &str, part: &str, status: DeliveryStatus) -> Result<(), StoreError> {
    tx.conn
        .prepare_cached(
            "INSERT INTO early_receipt (carrier, part, status, at) VALUES (?, ?, ?, ?)
             ON CONFLICT DO UPDATE SET status = excluded.status WHERE status < 2",
        )?
        .execute(params![carrier, part, status, tx.now])?;
    Ok(())
}

/// Brings a task to the worst of its parts, if that ends it now.
pub(super) fn settle(tx: &Tx<'_>, tenant: TenantId, task: Task) -> Result<Option<Settled>, StoreError> {
    let parts = tx
        .conn
        .prepare_cached("SELECT status FROM submission WHERE task = ?")?
        .query_map([task], |row| row.get(0))?
        .collect::<Result<Vec<_>, _>>()?;
    let status = overall(&parts);
    if !status.is_final() {
        return Ok(None);
    }
    match set(tx, tenant, task, status) {
        Ok(true) => Ok(Some(Settled { tenant, task, status })),
        // Forgotten meanwhile: nothing to settle.
        Ok(false) | Err(StoreError::Conflict(Conflict::Missing)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What the parts together come to.
fn overall(parts: &[DeliveryStatus]) -> DeliveryStatus {
    use DeliveryStatus::{Delivered, Expired, Rejected, Submitted, Undelivered, Unknown};
    let has = |status| parts.contains(&status);
    if let Some(failed) = [Rejected, Undelivered, Expired].into_iter().find(|&failed| has(failed)) {
        failed
    } else if !parts.iter().all(|part| part.is_final()) {
        Submitted
    } else if has(Unknown) {
        Unknown
    } else {
        Delivered
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use DeliveryStatus::{Delivered, Expired, Rejected, Submitted, Undelivered, Unknown};

    #[test]
    fn the_worst_part_counts_and_silence_waits() {
        assert_eq!(overall(&[Delivered, Delivered]), Delivered);
        assert_eq!(overall(&[Delivered, Submitted]), Submitted);
        assert_eq!(overall(&[Submitted, Undelivered]), Undelivered);
        assert_eq!(overall(&[Delivered, Unknown]), Unknown);
        assert_eq!(overall(&[Expired, Rejected, Undelivered]), Rejected);
    }
}
