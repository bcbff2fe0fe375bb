//! The routes in force, of every tenant, as one snapshot in memory; and which ways are closed.
//!
//! A snapshot is replaced as a whole when the store's version moves: a change made here is seen at once, one made by
//! another process within [`POLL`] and the time to read it. A store that cannot be reached leaves everything as it was.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::Mutex;

use super::check;
use super::choose::Closed;
use super::rules::{RouteRule, Routes};
use crate::clock::Timestamp;
use crate::ids::TenantId;
use crate::store::{ClosedRoute, RouteRows, Store, StoreError};
use crate::telemetry;

/// How often the store is asked whether routes moved.
pub(super) const POLL: Duration = Duration::from_millis(250);

/// The routes of one tenant with who set them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InForce {
    /// The rules.
    pub routes: Routes,
    /// Who set them.
    pub author: String,
    /// The second person who approved, where one had to.
    pub approver: Option<String>,
    /// Since when.
    pub at: Timestamp,
}

/// One snapshot.
#[derive(Default)]
pub(super) struct Snapshot {
    version: u64,
    tenants: HashMap<TenantId, Arc<InForce>>,
    closed: HashMap<TenantId, Closed>,
    none: Closed,
    /// The ways that are closed, with what was counted.
    pub(super) closures: Vec<ClosedRoute>,
}

impl Snapshot {
    fn of(rows: RouteRows) -> Self {
        let tenants = rows.sets.into_iter().map(|row| {
            let written: Vec<RouteRule> = serde_json::from_str(&row.rules).unwrap_or_else(|error| {
                tracing::error!(%error, tenant = %row.tenant, "routes cannot be read; every carrier is taken in order");
                Vec::new()
            });
            let routes = check::stored(written, row.version);
            (row.tenant, Arc::new(InForce { routes, author: row.author, approver: row.approver, at: row.at }))
        });
        let mut closed: HashMap<TenantId, Closed> = HashMap::new();
        for way in &rows.closed {
            let of_tenant = closed.entry(way.tenant).or_default();
            of_tenant.0.insert((way.carrier.clone(), way.country.clone(), way.class));
        }
        Self {
            version: rows.version,
            tenants: tenants.collect(),
            closed,
            none: Closed::default(),
            closures: rows.closed,
        }
    }

    /// The tenant's ways that are closed.
    pub(super) fn closed(&self, tenant: TenantId) -> &Closed {
        self.closed.get(&tenant).unwrap_or(&self.none)
    }

    /// What a tenant set, if it did.
    pub(super) fn of_tenant(&self, tenant: TenantId) -> Option<&Arc<InForce>> {
        self.tenants.get(&tenant)
    }
}

/// The snapshot in force.
#[derive(Default)]
pub(super) struct Table {
    current: ArcSwap<Snapshot>,
    /// Held while rows are read and the snapshot is replaced, so that an older reading never replaces a newer one.
    replacing: Mutex<()>,
}

impl Table {
    pub(super) fn load(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// Reads the rows if they moved.
    pub(super) async fn follow(&self, store: &dyn Store) -> Result<(), StoreError> {
        if store.routes_version().await? == self.current.load().version {
            return Ok(());
        }
        self.refresh(store).await
    }

    /// Reads the rows now.
    pub(super) async fn refresh(&self, store: &dyn Store) -> Result<(), StoreError> {
        let _held = self.replacing.lock().await;
        let rows = store.routes().await?;
        if rows.version < self.current.load().version {
            return Ok(());
        }
        let snapshot = Snapshot::of(rows);
        show(&snapshot.closures);
        self.current.store(Arc::new(snapshot));
        Ok(())
    }
}

fn show(closures: &[ClosedRoute]) {
    let gauge = &telemetry::metrics().route_closed;
    gauge.reset();
    for way in closures {
        gauge.with_label_values(&[way.carrier.as_str(), way.country.as_str(), way.class.as_str()]).inc();
    }
}
