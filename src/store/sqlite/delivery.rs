//! How far deliveries got: what carriers took, and their word on it.
//!
//! A part's state, like a task's, only moves forward, and a final one stays (see the order of codes in
//! [`super::columns`]). A task fails with the first part that fails, and is delivered when every part is.

use rusqlite::{Connection, OptionalExtension, params};

use super::writer::Tx;
use crate::ids::{TenantId, bytes};
use crate::store::{
    Conflict, Counted, DeliveryStatus, Failure, PartId, ReceiptOutcome, ReceiptRow, Settled, StoreError, Task,
};

/// Sets a task's state unless that goes backwards; tells whether it moved. A task that is not there is
/// [`Conflict::Missing`].
pub(super) fn set(tx: &Tx<'_>, tenant: TenantId, task: Task, status: DeliveryStatus) -> Result<bool, StoreError> {
    move_on(tx, tenant, task, status, None)
}

/// The same, remembering who took it, and for where.
fn move_on(
    tx: &Tx<'_>,
    tenant: TenantId,
    task: Task,
    status: DeliveryStatus,
    taken: Option<(&str, Option<&str>)>,
) -> Result<bool, StoreError> {
    let (carrier, country) = taken.map_or((None, None), |(carrier, country)| (Some(carrier), country));
    let tenant = bytes(&tenant);
    let (moved, there) = match task {
        Task::Message(id) | Task::Ask(id) => {
            // A stranger's number goes with the body: nothing is left to be sent to it.
            let moved = tx
                .conn
                .prepare_cached(
                    "UPDATE message SET status = ?1, body = iif(?1 >= 2, NULL, body),
                         to_number = iif(?1 >= 2 AND to_number IS NOT NULL, x'', to_number),
                         carrier = coalesce(?4, carrier), country = coalesce(?6, country),
                         submitted_at = iif(?1 = 1, ?5, submitted_at), settled_at = iif(?1 >= 2, ?5, settled_at)
                     WHERE id = ?2 AND tenant = ?3 AND status < 2 AND status < ?1",
                )?
                .execute(params![status, bytes(&id), tenant, carrier, tx.now, country])?;
            (moved, "SELECT EXISTS (SELECT 1 FROM message WHERE id = ?1 AND tenant = ?2)")
        }
        Task::Code(id, n) => {
            let moved = tx
                .conn
                .prepare_cached(
                    "UPDATE verification_send SET status = ?1, carrier = coalesce(?5, carrier),
                         country = coalesce(?7, country), taken_at = iif(?1 = 1, ?6, taken_at)
                     WHERE verification = ?2 AND n = ?3
                     AND status < 2 AND status < ?1
                     AND EXISTS (SELECT 1 FROM verification WHERE id = ?2 AND tenant = ?4)",
                )?
                .execute(params![status, bytes(&id), n, tenant, carrier, tx.now, country])?;
            (moved, "SELECT EXISTS (SELECT 1 FROM verification WHERE id = ?1 AND tenant = ?2)")
        }
    };
    if moved > 0 {
        return Ok(true);
    }
    let id = match task {
        Task::Message(id) | Task::Ask(id) => bytes(&id),
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
    ids: &[PartId],
    counted: &Counted,
) -> Result<Option<Settled>, StoreError> {
    for (nth, part) in ids.iter().enumerate() {
        // Some give all parts of a message one id, and one receipt.
        if ids.iter().take(nth).any(|earlier| earlier.id == part.id) {
            continue;
        }
        let (status, why) = match take_early(tx, carrier, part)? {
            Some(early) => early,
            None => (DeliveryStatus::Submitted, None),
        };
        tx.conn
            .prepare_cached(
                "INSERT INTO submission (carrier, part, tenant, task, status, at, device, why)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            )?
            .execute(params![carrier, part.id, bytes(&tenant), task, status, tx.now, part.device, why])?;
    }
    move_on(tx, tenant, task, DeliveryStatus::Submitted, Some((carrier, counted.country.as_deref())))?;
    if ids.is_empty() { Ok(None) } else { settle(tx, tenant, task) }
}

/// A carrier's word on one part; gives what it settled. Kept for later if no submission has the id yet.
pub(super) fn receipt(tx: &Tx<'_>, receipt: &ReceiptRow) -> Result<Option<Settled>, StoreError> {
    let Some(hit) = find(tx.conn, receipt)? else {
        keep_early(tx, receipt)?;
        return Ok(None);
    };
    if hit.status.is_final() || !receipt.status.is_final() {
        return Ok(None);
    }
    // A message that was submitted again may have been given its id again.
    tx.conn
        .prepare_cached(
            "UPDATE submission SET status = ?1, why = ?2 WHERE task = ?3 AND carrier = ?4 AND +part = ?5 AND status < 2",
        )?
        .execute(params![receipt.status, receipt.failure, hit.task, receipt.carrier, hit.part])?;
    settle(tx, hit.tenant, hit.task)
}

/// What a receipt would make of the task whose part it names; none if no submission has it.
pub(super) fn outcome(conn: &Connection, receipt: &ReceiptRow) -> Result<Option<ReceiptOutcome>, StoreError> {
    let Some(Hit { part, tenant, task, .. }) = find(conn, receipt)? else { return Ok(None) };
    let found = |status, failure| Ok(Some(ReceiptOutcome { tenant, task, status, failure }));
    if stands(conn, task)?.is_none_or(DeliveryStatus::is_final) {
        return found(None, None);
    }
    // The parts as they would be: a final state stays, another takes the carrier's word.
    let parts = conn
        .prepare_cached(
            "SELECT iif(status < 2 AND part = ?1 AND carrier = ?5, max(status, ?2), status),
                    iif(status < 2 AND part = ?1 AND carrier = ?5, ?3, why)
             FROM submission WHERE task = ?4",
        )?
        .query_map(params![part, receipt.status, receipt.failure, task, receipt.carrier], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?
        .collect::<Result<Vec<_>, _>>()?;
    let (status, failure) = overall(&parts);
    if status.is_final() { found(Some(status), failure) } else { found(None, None) }
}

/// A submission that a receipt may mean.
struct Hit<'a> {
    part: &'a str,
    tenant: TenantId,
    task: Task,
    status: DeliveryStatus,
    /// Whether it went to the device that the receipt names; none where either side does not know.
    agrees: Option<bool>,
}

/// The part that a receipt means. An id that is spelled one way and was given once needs no more; else the device
/// decides, and where that is not known, the last part under the likeliest spelling.
fn find<'a>(conn: &Connection, receipt: &'a ReceiptRow) -> Result<Option<Hit<'a>>, StoreError> {
    let mut hits = Vec::new();
    let mut likeliest = 0;
    for (nth, id) in receipt.ids.iter().enumerate() {
        hits.extend(parts_of(conn, &receipt.carrier, id)?);
        if nth == 0 {
            likeliest = hits.len();
        }
    }
    let is_one = hits.iter().all(|hit| hits.first().is_some_and(|first| first.task == hit.task));
    if receipt.ids.len() == 1 && is_one {
        return Ok(hits.into_iter().next());
    }
    let sure = hits.iter().position(|hit| hit.agrees == Some(true));
    let chosen = sure.or_else(|| hits.iter().take(likeliest).position(|hit| hit.agrees.is_none()));
    Ok(chosen.map(|at| hits.swap_remove(at)))
}

