//! The gate: knows callers, keeps the directory fresh, writes the sums of denials.
//!
//! Every other file of this room adds its part of [`Access`]. A change made here is seen here at once; one made by
//! another process within [`POLL`] and the time to read it.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use tokio::sync::{Mutex, watch};

use super::Policies;
use super::denial::Ledger;
use super::directory::{Directory, Target};
use super::policy::{OpenError, Opened};
use crate::clock::Timestamp;
use crate::ids::TenantId;
use crate::keyring::{Keyring, SystemKeys};
use crate::store::{Change, Store, StoreError};
use crate::telemetry;

/// How often the store is asked whether the directory moved.
const POLL: Duration = Duration::from_millis(250);

/// Who may do what.
pub struct Access {
    store: Arc<dyn Store>,
    keyring: Arc<Keyring>,
    system: Arc<SystemKeys>,
    directory: ArcSwap<Directory>,
    /// Held while the directory is read and replaced, so that an older reading never replaces a newer one.
    replacing: Mutex<()>,
    ledger: Ledger,
    /// The tenant that the settings name to keep the policies.
    keeper: Option<TenantId>,
}

impl Access {
    /// Reads the directory, having put `policies` into force if none are yet. [`Self::watch`] has to run for it to stay
    /// fresh.
    ///
    /// # Errors
    /// If the store cannot be read, or what is in force there cannot be compiled.
    pub async fn open(store: Arc<dyn Store>, keyring: Arc<Keyring>, policies: Policies) -> Result<Self, OpenError> {
        Self::begin(store, keyring, Opened::Given(Box::new(policies))).await
    }

    pub(super) fn new(store: Arc<dyn Store>, keyring: Arc<Keyring>, directory: Directory) -> Self {
        telemetry::metrics().show_policy(directory.policies().version());
        Self {
            system: keyring.system(),
            store,
            keyring,
            directory: ArcSwap::from_pointee(directory),
            replacing: Mutex::default(),
            ledger: Ledger::default(),
            keeper: None,
        }
    }

    /// The same, with the tenant that the settings name to keep the policies.
    #[must_use]
    pub fn kept_by(self, keeper: Option<TenantId>) -> Self {
        Self { keeper, ..self }
    }

    pub(super) fn named_keeper(&self) -> Option<TenantId> {
        self.keeper
    }

    /// Follows changes of the directory and writes sums of denials until `stop` is true or its sender is gone; then
    /// writes what is left.
    pub async fn watch(&self, mut stop: watch::Receiver<bool>) {
        let mut ticks = tokio::time::interval(POLL);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stopped(&mut stop) => break,
                _ = ticks.tick() => self.follow().await,
            }
        }
        self.write_sums(self.now().plus(Duration::from_secs(1))).await;
    }

    /// One round of [`Self::watch`]. A store that cannot be reached leaves everything as it was.
    pub(super) async fn follow(&self) {
        self.catch_up().await;
        self.write_sums(self.now()).await;
    }

    /// Reads the directory if it moved.
    pub(super) async fn catch_up(&self) {
        match self.store.directory_version().await {
            Ok(version) if version == self.directory().version => {}
            Ok(_) => can_fail("reading the directory", self.refresh().await),
            Err(error) => can_fail("asking for the directory's version", Err(error)),
        }
    }

    /// Reads the directory now.
    ///
    /// # Errors
    /// If the store cannot be read; the directory stays as it was.
    pub async fn refresh(&self) -> Result<(), StoreError> {
        let _held = self.replacing.lock().await;
        let rows = self.store.directory().await?;
        self.keyring.forget(&rows.erased).await;
        if rows.version < self.directory().version {
            return Ok(());
        }
        // Before the directory is replaced: the one follows the other, and decisions are remembered within it.
        let policies = self.followed(&rows, self.policies()).await?;
        self.directory.store(Arc::new(Directory::of(rows, policies)));
        Ok(())
    }

    /// The policies in force.
    pub fn policies(&self) -> Arc<Policies> {
        Arc::clone(self.directory().policies())
    }

    pub(super) async fn apply_freeze(&self, target: Target, on: bool) {
        {
            let _held = self.replacing.lock().await;
            self.directory.store(Arc::new(self.directory().with_freeze(target, on)));
        }
        can_fail("reading the directory after a freeze", self.refresh().await);
    }

    pub(super) fn directory(&self) -> Guard<Arc<Directory>> {
        self.directory.load()
    }

    pub(super) fn now(&self) -> Timestamp {
        self.store.now()
    }

    pub(super) fn store(&self) -> &dyn Store {
        self.store.as_ref()
    }

    pub(super) fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    pub(super) fn system(&self) -> &SystemKeys {
        &self.system
    }

    pub(super) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    async fn write_sums(&self, before: Timestamp) {
        let due = self.ledger.due(before);
        let events = due.events(|id| self.directory().standing(id).cloned());
        if events.is_empty() {
            return;
        }
        if let Err(error) = self.store.commit(Change { events, writes: Vec::new() }).await {
            tracing::warn!(%error, "sums of denials wait for the store");
            self.ledger.give_back(due);
        }
    }
}

/// Resolves once `stop` is true or its sender is gone.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    // Either answer of `wait_for` means the same here.
    drop(stop.wait_for(|stop| *stop).await);
}

/// An error that leaves everything as it was, and that the next round mends.
pub(super) fn can_fail(what: &'static str, result: Result<(), StoreError>) {
    if let Err(error) = result {
        tracing::warn!(%error, what, "will be tried again");
    }
}
