//! What ends by itself: lapsed verifications and aliases, messages that stay incomplete, what has outlived its time.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::{Rooms, stopped};
use crate::event::{Actor, Event, What};
use crate::store::{Change, StoreError, Write};

/// Looks once a second, and sweeps once a minute, until `stop`.
pub(super) async fn run(rooms: Rooms, mut stop: watch::Receiver<bool>) {
    let mut second = interval(TICK);
    second.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut swept = Instant::now();
    loop {
        tokio::select! {
            () = stopped(&mut stop) => return,
            _ = second.tick() => {}
        }
        // A task of its own, so that a panic ends this round and not the worker.
        let is_sweeping = swept.elapsed() >= SWEEP_EVERY;
        if is_sweeping {
            swept = Instant::now();
        }
        if let Err(error) = tokio::spawn(round(rooms.clone(), is_sweeping)).await {
            tracing::error!(%error, "a round of expiry broke off");
        }
    }
}

async fn round(rooms: Rooms, is_sweeping: bool) {
    let verifications = rooms.verify.expire_lapsed(BATCH, |tenant| rooms.access.upkeep(tenant)).await;
    can_fail("verifications", verifications);
    can_fail("approvals", rooms.access.expire_approvals(BATCH).await);
    can_fail("aliases", rooms.alias.expire_lapsed(BATCH).await);
    can_fail("pools", rooms.alias.watch_pools().await);
    let before = rooms.store.now().minus(STALE);
    can_fail("parts", rooms.relay.carry_stale(before, BATCH).await);
    rooms.relay.settle_malformed().await;
    can_fail("reservations", rooms.vault.settle_idle().await);
    if is_sweeping {
        for _ in 0..SWEEPS {
            match sweep(&rooms).await {
                Ok(true) => tokio::time::sleep(BREATH).await,
                Ok(false) => break,
                Err(error) => return can_fail("sweep", Err::<(), _>(error)),
            }
        }
    }
}

/// Whether there is more to forget.
async fn sweep(rooms: &Rooms) -> Result<bool, StoreError> {
    let event = Event { at: rooms.store.now(), tenant: None, actor: Actor::Worker, policy: None, what: What::Swept {} };
    let done = rooms.store.commit(Change::telling(event).with(Write::Sweep)).await?;
    Ok(done.aged > 0)
}

/// What failed now is tried again in the next round.
fn can_fail<T, E: std::fmt::Display>(what: &'static str, result: Result<T, E>) {
    if let Err(error) = result {
        tracing::warn!(what, %error, "will be tried again");
    }
}

const TICK: Duration = Duration::from_secs(1);
/// The most in a row, so that what lapses is not forgotten over it; the next minute goes on.
const SWEEPS: u32 = 200;
/// Between two.
const BREATH: Duration = Duration::from_millis(20);
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// How long the parts that came wait for the others.
const STALE: Duration = Duration::from_secs(5 * 60);
/// Of each kind in one round.
const BATCH: u32 = 500;
