//! Copies the WAL into the file off the writer's path, so that no commit waits for a large one.
//!
//! Once a second it looks how long the WAL is. Past [`PAGES`] it copies what it can beside the writer (PASSIVE), then
//! the short rest with writers held (RESTART), after which the WAL is written from its start again. Soon after an erasure,
//! and after a long time anyway, it empties the WAL (TRUNCATE), so that what was deleted is in no file any more.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::open::{self, Use};
use crate::store::StoreError;

/// Runs for as long as this lives.
pub(super) struct Checkpointer {
    _alive: mpsc::Sender<()>,
    erased: Arc<AtomicBool>,
}

/// Pages of WAL (of 4 KiB) from which it is copied. Few enough that a WAL soon stops growing: where a commit writes over
/// what is there, its `fdatasync` has no length to record.
const PAGES: i64 = 8_000;
/// After this long even a short WAL is copied and emptied, so that what was deleted leaves it soon.
const AT_LATEST: Duration = Duration::from_secs(600);
/// After an erasure the WAL is emptied once so much time has passed: one checkpoint for many erasures.
const AFTER_ERASURE: Duration = Duration::from_secs(10);

impl Checkpointer {
    pub(super) fn start(path: PathBuf) -> Result<Self, StoreError> {
        let (alive, gone) = mpsc::channel();
        let erased = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&erased);
        thread::Builder::new()
            .name("store-checkpoint".into())
            .spawn(move || {
                let mut seat = Seat { path, connection: None, last: Instant::now(), told, since: None };
                while gone.recv_timeout(Duration::from_secs(1)) == Err(RecvTimeoutError::Timeout) {
                    if let Err(error) = seat.turn() {
                        tracing::warn!(kind = %StoreError::from(error), "checkpoint failed");
                    }
                }
            })
            .map_err(|error| StoreError::Unavailable(error.kind().to_string()))?;
        Ok(Self { _alive: alive, erased })
    }

    /// Something was erased: the WAL is to be emptied soon.
    pub(super) fn erased(&self) {
        self.erased.store(true, Ordering::Release);
    }
}

/// What the thread keeps.
struct Seat {
    path: PathBuf,
    connection: Option<Connection>,
    last: Instant,
    /// Set by whoever erases.
    told: Arc<AtomicBool>,
    /// When the first erasure was seen that may still be in the WAL.
    since: Option<Instant>,
}

impl Seat {
    /// Copies the WAL if it is long or has waited long.
    fn turn(&mut self) -> rusqlite::Result<()> {
        let connection = match self.connection.take() {
            Some(open) => open,
            None => open::connect(&self.path, Use::Checkpoint)?,
        };
        if self.told.swap(false, Ordering::AcqRel) {
            self.since.get_or_insert_with(Instant::now);
        }
        let pages = checkpoint(&connection, "NOOP")?;
        let erased = self.since.is_some_and(|since| since.elapsed() >= AFTER_ERASURE);
        let late = pages > 0 && self.last.elapsed() >= AT_LATEST;
        if erased || late {
            self.empty(&connection)?;
        } else if pages >= PAGES {
            checkpoint(&connection, "PASSIVE")?;
            checkpoint(&connection, "RESTART")?;
            self.last = Instant::now();
        }
        self.connection = Some(connection);
        Ok(())
    }

    /// Copies the whole WAL and cuts the file to nothing. Where a reader still looks at it, the next turn tries again.
    fn empty(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        checkpoint(connection, "PASSIVE")?;
        let is_done = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0))? == 0;
        if is_done {
            self.since = None;
            self.last = Instant::now();
        }
        Ok(())
    }
}

/// Runs one checkpoint and gives the length of the WAL in pages.
fn checkpoint(connection: &Connection, mode: &str) -> rusqlite::Result<i64> {
    connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |row| row.get(1))
}
