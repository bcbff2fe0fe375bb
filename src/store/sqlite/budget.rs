//! Daily budgets: counters that never pass their limit, whoever counts at the same time.

use rusqlite::{Connection, OptionalExtension, params};

use super::writer::Tx;
use crate::clock::Timestamp;
use crate::ids::{CredentialId, bytes};
use crate::store::{BudgetKind, Conflict, Spend, Spent, StoreError};

/// Counts all of it, or refuses and has written nothing.
pub(super) fn spend(tx: &Tx<'_>, spend: &Spend) -> Result<Spent, StoreError> {
    let day = within(tx, spend)?;
    let hour = if spend.kind == BudgetKind::Reveal { count_hour(tx, spend)? } else { 0 };
    Ok(Spent { day, hour })
}

/// Counts as much of it as the limit still allows, and says how much that is.
pub(super) fn reserve(tx: &Tx<'_>, spend: &Spend) -> Result<u64, StoreError> {
    let spent = add(tx, spend, 0)?;
    let granted = spend.count.min(spend.limit.saturating_sub(spent));
    add(tx, spend, granted)?;
    Ok(granted)
}

/// Counts all of it if the limit allows, in one statement. Gives what the day stands at.
fn within(tx: &Tx<'_>, spend: &Spend) -> Result<u64, StoreError> {
    let exhausted = || StoreError::Conflict(Conflict::BudgetExhausted);
    let count = i64::try_from(spend.count).ok().filter(|_| spend.count <= spend.limit).ok_or_else(exhausted)?;
    let limit = i64::try_from(spend.limit).unwrap_or(i64::MAX);
    let spent: Option<i64> = tx
        .conn
        .prepare_cached(
            "INSERT INTO budget (credential, kind, day, spent) VALUES (?, ?, ?, ?)
             ON CONFLICT DO UPDATE SET spent = spent + excluded.spent WHERE spent <= ? - excluded.spent
             RETURNING spent",
        )?
        .query_row(params![bytes(&spend.credential), spend.kind, day(spend.at), count, limit], |row| row.get(0))
        .optional()?;
    spent.map(i64::cast_unsigned).ok_or_else(exhausted)
}

/// Gives what the day stands at.
fn add(tx: &Tx<'_>, spend: &Spend, count: u64) -> Result<u64, StoreError> {
    let count = i64::try_from(count).map_err(|_| StoreError::Conflict(Conflict::BudgetExhausted))?;
    let spent: i64 = tx
        .conn
        .prepare_cached(
            "INSERT INTO budget (credential, kind, day, spent) VALUES (?, ?, ?, ?)
             ON CONFLICT DO UPDATE SET spent = spent + excluded.spent RETURNING spent",
        )?
        .query_row(params![bytes(&spend.credential), spend.kind, day(spend.at), count], |row| row.get(0))?;
    Ok(spent.cast_unsigned())
}

fn count_hour(tx: &Tx<'_>, spend: &Spend) -> Result<u64, StoreError> {
    let hour = spend.at.as_secs().div_euclid(3_600);
    let count: i64 = tx
        .conn
        .prepare_cached(
            "INSERT INTO reveal_hour (credential, hour, count) VALUES (?, ?, ?)
             ON CONFLICT DO UPDATE SET count = count + excluded.count RETURNING count",
        )?
        .query_row(params![bytes(&spend.credential), hour, spend.count.cast_signed()], |row| row.get(0))?;
    Ok(count.cast_unsigned())
}

/// Notes that the log is being told; [`Conflict::Taken`] if it was.
pub(super) fn tell(tx: &Tx<'_>, credential: CredentialId, kind: BudgetKind, at: Timestamp) -> Result<(), StoreError> {
    let told = tx
        .conn
        .prepare_cached(
            "INSERT INTO budget (credential, kind, day, spent, told) VALUES (?, ?, ?, 0, 1)
             ON CONFLICT DO UPDATE SET told = 1 WHERE told = 0",
        )?
        .execute(params![bytes(&credential), kind, day(at)])?;
    if told == 1 { Ok(()) } else { Err(StoreError::Conflict(Conflict::Taken)) }
}

/// What was spent on each of the `days` before the one of `before`, days without any left out.
pub(super) fn history(
    conn: &Connection,
    credential: CredentialId,
    kind: BudgetKind,
    before: Timestamp,
    days: u32,
) -> Result<Vec<u64>, StoreError> {
    let today = day(before);
    Ok(conn
        .prepare_cached(
            "SELECT spent FROM budget WHERE credential = ? AND kind = ? AND day >= ? AND day < ? AND spent > 0",
        )?
        .query_map(params![bytes(&credential), kind, today - i64::from(days), today], |row| row.get::<_, i64>(0))?
        .map(|spent| spent.map(i64::cast_unsigned))
        .collect::<Result<_, _>>()?)
}

fn day(at: Timestamp) -> i64 {
    at.as_secs().div_euclid(86_400)
}
