//! What may be given once: nonces of signed requests. A table of the journal's file, or a map where there is none.

use std::collections::HashMap;

use rusqlite::{Connection, params};

use crate::clock::Timestamp;
use crate::store::ScratchError;

pub(super) const TABLE: &str =
    "CREATE TABLE IF NOT EXISTS used (key BLOB PRIMARY KEY, until INTEGER NOT NULL) STRICT, WITHOUT ROWID;
     CREATE INDEX IF NOT EXISTS used_until ON used (until);";

/// Keys that have outlived their time, forgotten with each commit: more than come, so that the table does not grow.
const GOING: u32 = 512;

/// Writes `key` into the table. True if it was not there, or only with a time that has passed.
pub(super) fn write(connection: &Connection, key: &[u8], until: Timestamp, now: Timestamp) -> rusqlite::Result<bool> {
    let written = connection
        .prepare_cached(
            "INSERT INTO used (key, until) VALUES (?1, ?2)
             ON CONFLICT DO UPDATE SET until = ?2 WHERE until <= ?3",
        )?
        .execute(params![key, until, now])?;
    Ok(written == 1)
}

/// Forgets some of what has outlived its time.
pub(super) fn forget(connection: &Connection, now: Timestamp) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM used WHERE key IN (SELECT key FROM used WHERE until <= ? LIMIT ?)")?
        .execute(params![now, GOING])
        .map(drop)
}

/// The same in memory, lost with the process.
#[derive(Default)]
pub(super) struct Used(HashMap<Box<[u8]>, Timestamp>);

/// The most keys in memory.
const MOST: usize = 65_536;

impl Used {
    pub(super) fn first(&mut self, key: &[u8], until: Timestamp, now: Timestamp) -> Result<bool, ScratchError> {
        if self.0.get(key).is_some_and(|known| *known > now) {
            return Ok(false);
        }
        if self.0.len() >= MOST {
            self.0.retain(|_, known| *known > now);
        }
        if self.0.len() >= MOST {
            return Err(ScratchError("too many nonces".into()));
        }
        self.0.insert(key.into(), until);
        Ok(true)
    }
}
