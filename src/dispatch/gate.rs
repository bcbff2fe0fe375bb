//! What dispatch does by itself: follows routes, counts complaints, tells of breakers that turned.

use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::Dispatch;
use super::breaker::Turn;
use super::complaint::REVIEW;
use super::health::Turned;
use super::table::POLL;
use crate::event::{Actor, Event, What};
use crate::store::{Change, StoreError};
use crate::telemetry;

impl Dispatch {
    /// Follows changes of routes and reviews complaints until `stop` is true or its sender is gone.
    pub async fn watch(&self, mut stop: watch::Receiver<bool>) {
        let mut ticks = interval(POLL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut review = Instant::now();
        loop {
            tokio::select! {
                () = stopped(&mut stop) => return,
                _ = ticks.tick() => can_fail("following routes", self.table.follow(self.store.as_ref()).await),
            }
            if Instant::now() >= review {
                can_fail("reviewing complaints", self.review_complaints().await);
                review = Instant::now() + REVIEW;
            }
        }
    }

    /// Reads the routes in force. Before the first message leaves.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn refresh(&self) -> Result<(), StoreError> {
        self.table.refresh(self.store.as_ref()).await
    }

    /// Tells of breakers that turned.
    pub(super) async fn tell(&self, carrier: &str, turned: Vec<Turned>) {
        for Turned { country, turn } in turned {
            let country = country.map(|country| country.to_string());
            let label = country.as_deref().unwrap_or("all");
            let gauge = telemetry::metrics().route_breaker.with_label_values(&[carrier, label]);
            gauge.set(i64::from(turn == Turn::Opened));
            let carrier = carrier.to_owned();
            let what = match turn {
                Turn::Opened => What::BreakerOpened { carrier, country },
                Turn::Closed => What::BreakerClosed { carrier, country },
            };
            let event = Event { at: self.store.now(), tenant: None, actor: Actor::Worker, policy: None, what };
            can_fail("telling of a breaker", self.store.commit(Change::telling(event)).await.map(drop));
        }
    }
}

/// Resolves once `stop` is true or its sender is gone.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    // Either answer means the same here.
    drop(stop.wait_for(|stop| *stop).await);
}

/// An error that leaves everything as it was, and that the next round mends.
pub(super) fn can_fail(what: &'static str, result: Result<(), StoreError>) {
    if let Err(error) = result {
        tracing::warn!(%error, what, "will be tried again");
    }
}
