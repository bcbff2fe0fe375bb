//! Opening connections to the file, with the settings that durability and speed hang on, and migrating it.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::thread;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};
use rusqlite_migration::{M, Migrations, SchemaVersion};

use crate::store::StoreError;

/// What a connection is for.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) enum Use {
    Write,
    Read,
    Checkpoint,
}

/// Makes the folder (0700) and an empty file (0600), or narrows an existing file to 0600.
///
/// SQLite gives its `-wal` and `-shm` files the mode of the file. An existing file is not opened here: closing any
/// descriptor of it would drop the locks that another connection of this process holds (POSIX `fcntl`).
pub(in crate::store) fn prepare(path: &Path) -> Result<(), StoreError> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(unusable)?;
    }
    match fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(unusable)
        }
        Err(error) => Err(unusable(error)),
    }
}

fn unusable(error: io::Error) -> StoreError {
    StoreError::Unavailable(error.kind().to_string())
}

/// A connection to the file at `path`, which exists. Two processes that turn a new file to WAL at the same time get
/// `SQLITE_BUSY` without the busy handler being asked; the one that lost tries again.
pub(in crate::store) fn connect(path: &Path, purpose: Use) -> rusqlite::Result<Connection> {
    for _ in 0..CONNECT_TRIES {
        match attempt(path, purpose) {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
                thread::sleep(Duration::from_millis(20));
            }
            settled => return settled,
        }
    }
    attempt(path, purpose)
}

const CONNECT_TRIES: u32 = 100;

fn attempt(path: &Path, purpose: Use) -> rusqlite::Result<Connection> {
    let mut flags = OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_EXRESCODE;
    flags |= match purpose {
        Use::Read => OpenFlags::SQLITE_OPEN_READ_ONLY,
        Use::Write | Use::Checkpoint => OpenFlags::SQLITE_OPEN_READ_WRITE,
    };
    let connection = Connection::open_with_flags(path, flags)?;
    connection.set_prepared_statement_cache_capacity(160);
    match purpose {
        Use::Write => {
            connection.busy_handler(Some(wait_a_little))?;
            connection.execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;
                 PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON; PRAGMA cache_size = -8192;
                 PRAGMA temp_store = MEMORY;",
            )?;
        }
        Use::Read => {
            connection.busy_timeout(Duration::from_secs(2))?;
            connection
                .execute_batch("PRAGMA query_only = ON; PRAGMA cache_size = -1024; PRAGMA temp_store = MEMORY;")?;
        }
        Use::Checkpoint => {
            // While the end of the WAL is copied, writers wait; so this connection gives up soon and tries again later.
            connection.busy_timeout(Duration::from_millis(100))?;
            connection.execute_batch("PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;")?;
        }
    }
    Ok(connection)
}

/// Waits for another process's transaction, in steps short enough to find the gap between two of its group commits.
fn wait_a_little(tries: i32) -> bool {
    thread::sleep(Duration::from_micros(if tries < 100 { 200 } else { 1_000 }));
    tries < BUSY_TRIES
}

/// About five seconds, with what a sleep takes longer than asked.
const BUSY_TRIES: i32 = 4_500;

/// Every version of the schema, in order.
fn versions() -> Migrations<'static> {
    Migrations::new(vec![
        M::up(include_str!("../migrations/0001_first.sql")),
        M::up(include_str!("../migrations/0002_kinds.sql")),
        M::up(include_str!("../migrations/0003_approvals.sql")),
        M::up(include_str!("../migrations/0004_rights.sql")),
        M::up(include_str!("../migrations/0005_keys.sql")),
        M::up(include_str!("../migrations/0006_policies.sql")),
        M::up(include_str!("../migrations/0007_doors.sql")),
        M::up(include_str!("../migrations/0008_modes.sql")),
        M::up(include_str!("../migrations/0009_pools.sql")),
        M::up(include_str!("../migrations/0010_routes.sql")),
        M::up(include_str!("../migrations/0011_messages.sql")),
        M::up(include_str!("../migrations/0012_suppressions.sql")),
        M::up(include_str!("../migrations/0013_webhooks.sql")),
        M::up(include_str!("../migrations/0014_marks.sql")),
        M::up(include_str!("../migrations/0015_calls.sql")),
        M::up(include_str!("../migrations/0016_receipts.sql")),
        M::up(include_str!("../migrations/0017_outreach.sql")),
    ])
}

