//! Connections that only read. WAL lets them work beside the writer.
//!
//! Point reads take microseconds and run where they are asked for; long ones (lists, exports) run on threads made for
//! waiting and on connections of their own, so that they hold up no point read.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;

use super::open::{self, Use};
use crate::store::StoreError;

/// A fixed set of connections.
#[derive(Clone)]
pub(super) struct Readers {
    point: Arc<Set>,
    long: Arc<Set>,
}

struct Set {
    connections: Vec<Mutex<Connection>>,
    turn: AtomicUsize,
}

const POINT: usize = 6;
const LONG: usize = 2;

impl Readers {
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self { point: Arc::new(Set::open(path, POINT)?), long: Arc::new(Set::open(path, LONG)?) })
    }

    /// Runs a read of a few rows by key, here and now.
    pub(super) fn point<T>(&self, read: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.point.with(read)
    }

    /// Runs a read of many rows on a thread made for waiting.
    pub(super) async fn long<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let set = Arc::clone(&self.long);
        tokio::task::spawn_blocking(move || set.with(read))
            .await
            .map_err(|_| StoreError::Unavailable("the read was broken off".into()))?
    }
}

impl Set {
    fn open(path: &Path, count: usize) -> Result<Self, StoreError> {
        let connections =
            (0..count).map(|_| open::connect(path, Use::Read).map(Mutex::new)).collect::<Result<_, _>>()?;
        Ok(Self { connections, turn: AtomicUsize::new(0) })
    }

    /// The first free connection, else the next one in turn when it becomes free.
    fn with<T>(&self, read: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        if let Some(free) = self.connections.iter().find_map(|one| one.try_lock().ok()) {
            return read(&free);
        }
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % self.connections.len().max(1);
        let one = self.connections.get(turn).ok_or_else(|| StoreError::Unavailable("no connection".into()))?;
        read(&one.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
