//! A copy of the store as of one moment, made while it serves, and what makes a copy fit to be a store again.

use std::fs::File;
use std::path::Path;

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use super::open::{self, Use};
use crate::clock::Timestamp;
use crate::store::StoreError;

/// How far above the present moment record ids go on after a restore: whatever the lost store gave out in its last
/// minute lies below.
const BEYOND: std::time::Duration = std::time::Duration::from_secs(60);

/// Copies all pages under one read of the store, beside the writer (SQLite's online backup). The copy is whole or not
/// there: written beside, checked, synced, renamed.
pub(super) fn copy(conn: &Connection, path: &Path) -> Result<(), StoreError> {
    let beside = path.with_extension("partial");
    if path.exists() {
        return Err(StoreError::Unavailable("there is a file of that name already; name another".into()));
    }
    match std::fs::remove_file(&beside) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(unusable(&error)),
        _ => {}
    }
    open::prepare(&beside)?;
    let made = pages(conn, &beside);
    if made.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    made?;
    let place = || {
        File::open(&beside)?.sync_all()?;
        std::fs::rename(&beside, path)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()
    };
    place().map_err(|error| unusable(&error))
}

fn pages(conn: &Connection, to: &Path) -> Result<(), StoreError> {
    let mut copy = Connection::open(to)?;
    {
        let backup = Backup::new(conn, &mut copy)?;
        if backup.step(-1)? != StepResult::Done {
            return Err(StoreError::Unavailable("the store was too busy to be copied; try again".into()));
        }
    }
    // The copy is one file, without a WAL beside it.
    copy.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))?;
    let sound: String = copy.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if sound == "ok" { Ok(()) } else { Err(StoreError::Corrupt("copy")) }
}

/// Puts a backup into an empty place: migrated, with record ids that go on above all that were ever given out, and
/// nothing leased.
///
/// # Errors
/// [`StoreError::Unavailable`] if there is a store already, [`StoreError::Corrupt`] if the backup is none of ours.
pub(super) fn restore(backup: &Path, path: &Path, now: Timestamp) -> Result<(), StoreError> {
    if path.exists() {
        return Err(StoreError::Unavailable("there is a store already; restore into an empty place".into()));
    }
    open::prepare(path)?;
    let put = || {
        std::fs::copy(backup, path).map_err(|error| unusable(&error))?;
        let mut conn = open::connect(path, Use::Write)?;
        open::migrate(&mut conn)?;
        let mark = now.plus(BEYOND).as_millis().checked_shl(20).unwrap_or(i64::MAX);
        conn.execute("UPDATE meta SET value = max(value, ?) WHERE key = 'records'", [mark])?;
        // Whoever kept the directory in memory reads it again.
        conn.execute("UPDATE meta SET value = value + 1000000 WHERE key = 'directory'", [])?;
        conn.execute("UPDATE outbox SET holder = NULL, ready = due WHERE holder IS NOT NULL", [])?;
        conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        Ok(())
    };
    let done = put();
    if done.is_err() {
        for suffix in ["", "-wal", "-shm"] {
            let mut name = path.as_os_str().to_owned();
            name.push(suffix);
            let _ = std::fs::remove_file(name);
        }
    }
    done
}

fn unusable(error: &std::io::Error) -> StoreError {
    StoreError::Unavailable(error.kind().to_string())
}