/// Brings the schema up to date; safe when several processes start at once.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let migrations = versions();
    for _ in 0..MIGRATION_TRIES {
        if let Ok(SchemaVersion::Outside(_)) = migrations.current_version(connection) {
            return Err(StoreError::Corrupt("schema of a newer version"));
        }
        match migrations.to_latest(connection) {
            Ok(()) => return Ok(()),
            Err(error) => tracing::debug!(%error, "migration put off"),
        }
        // Another process may be at it; when it is done, the next try finds nothing to do.
        thread::sleep(Duration::from_millis(100));
    }
    Err(StoreError::Unavailable("the schema could not be brought up to date".into()))
}

const MIGRATION_TRIES: u32 = 30;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A star on 1, two pairs on 2, a number that rests, and a free one that is drained, as version 0.1 had them.
    const BEFORE: &str = "
        INSERT INTO tenant (id, name, mode, created_at) VALUES (x'01', 'Shop', 1, 0);
        INSERT INTO pool VALUES (x'02', x'01', 'p', 'sandbox', 0, 1, 0);
        INSERT INTO number (x, pool, region, capabilities, draining, use, spread, created_at) VALUES
            (1, x'02', 'GB', 'sms', 0, 'star', 5, 0), (2, x'02', 'GB', 'sms', 0, 'pair', 6, 0),
            (3, x'02', NULL, 'sms voice', 0, 'rest', 7, 0), (4, x'02', NULL, 'sms', 1, 'free', 8, 0);
        INSERT INTO alias (id, tenant, mode, x, pool, a_record, a_index, credential, status, created_at)
            SELECT column1, x'01', 1, 2, x'02', 9, zeroblob(16), x'03', 0, 0 FROM (VALUES (x'0a'), (x'0b'), (x'0c'));
        INSERT INTO leg VALUES (1, x'', 'star', x'0a', x'01', 9, NULL),
            (1, x'aa000000000000000000000000000000', 'star', x'0a', x'01', NULL, NULL),
            (2, x'aa000000000000000000000000000000', 'pair', x'0b', x'01', 9, 77),
            (2, x'bb000000000000000000000000000000', 'pair', x'0b', x'01', 8, 77),
            (2, x'cc000000000000000000000000000000', 'pair', x'0c', x'01', 9, NULL);";

    #[test]
    fn numbers_and_legs_of_before_come_along_whole() {
        let mut store = Connection::open_in_memory().unwrap();
        store.execute_batch("PRAGMA foreign_keys = ON").unwrap();
        versions().to_version(&mut store, 7).unwrap();
        store.execute_batch(BEFORE).unwrap();
        migrate(&mut store).unwrap();
        let all = |sql: &str| -> Vec<String> {
            let mut rows = store.prepare(sql).unwrap();
            rows.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
        };
        let legs =
            all("SELECT concat_ws(' ', x, hex(party), use, hex(alias), shown, kind, target, expires_at) FROM leg");
        let of = |first: &str| format!("{first}{}", "00".repeat(15));
        let (a, b, c) = (of("AA"), of("BB"), of("CC"));
        assert_eq!(
            legs,
            [
                "1  star 0A 1 0 9".to_owned(),
                format!("1 {a} star 0A 1 1"),
                format!("2 {a} pair 0B 2 0 9 77"),
                format!("2 {b} pair 0B 2 0 8 77"),
                format!("2 {c} pair 0C 2 0 9"),
            ]
        );
        let numbers = all("SELECT concat_ws(' ', x, use, load, spread, state) FROM number ORDER BY x");
        assert_eq!(numbers, ["1 star 1 5 bound", "2 pair 2 6 bound", "3 rest 0 7 cooling", "4 free 0 8 draining"]);
        let lots =
            all("SELECT concat_ws(' ', region, capabilities, free, bound, cooling, draining) FROM lot ORDER BY 1");
        assert_eq!(lots, ["GB sms 0 2 0 0", "sms 0 0 0 1", "sms voice 0 0 1 0"]);
        assert!(all("SELECT \"table\" FROM pragma_foreign_key_check").is_empty());
        assert!(store.execute("UPDATE number SET use = 'pair' WHERE x = 1", []).is_err(), "a star's leg holds it");
    }
}
