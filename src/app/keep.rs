//! The store's copies: a backup while serving, and a restore with every erasure since.

use std::path::Path;

use super::{App, AppError};
use crate::access::{DeploymentStore, Permit};
use crate::clock::SystemClock;
use crate::config::Config;
use crate::event::What;
use crate::store::{Change, SqliteStore, Store as _};

impl App {
    /// Copies the store as of one moment to a file that is not there yet.
    ///
    /// # Errors
    /// If it cannot be written, or the log cannot tell of it: then there is no copy.
    pub async fn backup(&self, permit: &Permit<DeploymentStore>, to: &Path) -> Result<(), AppError> {
        let wrong = |source| AppError::Store { path: to.to_owned(), source };
        self.store.commit(Change::telling(permit.event(self.now(), What::StoreBackedUp {}))).await?;
        self.store.copy_to(to).await.map_err(wrong)
    }

    /// Makes a backup the store of `config`, where there is none, and does again every erasure since. Gives how many.
    ///
    /// # Errors
    /// If there is a store already, or the keys or the list of erasures cannot be had: nothing may serve from it then.
    pub async fn restore(config: Config, from: &Path) -> Result<(Self, u64), AppError> {
        SqliteStore::restore(from, &config.database, &SystemClock)
            .map_err(|source| AppError::Store { path: config.database.clone(), source })?;
        let database = config.database.clone();
        let restored = async {
            let app = Self::open(config).await?;
            let erasures = app.rights.replay().await?;
            Ok((app, erasures))
        };
        let restored: Result<_, AppError> = restored.await;
        if restored.is_err() {
            // What is half restored must not be served from.
            for suffix in ["", "-wal", "-shm"] {
                let mut name = database.as_os_str().to_owned();
                name.push(suffix);
                let _ = std::fs::remove_file(name);
            }
        }
        restored
    }
}
