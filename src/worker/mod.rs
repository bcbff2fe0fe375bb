//! Workers: what happens without a request. [`deliver`] empties the outbox, [`notify`] tells tenants of events,
//! [`expire`] ends what has lapsed, [`rotate`] replaces keys, [`sweep`] removes what has outlived its time.
//!
//! Each claims, does and records; a node that dies in between leaves a lease that lapses. Nothing here decides: rows
//! are carried out on the decision recorded in them, after `access` looked again.

mod ask;
mod backoff;
mod deliver;
mod expire;
mod notify;
mod rotate;
mod sweep;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use tokio::sync::watch;

use crate::access::Access;
use crate::alias::Alias;
use crate::config::Rotation;
use crate::dispatch::Dispatch;
use crate::keyring::Keyring;
use crate::relay::Relay;
use crate::rights::Rights;
use crate::store::Store;
use crate::vault::Vault;
use crate::verify::Verify;
use crate::webhook::Webhooks;

/// The rooms that workers work on.
#[derive(Clone)]
pub struct Rooms {
    /// Outbox, messages and the clock.
    pub store: Arc<dyn Store>,
    /// Keys of bodies.
    pub keyring: Arc<Keyring>,
    /// Permits for deliveries and upkeep.
    pub access: Arc<Access>,
    /// Reservations of sealed tokens.
    pub vault: Arc<Vault>,
    /// Codes.
    pub verify: Arc<Verify>,
    /// Aliases that lapse.
    pub alias: Arc<Alias>,
    /// Parts that wait too long.
    pub relay: Arc<Relay>,
    /// What is left of erased tenants.
    pub rights: Arc<Rights>,
    /// Endpoints of tenants.
    pub webhooks: Arc<Webhooks>,
    /// The ways out.
    pub dispatch: Arc<Dispatch>,
    /// When keys are replaced.
    pub rotation: Rotation,
}

/// Runs every worker until `stop` says so, then lets what is under way finish for up to 10 s. `holder` names this
/// process in leases: the same after a restart, unlike that of any other process.
pub async fn run(rooms: Rooms, holder: String, stop: watch::Receiver<bool>) {
    let deliver = deliver::Deliver::new(rooms.clone(), holder);
    tokio::join!(
        deliver.run(stop.clone()),
        notify::run(rooms.clone(), stop.clone()),
        expire::run(rooms.clone(), stop.clone()),
        rotate::run(rooms.clone(), stop.clone()),
        sweep::run(rooms, stop)
    );
}

/// Resolves when the house is to stop, or nobody is left to say so.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}
