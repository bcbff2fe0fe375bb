//! Where answers are kept: a small SQLite file with one writer that commits waiting answers together, or a map where a
//! deployment wants none. Callers seal what must not be read from the file.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use rusqlite::{Connection, OptionalExtension, params};
use tokio::sync::{mpsc, oneshot};

use super::used;
use crate::clock::{Clock, Timestamp};
use crate::store::sqlite::open::{self, Use};
use crate::store::{ScratchError, StoreError};

/// An answer to replay.
#[derive(Clone)]
pub(super) struct Answer {
    pub(super) fingerprint: [u8; 32],
    pub(super) until: Timestamp,
    pub(super) text: Vec<u8>,
}

/// The way in to the writer.
pub(super) struct Journal(mpsc::Sender<Job>);

struct Job {
    key: Box<[u8]>,
    what: What,
    /// Told once it is on disk: whether it was new.
    durable: oneshot::Sender<bool>,
}

enum What {
    Answer(Answer),
    /// To be given once until then.
    Once(Timestamp),
}

const QUEUE: usize = 1_024;
const BATCH: usize = 256;
/// Answers that have outlived their time, forgotten with each commit.
const GOING: u32 = 512;

impl Journal {
    pub(super) fn open(path: &Path, clock: Arc<dyn Clock>) -> Result<Self, ScratchError> {
        open::prepare(path).map_err(of_store)?;
        let mut connection = open::connect(path, Use::Write).map_err(of_sql)?;
        connection
            .execute_batch(
                "PRAGMA wal_autocheckpoint = 1000; PRAGMA cache_size = -2048;
                 CREATE TABLE IF NOT EXISTS answer (
                     key BLOB PRIMARY KEY, fingerprint BLOB NOT NULL, until INTEGER NOT NULL, text BLOB NOT NULL
                 ) STRICT;
                 CREATE INDEX IF NOT EXISTS answer_until ON answer (until);",
            )
            .and_then(|()| connection.execute_batch(used::TABLE))
            .map_err(of_sql)?;
        let (jobs, mut queue) = mpsc::channel::<Job>(QUEUE);
        thread::Builder::new()
            .name("scratch-writer".into())
            .spawn(move || {
                let mut batch = Vec::new();
                while let Some(first) = queue.blocking_recv() {
                    batch.push(first);
                    batch.extend(std::iter::from_fn(|| queue.try_recv().ok()).take(BATCH));
                    turn(&mut connection, &mut batch, clock.now());
                }
            })
            .map_err(|error| ScratchError(error.kind().to_string()))?;
        Ok(Self(jobs))
    }

    /// Returns when the answer is on disk.
    pub(super) async fn write(&self, key: &[u8], answer: Answer) -> Result<(), ScratchError> {
        self.put(key, What::Answer(answer)).await.map(drop)
    }

    /// Returns when it is on disk that `key` was given; false if it was before.
    pub(super) async fn first(&self, key: &[u8], until: Timestamp) -> Result<bool, ScratchError> {
        self.put(key, What::Once(until)).await
    }

    async fn put(&self, key: &[u8], what: What) -> Result<bool, ScratchError> {
        let (durable, wait) = oneshot::channel();
        let job = Job { key: key.into(), what, durable };
        let failed = || ScratchError("the journal could not be written".into());
        self.0.send(job).await.map_err(|_| failed())?;
        wait.await.map_err(|_| failed())
    }
}

/// Commits a batch and answers it. What could not be written is dropped unanswered: its caller reads that as a failure.
fn turn(connection: &mut Connection, batch: &mut Vec<Job>, now: Timestamp) {
    let written = commit(connection, batch, now).unwrap_or_else(|error| {
        tracing::error!(kind = ?error.sqlite_error_code(), "the journal is not written");
        Vec::new()
    });
    for (job, new) in batch.drain(..).zip(written) {
        let _ = job.durable.send(new);
    }
}

/// Tells of each job whether it was new.
fn commit(connection: &mut Connection, batch: &[Job], now: Timestamp) -> rusqlite::Result<Vec<bool>> {
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let mut new = Vec::with_capacity(batch.len());
    for Job { key, what, .. } in batch {
        new.push(match what {
            What::Answer(answer) => keep(&transaction, key, answer).map(|()| true)?,
            What::Once(until) => used::write(&transaction, key, *until, now)?,
        });
    }
    used::forget(&transaction, now)?;
    // More go than came, so that the file does not grow with time.
    transaction
        .prepare_cached("DELETE FROM answer WHERE key IN (SELECT key FROM answer WHERE until <= ? LIMIT ?)")?
        .execute(params![now, GOING])?;
    transaction.commit()?;
    Ok(new)
}

fn keep(connection: &Connection, key: &[u8], answer: &Answer) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO answer (key, fingerprint, until, text) VALUES (?, ?, ?, ?)")?
        .execute(params![key, answer.fingerprint, answer.until, answer.text])
        .map(drop)
}

/// What one shard reads answers from.
pub(super) enum Kept {
    Filed(Connection),
    Held(HashMap<Box<[u8]>, Answer>),
}

/// The most answers that one shard holds in memory.
const MOST_HELD: usize = 16_384;

impl Kept {
    pub(super) fn open(path: Option<&Path>) -> Result<Self, ScratchError> {
        match path {
            Some(path) => Ok(Self::Filed(open::connect(path, Use::Read).map_err(of_sql)?)),
            None => Ok(Self::Held(HashMap::new())),
        }
    }

    pub(super) fn find(&self, key: &[u8], now: Timestamp) -> Result<Option<Answer>, ScratchError> {
        match self {
            Self::Held(answers) => Ok(answers.get(key).filter(|answer| answer.until > now).cloned()),
            Self::Filed(connection) => connection
                .prepare_cached("SELECT fingerprint, until, text FROM answer WHERE key = ? AND until > ?")
                .and_then(|mut found| {
                    found
                        .query_row(params![key, now], |row| {
                            Ok(Answer { fingerprint: row.get(0)?, until: row.get(1)?, text: row.get(2)? })
                        })
                        .optional()
                })
                .map_err(of_sql),
        }
    }

    /// Keeps an answer in memory, where there is no file.
    pub(super) fn hold(&mut self, key: &[u8], answer: Answer, now: Timestamp) -> Result<(), ScratchError> {
        let Self::Held(answers) = self else { return Ok(()) };
        if answers.len() >= MOST_HELD {
            answers.retain(|_, answer| answer.until > now);
        }
        if answers.len() >= MOST_HELD {
            return Err(ScratchError("too many answers".into()));
        }
        answers.insert(key.into(), answer);
        Ok(())
    }
}

fn of_sql(error: rusqlite::Error) -> ScratchError {
    of_store(error.into())
}

fn of_store(error: StoreError) -> ScratchError {
    ScratchError(error.to_string())
}
