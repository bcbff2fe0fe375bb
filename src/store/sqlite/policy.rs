//! Versions of the policies. Which one is in force is part of the directory: putting another one into force moves the
//! directory's version in the same transaction.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::access::moved;
use super::writer::Tx;
use crate::clock::Timestamp;
use crate::store::{Conflict, MAX_PROPOSALS, PolicyRow, PolicyStatus, StoreError};

/// Puts what a start found into force over `over`: over nothing on a store that has no policies yet.
pub(super) fn adopt(tx: &Tx<'_>, row: &PolicyRow, files: &str, over: Option<&str>) -> Result<(), StoreError> {
    if active(tx.conn)?.as_deref() != over {
        return Err(StoreError::Conflict(Conflict::PolicyMoved));
    }
    supersede(tx, row.proposed_at)?;
    put(tx, row, files)?;
    moved(tx)
}

pub(super) fn propose(tx: &Tx<'_>, row: &PolicyRow, files: &str) -> Result<(), StoreError> {
    if active(tx.conn)? != row.base {
        return Err(StoreError::Conflict(Conflict::PolicyMoved));
    }
    match find(tx.conn, &row.version)? {
        Some(known) if known.status == PolicyStatus::Active => return Err(StoreError::Conflict(Conflict::Exists)),
        Some(known) if known.status == PolicyStatus::Proposed && known.base == row.base => {
            return Err(StoreError::Conflict(Conflict::Exists));
        }
        _ => {}
    }
    let waiting: u32 = tx
        .conn
        .prepare_cached("SELECT count(*) FROM policy WHERE status = ?1 AND version <> ?2 AND base IS ?3")?
        .query_row(params![PolicyStatus::Proposed, row.version, row.base], |row| row.get(0))?;
    if waiting >= MAX_PROPOSALS {
        return Err(StoreError::Conflict(Conflict::TooMany));
    }
    put(tx, row, files)
}

/// A proposal comes into force over the version that it was made against, and over no other.
pub(super) fn activate(tx: &Tx<'_>, version: &str, approver: &str, at: Timestamp) -> Result<(), StoreError> {
    let row = find(tx.conn, version)?.filter(|row| row.status == PolicyStatus::Proposed);
    let row = row.ok_or(StoreError::Conflict(Conflict::Missing))?;
    if active(tx.conn)? != row.base {
        return Err(StoreError::Conflict(Conflict::PolicyMoved));
    }
    supersede(tx, at)?;
    tx.conn
        .prepare_cached(
            "UPDATE policy SET status = ?1, approver = ?2, activated_at = ?3, ended_at = NULL WHERE version = ?4",
        )?
        .execute(params![PolicyStatus::Active, approver, at, version])?;
    moved(tx)
}

/// One that was in force before goes back to having been.
pub(super) fn withdraw(tx: &Tx<'_>, version: &str, at: Timestamp) -> Result<(), StoreError> {
    let changed = tx
        .conn
        .prepare_cached(
            "UPDATE policy SET status = CASE WHEN activated_at IS NULL THEN ?1 ELSE ?2 END, ended_at = ?3
             WHERE version = ?4 AND status = ?5",
        )?
        .execute(params![PolicyStatus::Withdrawn, PolicyStatus::Superseded, at, version, PolicyStatus::Proposed])?;
    if changed == 0 { Err(StoreError::Conflict(Conflict::Missing)) } else { Ok(()) }
}

fn supersede(tx: &Tx<'_>, at: Timestamp) -> Result<(), StoreError> {
    tx.conn.prepare_cached("UPDATE policy SET status = ?1, ended_at = ?2 WHERE status = ?3")?.execute(params![
        PolicyStatus::Superseded,
        at,
        PolicyStatus::Active
    ])?;
    Ok(())
}

/// Writes a version, in place of what is known of it. The files never differ: the version is made of them. When it was
/// last in force is kept.
fn put(tx: &Tx<'_>, row: &PolicyRow, files: &str) -> Result<(), StoreError> {
    tx.conn
        .prepare_cached(
            "INSERT INTO policy (version, status, source, base, proposer, approver, proposed_at, activated_at, files)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
             ON CONFLICT (version) DO UPDATE SET status = ?2, source = ?3, base = ?4, proposer = ?5,
                 proposed_at = ?7, activated_at = coalesce(?8, activated_at),
                 ended_at = CASE WHEN ?8 IS NULL THEN ended_at END",
        )?
        .execute(params![
            row.version,
            row.status,
            row.source,
            row.base,
            row.proposer,
            row.approver,
            row.proposed_at,
            row.activated_at,
            files,
        ])?;
    Ok(())
}

/// The version in force.
pub(super) fn active(conn: &Connection) -> rusqlite::Result<Option<String>> {
    conn.prepare_cached("SELECT version FROM policy WHERE status = 1")?.query_row([], |row| row.get(0)).optional()
}

pub(super) fn find(conn: &Connection, version: &str) -> Result<Option<PolicyRow>, StoreError> {
    let sql = "SELECT version, status, source, base, proposer, approver, proposed_at, activated_at, ended_at
               FROM policy WHERE version = ?";
    Ok(conn.prepare_cached(sql)?.query_row([version], read).optional()?)
}

pub(super) fn files(conn: &Connection, version: &str) -> Result<Option<String>, StoreError> {
    let sql = "SELECT files FROM policy WHERE version = ?";
    Ok(conn.prepare_cached(sql)?.query_row([version], |row| row.get(0)).optional()?)
}

/// The last proposed first, from after the version `after` on.
pub(super) fn list(conn: &Connection, after: Option<&str>, limit: u32) -> Result<Vec<PolicyRow>, StoreError> {
    let sql = "SELECT version, status, source, base, proposer, approver, proposed_at, activated_at, ended_at
               FROM policy
               WHERE ?1 IS NULL OR (proposed_at, version) < (SELECT proposed_at, version FROM policy WHERE version = ?1)
               ORDER BY proposed_at DESC, version DESC LIMIT ?2";
    Ok(conn.prepare_cached(sql)?.query_map(params![after, limit], read)?.collect::<rusqlite::Result<_>>()?)
}

fn read(row: &Row<'_>) -> rusqlite::Result<PolicyRow> {
    Ok(PolicyRow {
        version: row.get("version")?,
        status: row.get("status")?,
        source: row.get("source")?,
        base: row.get("base")?,
        proposer: row.get("proposer")?,
        approver: row.get("approver")?,
        proposed_at: row.get("proposed_at")?,
        activated_at: row.get("activated_at")?,
        ended_at: row.get("ended_at")?,
    })
}
