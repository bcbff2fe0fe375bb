//! Forgetting what has outlived its time, a little at a time so that no sweep holds others up.

use std::time::Duration;

use rusqlite::params;

use super::delivery;
use super::writer::Tx;
use crate::store::{DeliveryStatus, Settled, StoreError, Task};

/// The most rows of one kind that one sweep touches.
const BATCH: u32 = 500;
/// How long parts wait for the rest at the utmost; the relay gives them up long before.
const PARTS: Duration = Duration::from_secs(48 * 3_600);
/// How long a submission waits for its receipt, and a receipt for its submission.
const RECEIPTS: Duration = Duration::from_secs(72 * 3_600);
/// Days that failed guesses are counted over, and a few to spare.
const FAILURE_DAYS: i64 = 35;

/// Days that budgets are remembered for, a week of which alerts look at.
const BUDGET_DAYS: i64 = 35;

/// Days that counts of messages are kept for: a year, and a month to look back from.
const TRAFFIC_DAYS: i64 = 400;

/// Gives the tasks that no receipt ever settled, and whether there is more to forget.
pub(super) fn sweep(tx: &Tx<'_>) -> Result<(Vec<Settled>, bool), StoreError> {
    let parts_before = tx.now.minus(PARTS);
    let receipts_before = tx.now.minus(RECEIPTS);
    let today = tx.now.as_secs().div_euclid(86_400);
    let mut is_full = false;
    let mut run = |sql: &str, before: &dyn rusqlite::ToSql| {
        let gone = tx.conn.prepare_cached(sql)?.execute(params![before, BATCH])?;
        is_full |= gone >= BATCH as usize;
        Ok::<_, rusqlite::Error>(gone)
    };
    run(
        "UPDATE message SET body = NULL, disclosed = NULL, to_number = iif(to_number IS NULL, NULL, x'')
         WHERE id IN (SELECT id FROM message
                      WHERE (body IS NOT NULL OR disclosed IS NOT NULL) AND expires_at <= ? LIMIT ?)",
        &tx.now,
    )?;
    run(
        "DELETE FROM part WHERE (carrier, x, sender, reference, total, n) IN
             (SELECT carrier, x, sender, reference, total, n FROM part WHERE at < ? LIMIT ?)",
        &parts_before,
    )?;
    run("DELETE FROM sender WHERE (alias, tag) IN (SELECT alias, tag FROM sender WHERE until <= ? LIMIT ?)", &tx.now)?;
    run("DELETE FROM call WHERE id IN (SELECT id FROM call WHERE until <= ? LIMIT ?)", &tx.now)?;
    run("DELETE FROM mark WHERE mark IN (SELECT mark FROM mark WHERE until <= ? LIMIT ?)", &tx.now)?;
    run("DELETE FROM cooling WHERE (x, party) IN (SELECT x, party FROM cooling WHERE until <= ? LIMIT ?)", &tx.now)?;
    run(
        "UPDATE number SET use = 'free', rest_tenant = NULL, rest_party = NULL
         WHERE x IN (SELECT x FROM number INDEXED BY number_idle
                     WHERE (use IN ('cool', 'rest') OR (use = 'ext' AND load = 0)) AND idle_until <= ? LIMIT ?)",
        &tx.now,
    )?;
    run(
        "DELETE FROM leg WHERE (x, party) IN (SELECT x, party FROM leg INDEXED BY leg_session
             WHERE use = 'ext' AND length(party) = 16 AND expires_at <= ? LIMIT ?)",
        &tx.now,
    )?;
    run(
        "DELETE FROM failure WHERE (tenant, party, day) IN
             (SELECT tenant, party, day FROM failure WHERE day < ? LIMIT ?)",
        &(today - FAILURE_DAYS),
    )?;
    run(
        "DELETE FROM budget WHERE (credential, kind, day) IN
             (SELECT credential, kind, day FROM budget WHERE day < ? LIMIT ?)",
        &(today - BUDGET_DAYS),
    )?;
    for sql in [
        "DELETE FROM spend WHERE (tenant, payer, day) IN (SELECT tenant, payer, day FROM spend WHERE day < ? LIMIT ?)",
        "DELETE FROM complaint WHERE id IN (SELECT id FROM complaint WHERE at < ? * 86400000 LIMIT ?)",
    ] {
        run(sql, &(today - BUDGET_DAYS))?;
    }
    for sql in [
        "DELETE FROM traffic WHERE (tenant, day, country, channel, class, carrier) IN
             (SELECT tenant, day, country, channel, class, carrier FROM traffic WHERE day < ? LIMIT ?)",
        "DELETE FROM conversion WHERE (tenant, day) IN (SELECT tenant, day FROM conversion WHERE day < ? LIMIT ?)",
    ] {
        run(sql, &(today - TRAFFIC_DAYS))?;
    }
    run(
        "DELETE FROM reveal_hour WHERE (credential, hour) IN
             (SELECT credential, hour FROM reveal_hour WHERE hour < ? LIMIT ?)",
        &((today - 1) * 24),
    )?;
    // Of endpoints that are deleted, what was on its way to them; then their rows.
    run(
        "DELETE FROM webhook_delivery WHERE rowid IN
             (SELECT d.rowid FROM webhook AS w JOIN webhook_delivery AS d ON d.webhook = w.id
              WHERE w.deleted = 1 AND ?1 > 0 LIMIT ?2)",
        &tx.now,
    )?;
    run(
        "DELETE FROM webhook WHERE id IN
             (SELECT w.id FROM webhook AS w WHERE w.deleted = 1 AND ?1 > 0
                AND NOT EXISTS (SELECT 1 FROM webhook_delivery AS d WHERE d.webhook = w.id) LIMIT ?2)",
        &tx.now,
    )?;
    // The oldest come first by rowid, so that no index on the time is needed.
    run(
        "DELETE FROM early_receipt WHERE at < ? AND rowid IN (SELECT rowid FROM early_receipt ORDER BY rowid LIMIT ?)",
        &receipts_before,
    )?;
    let silent = tx
        .conn
        .prepare_cached(
            "DELETE FROM submission WHERE at < ? AND rowid IN (SELECT rowid FROM submission ORDER BY rowid LIMIT ?)
             RETURNING tenant, task, status",
        )?
        .query_map(params![receipts_before, BATCH], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<Result<Vec<([u8; 16], Task, DeliveryStatus)>, _>>()?;
    is_full |= silent.len() >= BATCH as usize;
    Ok((give_up(tx, silent)?, is_full))
}

/// Tasks of which no word came in time end as unknown.
fn give_up(tx: &Tx<'_>, silent: Vec<([u8; 16], Task, DeliveryStatus)>) -> Result<Vec<Settled>, StoreError> {
    let mut settled = Vec::new();
    for (tenant, task, _) in silent.into_iter().filter(|(_, _, status)| !status.is_final()) {
        let tenant = crate::ids::from_bytes(tenant);
        match delivery::set(tx, tenant, task, DeliveryStatus::Unknown) {
            Ok(true) => settled.push(Settled { tenant, task, status: DeliveryStatus::Unknown, failure: None }),
            Ok(false) | Err(StoreError::Conflict(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(settled)
}
