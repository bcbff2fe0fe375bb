//! Tells tenants of events: serves every endpoint that something waits for, each by itself.
//!
//! An endpoint is served once at a time, which keeps its order; endpoints do not wait for each other, up to
//! [`WIDTH`] at once and [`PER_TENANT`] of one tenant, so that nobody's dead endpoints take all places. What waits is
//! in the store: this only remembers when to look. After a crash the first look finds everything again.

use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until, timeout};

use super::{Rooms, stopped};
use crate::clock::Timestamp;
use crate::ids::{TenantId, WebhookId};
use crate::telemetry;
use crate::webhook::{Rest, WebhookError};

/// What is remembered of endpoints between looks.
#[derive(Default)]
struct Desk {
    /// When each is to be served next.
    due: HashMap<WebhookId, (TenantId, Timestamp)>,
    /// Those that are being served, and whether something came in meanwhile.
    busy: HashMap<WebhookId, (TenantId, bool)>,
    /// Which task serves which.
    tasks: HashMap<Id, WebhookId>,
}

type Served = Result<Rest, WebhookError>;

/// Serves until `stop`, then waits for what is under way for as long as a call may take.
pub(super) async fn run(rooms: Rooms, mut stop: watch::Receiver<bool>) {
    let mut desk = Desk::default();
    let mut calls: JoinSet<Served> = JoinSet::new();
    let mut listen = Instant::now();
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !*stop.borrow() {
        let now = rooms.store.now();
        for webhook in desk.begin(now) {
            let webhooks = rooms.webhooks.clone();
            let task = calls.spawn(async move { webhooks.serve(webhook).await });
            desk.tasks.insert(task.id(), webhook);
        }
        tokio::select! {
            () = stopped(&mut stop) => {}
            () = sleep(desk.wait(now)) => {}
            called = async { sleep_until(listen).await; rooms.store.notified().await } => {
                desk.heard(called, rooms.store.now());
                listen = Instant::now() + GATHER;
            }
            Some(done) = calls.join_next_with_id() => desk.ended(done, rooms.store.now()),
            _ = look.tick() => desk.look(&rooms).await,
        }
    }
    let _ = timeout(DRAIN, async { while calls.join_next().await.is_some() {} }).await;
}

impl Desk {
    /// The endpoints to be served now.
    fn begin(&mut self, now: Timestamp) -> Vec<WebhookId> {
        let mut ready: Vec<_> = self
            .due
            .iter()
            .filter(|(webhook, (_, due))| *due <= now && !self.busy.contains_key(webhook))
            .map(|(webhook, (tenant, due))| (*due, *tenant, *webhook))
            .collect();
        ready.sort_unstable_by_key(|(due, ..)| *due);
        let mut begun = Vec::new();
        for (_, tenant, webhook) in ready {
            if self.busy.len() >= WIDTH {
                break;
            }
            if self.busy.values().filter(|(of, _)| *of == tenant).count() < PER_TENANT {
                self.due.remove(&webhook);
                self.busy.insert(webhook, (tenant, false));
                begun.push(webhook);
            }
        }
        begun
    }

    /// How long until something can be begun, as far as is known.
    fn wait(&self, now: Timestamp) -> Duration {
        let next = self.due.values().map(|(_, due)| *due).filter(|due| *due > now).min();
        next.map_or(LOOK, |due| now.until(due)).clamp(BREATH, LOOK)
    }

    /// Something was put before these. One that waits for another try is looked at soon: what came may stand before
    /// the event that waits.
    fn heard(&mut self, called: Vec<(TenantId, WebhookId)>, now: Timestamp) {
        for (tenant, webhook) in called {
            if let Some((_, again)) = self.busy.get_mut(&webhook) {
                *again = true;
                continue;
            }
            let due = self.due.entry(webhook).or_insert((tenant, now));
            due.1 = due.1.min(now.plus(SOON));
        }
    }

    fn ended(&mut self, done: Result<(Id, Served), JoinError>, now: Timestamp) {
        let (task, rest) = match done {
            Ok((task, rest)) => (task, rest),
            Err(error) => {
                tracing::error!(%error, "serving a webhook broke off");
                (error.id(), Ok(Rest::Until(now.plus(LOOK))))
            }
        };
        let Some(webhook) = self.tasks.remove(&task) else { return };
        let Some((tenant, again)) = self.busy.remove(&webhook) else { return };
        let due = match rest {
            Ok(Rest::Idle) if again => now,
            Ok(Rest::Idle) => return,
            Ok(Rest::Until(due)) if again => due.min(now.plus(SOON)),
            Ok(Rest::Until(due)) => due,
            Err(error) => {
                tracing::warn!(%error, "a webhook will be served again");
                now.plus(SOON)
            }
        };
        self.due.insert(webhook, (tenant, due));
    }

    /// Looks into the store for what nobody told of: what waited before this process began, or came by another.
    async fn look(&mut self, rooms: &Rooms) {
        let waiting = match rooms.store.waiting_notices().await {
            Ok(waiting) => waiting,
            Err(error) => return tracing::warn!(%error, "what waits for webhooks is not known"),
        };
        let now = rooms.store.now();
        let oldest = waiting.iter().map(|one| one.since).min();
        telemetry::metrics().webhook_waiting.set(i64::try_from(waiting.len()).unwrap_or(i64::MAX));
        let age = oldest.map_or(0, |since| since.until(now).as_secs());
        telemetry::metrics().webhook_oldest.set(i64::try_from(age).unwrap_or(i64::MAX));
        for one in waiting {
            if !self.busy.contains_key(&one.webhook) {
                self.due.entry(one.webhook).or_insert((one.tenant, one.due));
            }
        }
    }
}

/// Endpoints served at once.
const WIDTH: usize = 256;
/// Of one tenant.
const PER_TENANT: usize = 16;
/// How long without a look into the store.
const LOOK: Duration = Duration::from_secs(5);
/// How soon one that waits is looked at again when something new came.
const SOON: Duration = Duration::from_secs(1);
/// How long events are gathered, so that a busy tenant does not keep this going round.
const GATHER: Duration = Duration::from_millis(2);
/// The shortest wait.
const BREATH: Duration = Duration::from_millis(5);
/// How long what is under way may take to finish at the end.
const DRAIN: Duration = Duration::from_secs(10);
