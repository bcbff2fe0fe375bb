//! Copies the WAL into the file off the writer's path, so that no commit waits for a large one.
//!
//! Once a second it looks how long the WAL is. Past [`PAGES`] it copies what it can beside the writer (PASSIVE), then
//! the short rest with writers held (RESTART), after which the WAL is written from its start again.

use std::path::PathBuf;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::open::{self, Use};
use crate::store::StoreError;

/// Runs for as long as this lives.
pub(super) struct Checkpointer {
    _alive: mpsc::Sender<()>,
}

/// Pages of WAL (of 4 KiB) from which it is copied. Few enough that a WAL soon stops growing: where a commit writes over
/// what is there, its `fdatasync` has no length to record.
const PAGES: i64 = 8_000;
/// After this long even a short WAL is copied, so that what was deleted leaves it soon.
const AT_LATEST: Duration = Duration::from_secs(600);

impl Checkpointer {
    pub(super) fn start(path: PathBuf) -> Result<Self, StoreError> {
        let (alive, gone) = mpsc::channel();
        thread::Builder::new()
            .name("store-checkpoint".into())
            .spawn(move || {
                let mut seat = Seat { path, connection: None, last: Instant::now() };
                while gone.recv_timeout(Duration::from_secs(1)) == Err(RecvTimeoutError::Timeout) {
                    if let Err(error) = seat.turn() {
                        tracing::warn!(kind = %StoreError::from(error), "checkpoint failed");
                    }
                }
            })
            .map_err(|error| StoreError::Unavailable(error.kind().to_string()))?;
        Ok(Self { _alive: alive })
    }
}

/// What the thread keeps.
struct Seat {
    path: PathBuf,
    connection: Option<Connection>,
    last: Instant,
}

impl Seat {
    /// Copies the WAL if it is long or has waited long.
    fn turn(&mut self) -> rusqlite::Result<()> {
        let connection = match self.connection.take() {
            Some(open) => open,
            None => open::connect(&self.path, Use::Checkpoint)?,
        };
        let pages = checkpoint(&connection, "NOOP")?;
        if pages >= PAGES || (pages > 0 && self.last.elapsed() >= AT_LATEST) {
            checkpoint(&connection, "PASSIVE")?;
            checkpoint(&connection, "RESTART")?;
            self.last = Instant::now();
        }
        self.connection = Some(connection);
        Ok(())
    }
}

/// Runs one checkpoint and gives the length of the WAL in pages.
fn checkpoint(connection: &Connection, mode: &str) -> rusqlite::Result<i64> {
    connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| row.get(1))
}
