//! The one writer: a thread that owns one connection and commits everyone's waiting work together (group commit).
//!
//! Work is a closure over a [`Tx`]. Each runs inside its own savepoint, so that a failed precondition takes back that
//! work alone; [`Writer::run_whole`] spares the savepoint where a failed precondition has written nothing. Answers go out only after the `COMMIT`; whatever was in a transaction that failed gets no answer, which
//! its caller reads as [`StoreError::Unavailable`]. After such a failure the connection is opened anew.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::log::Tip;
use super::open::{self, Use};
use super::tally::Tally;
use super::told::Subscriptions;
use crate::clock::{Clock, Timestamp};
use crate::ids::{NodeId, bytes};
use crate::store::StoreError;

/// One transaction, as work sees it.
pub(super) struct Tx<'a> {
    pub(super) conn: &'a Connection,
    /// The moment by which preconditions are judged.
    pub(super) now: Timestamp,
    /// This process, as the table `node` numbers it.
    pub(super) node: i64,
    /// The end of the log, once something asked for it.
    pub(super) tip: Option<Tip>,
    /// Who wants to be told of what.
    pub(super) subscriptions: &'a mut Subscriptions,
    /// What is counted, written before the commit.
    pub(super) tally: Tally,
    /// Set where something failed that cannot be taken back alone.
    broken: bool,
}

/// Where work is handed in.
#[derive(Clone)]
pub(super) struct Writer(mpsc::Sender<Job>);

enum Job {
    Work { weight: usize, run: Run },
    Stop(oneshot::Sender<()>),
}

type Run = Box<dyn FnOnce(&mut Tx<'_>) -> Answer + Send>;
/// Sends the result to whoever waits; dropped unsent if the transaction fails.
type Answer = Box<dyn FnOnce() + Send>;

impl Writer {
    /// Starts the thread on a migrated file.
    pub(super) fn start(path: PathBuf, clock: Arc<dyn Clock>, node: NodeId) -> Result<Self, StoreError> {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let seat = Seat { path, clock, node: bytes(&node), connection: None, subscriptions: Subscriptions::default() };
        thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || seat.serve(queue))
            .map_err(|error| StoreError::Unavailable(error.kind().to_string()))?;
        Ok(Self(jobs))
    }

    /// Runs `work` in the next transaction and waits until it is durable. `weight` is about the number of rows.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        weight: usize,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.hand_in(weight, move |tx| tx.guarded(work)).await
    }

    /// The same for work that finds every precondition out before it has written anything. Any other failure of it
    /// gives the whole transaction up.
    pub(super) async fn run_whole<T: Send + 'static>(
        &self,
        weight: usize,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.hand_in(weight, move |tx| tx.whole(work)).await
    }

    async fn hand_in<T: Send + 'static>(
        &self,
        weight: usize,
        work: impl FnOnce(&mut Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, wait) = oneshot::channel();
        let run: Run = Box::new(move |tx| {
            let result = work(tx);
            Box::new(move || drop(answer.send(result)))
        });
        self.0.send(Job::Work { weight, run }).await.map_err(|_| closed())?;
        wait.await.map_err(|_| StoreError::Unavailable("the transaction did not come about".into()))?
    }

    /// Commits what waits, copies the WAL into the file and ends the thread.
    pub(super) async fn stop(&self) {
        let (answer, wait) = oneshot::channel();
        if self.0.send(Job::Stop(answer)).await.is_ok() {
            let _ = wait.await;
        }
    }
}

fn closed() -> StoreError {
    StoreError::Unavailable("the store is closed".into())
}

/// Work that may wait before callers wait to hand in theirs.
const QUEUE: usize = 4_096;
/// The most pieces of work in one transaction.
const BATCH_WORK: usize = 256;
/// About the most rows in one transaction, unless one piece alone has more.
const BATCH_WEIGHT: usize = 2_000;

impl Tx<'_> {
    /// Runs `work` so that its failure leaves no trace in the transaction.
    fn guarded<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let (tip, subscriptions, counted) = (self.tip, self.subscriptions.version(), self.tally.mark());
        self.conn.prepare_cached("SAVEPOINT work")?.execute([])?;
        let result = work(self);
        if result.is_err() {
            self.tip = tip;
            self.subscriptions.back_to(subscriptions);
            self.tally.back_to(counted);
            self.conn.prepare_cached("ROLLBACK TO work")?.execute([])?;
        }
        self.conn.prepare_cached("RELEASE work")?.execute([])?;
        result
    }

    /// Runs `work` as it is; what failed after a row was written takes the transaction with it.
    fn whole<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let result = work(self);
        self.broken |= matches!(result, Err(StoreError::Unavailable(_) | StoreError::Corrupt(_)));
        result
    }
}

/// What the thread owns.
struct Seat {
    path: PathBuf,
    clock: Arc<dyn Clock>,
    node: [u8; 16],
    connection: Option<(Connection, i64)>,
    subscriptions: Subscriptions,
}

impl Seat {
    fn serve(mut self, mut queue: mpsc::Receiver<Job>) {
        let mut stops = Vec::new();
        while let Some(first) = queue.blocking_recv() {
            let batch = gather(first, &mut queue, &mut stops);
            if !stops.is_empty() {
                // Nothing more comes in; what is in the queue is still committed.
                queue.close();
            }
            self.commit(batch);
        }
        if let Some((connection, _)) = self.connection.take() {
            let copied = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
            tracing::debug!(complete = matches!(copied, Ok(0)), "last checkpoint");
        }
        for stop in stops {
            let _ = stop.send(());
        }
    }