/// Every part of this id, the last one first.
fn parts_of<'a>(conn: &Connection, carrier: &str, id: &'a PartId) -> Result<Vec<Hit<'a>>, StoreError> {
    let rows = conn
        .prepare_cached(
            "SELECT tenant, task, status, device FROM submission WHERE carrier = ? AND part = ?
             ORDER BY rowid DESC LIMIT 8",
        )?
        .query_map(params![carrier, id.id], |row| {
            let device: i64 = row.get(3)?;
            Ok(Hit {
                part: &id.id,
                tenant: crate::ids::from_bytes(row.get(0)?),
                task: row.get(1)?,
                status: row.get(2)?,
                agrees: (device != 0 && id.device != 0).then_some(device == id.device),
            })
        })?
        .collect::<Result<Vec<_>, _>>()?;
    Ok(rows)
}

/// How far a task got; none if it is gone.
fn stands(conn: &Connection, task: Task) -> Result<Option<DeliveryStatus>, StoreError> {
    let status = match task {
        Task::Message(id) | Task::Ask(id) => conn
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

fn keep_early(tx: &Tx<'_>, receipt: &ReceiptRow) -> Result<(), StoreError> {
    let ReceiptRow { carrier, ids, status, failure } = receipt;
    for id in ids {
        tx.conn
            .prepare_cached(
                "INSERT INTO early_receipt (carrier, part, status, at, device, why, sure) VALUES (?, ?, ?, ?, ?, ?, ?)
                 ON CONFLICT DO UPDATE SET status = excluded.status, why = excluded.why WHERE status < 2",
            )?
            .execute(params![carrier, id.id, status, tx.now, id.device, failure, ids.len() == 1])?;
    }
    Ok(())
}

/// What came early for this part, which is forgotten with it. What may have meant another id needs the device to agree.
fn take_early(
    tx: &Tx<'_>,
    carrier: &str,
    part: &PartId,
) -> Result<Option<(DeliveryStatus, Option<Failure>)>, StoreError> {
    let early = tx
        .conn
        .prepare_cached(
            "DELETE FROM early_receipt WHERE rowid = (
                 SELECT rowid FROM early_receipt WHERE carrier = ?1 AND part = ?2 AND (sure OR device = ?3 AND ?3 <> 0)
                 ORDER BY device = ?3 DESC, rowid DESC LIMIT 1)
             RETURNING status, why",
        )?
        .query_row(params![carrier, part.id, part.device], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(early)
}

/// Brings a task to the worst of its parts, if that ends it now.
pub(super) fn settle(tx: &Tx<'_>, tenant: TenantId, task: Task) -> Result<Option<Settled>, StoreError> {
    let parts = tx
        .conn
        .prepare_cached("SELECT status, why FROM submission WHERE task = ?")?
        .query_map([task], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<Vec<_>, _>>()?;
    let (status, failure) = overall(&parts);
    if !status.is_final() {
        return Ok(None);
    }
    match set(tx, tenant, task, status) {
        Ok(true) => Ok(Some(Settled { tenant, task, status, failure })),
        // Forgotten meanwhile: nothing to settle.
        Ok(false) | Err(StoreError::Conflict(Conflict::Missing)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What the parts together come to, and why.
fn overall(parts: &[(DeliveryStatus, Option<Failure>)]) -> (DeliveryStatus, Option<Failure>) {
    use DeliveryStatus::{Delivered, Expired, Rejected, Submitted, Undelivered, Unknown};
    let first = |status| parts.iter().find(|(part, _)| *part == status);
    if let Some(failed) = [Rejected, Undelivered, Expired].into_iter().find_map(first) {
        *failed
    } else if !parts.iter().all(|(part, _)| part.is_final()) {
        (Submitted, None)
    } else if first(Unknown).is_some() {
        (Unknown, None)
    } else {
        (Delivered, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use DeliveryStatus::{Delivered, Expired, Rejected, Submitted, Undelivered, Unknown};

    #[test]
    fn the_worst_part_counts_and_silence_waits() {
        let overall = |parts: &[DeliveryStatus]| {
            let parts: Vec<_> = parts.iter().map(|status| (*status, None)).collect();
            overall(&parts).0
        };
        assert_eq!(overall(&[Delivered, Delivered]), Delivered);
        assert_eq!(overall(&[Delivered, Submitted]), Submitted);
        assert_eq!(overall(&[Submitted, Undelivered]), Undelivered);
        assert_eq!(overall(&[Delivered, Unknown]), Unknown);
        assert_eq!(overall(&[Expired, Rejected, Undelivered]), Rejected);
    }
}