    /// Runs a batch; on failure the answers are dropped and the connection with them.
    fn commit(&mut self, batch: Vec<Run>) {
        if batch.is_empty() {
            return;
        }
        match self.attempt(batch) {
            Ok(answers) => answers.into_iter().for_each(|answer| answer()),
            Err(error) => {
                tracing::error!(%error, "transaction failed");
                self.connection = None;
                self.subscriptions = Subscriptions::default();
            }
        }
    }

    fn attempt(&mut self, batch: Vec<Run>) -> Result<Vec<Answer>, StoreError> {
        let open = match self.connection.take() {
            Some(open) => open,
            None => self.open()?,
        };
        let (conn, node) = self.connection.insert(open);
        conn.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let subscriptions = &mut self.subscriptions;
        subscriptions.doubt();
        let (now, tally) = (self.clock.now(), Tally::default());
        let mut tx = Tx { conn, now, node: *node, tip: None, subscriptions, tally, broken: false };
        let mut answers = Vec::with_capacity(batch.len());
        for run in batch {
            answers.push(run(&mut tx));
            if tx.broken || conn.is_autocommit() {
                // Given up as a whole, by SQLite (disk full, I/O) or because half a change stands: what ran before
                // is gone too.
                return Err(StoreError::Unavailable("the transaction was given up".into()));
            }
        }
        tx.tally.settle(conn)?;
        conn.prepare_cached("COMMIT")?.execute([])?;
        Ok(answers)
    }

    /// A connection, and the number by which the file knows this process.
    fn open(&self) -> Result<(Connection, i64), StoreError> {
        let connection = open::connect(&self.path, Use::Write)?;
        connection.execute("INSERT OR IGNORE INTO node (id) VALUES (?)", [self.node])?;
        let node = connection.query_row("SELECT n FROM node WHERE id = ?", [self.node], |row| row.get(0))?;
        Ok((connection, node))
    }
}

/// Takes what waits, up to the size of a transaction.
fn gather(first: Job, queue: &mut mpsc::Receiver<Job>, stops: &mut Vec<oneshot::Sender<()>>) -> Vec<Run> {
    let mut batch = Vec::new();
    let mut heavy = 0;
    let mut next = Some(first);
    while let Some(job) = next {
        match job {
            Job::Work { weight, run } => {
                heavy += weight;
                batch.push(run);
            }
            Job::Stop(answer) => stops.push(answer),
        }
        if batch.len() >= BATCH_WORK || heavy >= BATCH_WEIGHT {
            break;
        }
        next = queue.try_recv().ok();
    }
    batch
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::clock::SystemClock;

    fn writer(folder: &tempfile::TempDir) -> Writer {
        let path = folder.path().join("bauta.db");
        open::prepare(&path).unwrap();
        open::migrate(&mut open::connect(&path, Use::Write).unwrap()).unwrap();
        Writer::start(path, Arc::new(SystemClock), crate::ids::fresh()).unwrap()
    }

    async fn freeze(writer: &Writer, target: &'static str) -> Result<(), StoreError> {
        writer.run(1, move |tx| super::super::access::freeze(tx, target, true)).await
    }

    async fn frozen(writer: &Writer) -> Vec<String> {
        writer.run(0, |tx| Ok(super::super::access::frozen(tx.conn)?)).await.unwrap()
    }

    #[tokio::test]
    async fn a_full_disk_is_told_to_everyone_and_the_next_change_finds_a_sound_writer() {
        let folder = tempfile::tempdir().unwrap();
        let writer = writer(&folder);
        freeze(&writer, "before").await.unwrap();
        let filling = writer.run(1, |tx| {
            // SQLite's own limit fails in the way of a full disk: SQLITE_FULL.
            tx.conn.query_row("PRAGMA max_page_count = 1", [], |_| Ok(()))?;
            let much = vec![7_u8; 4 << 20];
            tx.conn.execute("INSERT INTO frozen (target) VALUES ('lost'), (hex(?))", [much])?;
            Ok(())
        });
        let (filled, beside) = tokio::join!(filling, freeze(&writer, "beside"));
        assert!(matches!(filled, Err(StoreError::Unavailable(_))));
        freeze(&writer, "after").await.unwrap();
        let mut expected = vec!["after", "before"];
        if beside.is_ok() {
            expected.push("beside");
        }
        expected.sort_unstable();
        assert_eq!(frozen(&writer).await, expected, "what was answered is there and nothing else");
    }

    #[tokio::test]
    async fn a_transaction_that_breaks_answers_nobody_with_success() {
        let folder = tempfile::tempdir().unwrap();
        let writer = writer(&folder);
        let breaking = writer.run(1, |tx| Ok(tx.conn.execute_batch("ROLLBACK")?));
        let (first, broken, last) = tokio::join!(freeze(&writer, "first"), breaking, freeze(&writer, "last"));
        assert!(matches!(broken, Err(StoreError::Unavailable(_))));
        let told: Vec<_> = [("first", first), ("last", last)].into_iter().filter(|(_, end)| end.is_ok()).collect();
        assert_eq!(frozen(&writer).await, told.iter().map(|(target, _)| *target).collect::<Vec<_>>());
        freeze(&writer, "next").await.unwrap();
    }
}
