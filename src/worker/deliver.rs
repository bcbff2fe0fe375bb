//! Empties the outbox: claim, send, record.
//!
//! At most [`WIDTH`] deliveries are under way, at most one of each conversation; each lane leaves places to the more
//! urgent ones. What a carrier took is recorded until
//! it is durable or the lease is about to lapse, since the row would be sent again. A delivery that panics leaves its
//! row to the lease.

mod record;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use zeroize::Zeroizing;

use super::{Rooms, ask, backoff, stopped};
use crate::access::{Delivery, Denied, Permit};
use crate::dispatch::{DispatchError, From, Parcel, To};
use crate::ids;
use crate::relay::BODY;
use crate::store::{Class, Lane, MessageRow, OutboxRow, Recipient, Registration, Room, Shown, StoreError, Task};
use crate::verify::VerifyError;

/// The worker that empties the outbox.
pub(super) struct Deliver {
    pub(super) rooms: Rooms,
    holder: String,
    pub(super) asking: Semaphore,
}

/// A row's message, ready to be sent.
struct Letter {
    to: To,
    from: From,
    text: Zeroizing<String>,
    class: Class,
    life: Duration,
    registration: Option<Registration>,
}

/// What becomes of a row.
pub(super) enum Fate {
    /// A carrier took it.
    Sent(crate::dispatch::Sent),
    /// Again, not before so long.
    Later { reason: &'static str, wait: Duration },
    /// Never: why, as a short class.
    Never(String),
    /// It has no use any more.
    Pointless,
    /// It was settled where it was decided, or is left to its lease.
    Settled,
}

impl Deliver {
    pub(super) fn new(rooms: Rooms, holder: String) -> Arc<Self> {
        Arc::new(Self { rooms, holder, asking: Semaphore::new(ask::WIDTH) })
    }

    /// Delivers until `stop`, then waits up to [`DRAIN`] for what is under way.
    pub(super) async fn run(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        if let Err(error) = self.rooms.store.release_leases(&self.holder).await {
            tracing::warn!(%error, "old leases stay until they lapse");
        }
        let mut under_way = UnderWay::default();
        while !*stop.borrow() {
            for row in self.claim(under_way.room()).await {
                let this = Arc::clone(&self);
                under_way.add(row.lane, async move { this.deliver(row).await });
            }
            self.pause(&mut under_way, &mut stop).await;
        }
        let _ = timeout(DRAIN, async { while under_way.next().await.is_some() {} }).await;
    }

    /// Waits for a reason to claim again: something in a lane that has room, or a place that became free. What was due in
    /// such a lane is claimed already.
    async fn pause(&self, under_way: &mut UnderWay, stop: &mut watch::Receiver<bool>) {
        let room = under_way.room();
        tokio::select! {
            () = stopped(stop) => {}
            () = self.next_due(room) => {}
            Some(()) = under_way.next() => {}
        }
        under_way.settle();
    }

    /// Resolves when something was enqueued, or falls due in a lane with room.
    async fn next_due(&self, room: Room) {
        if room.for_lane(Lane::Code) == 0 {
            return std::future::pending().await;
        }
        let due = self.rooms.store.next_due_within(room).await.ok().flatten();
        let wait = due.map_or(IDLE, |due| self.rooms.store.now().until(due)).clamp(BREATH, IDLE);
        let _ = timeout(wait, self.rooms.store.enqueued()).await;
    }

    async fn claim(&self, room: Room) -> Vec<OutboxRow> {
        if room.for_lane(Lane::Code) == 0 {
            return Vec::new();
        }
        if !self.rooms.dispatch.is_up() {
            // Trying row by row what cannot leave would only fill the log.
            sleep(DOWN).await;
            return Vec::new();
        }
        let until = self.rooms.store.now().plus(LEASE);
        match self.rooms.store.claim_within(&self.holder, until, room).await {
            Ok(rows) => rows,
            Err(error) => {
                tracing::warn!(%error, "nothing could be claimed");
                sleep(IDLE).await;
                Vec::new()
            }
        }
    }

    async fn deliver(&self, row: OutboxRow) {
        let permit = match self.rooms.access.for_delivery(row.clone()).await {
            Ok(permit) => permit,
            Err(Denied::Store(error)) => return tracing::warn!(%error, "left to its lease"),
            Err(denied) => return self.refuse(&row, reason(&denied)).await,
        };
        let fate = self.attempt(&permit, &row).await;
        self.record(&permit, &row, fate).await;
    }

    async fn attempt(&self, permit: &Permit<Delivery>, row: &OutboxRow) -> Fate {
        let letter = match row.task {
            Task::Code(..) => self.code(permit, row).await,
            Task::Message(id) => self.message(row, id).await,
            Task::Ask(id) => return self.ask(permit, row, id).await,
        };
        let Letter { to, from, text, class, life, registration } = match letter {
            Ok(letter) => letter,
            Err(fate) => return fate,
        };
        let registration = registration.as_ref();
        let parcel = Parcel { to, from, text: &text, class, life: Some(life), registration };
        match self.rooms.dispatch.send(permit, &parcel).await {
            Ok(sent) => Fate::Sent(sent),
            Err(error) => fate(error, row.attempts),
        }
    }

    async fn code(&self, permit: &Permit<Delivery>, row: &OutboxRow) -> Result<Letter, Fate> {
        match self.rooms.verify.code_message(row, permit).await {
            Ok(Some(code)) => {
                let (to, from) = (To::Person(code.record), From::House);
                let (class, life) = (Class::Code, code.life);
                Ok(Letter { to, from, text: code.text, class, life, registration: None })
            }
            Ok(None) => Err(Fate::Pointless),
            Err(VerifyError::NotFound) => Err(Fate::Pointless),
            Err(error) => Err(later("code_not_ready", &error, row.attempts)),
        }
    }

    async fn message(&self, row: &OutboxRow, id: ids::MessageId) -> Result<Letter, Fate> {
        let not_ready = |error: StoreError| later("store_not_ready", &error, row.attempts);
        let message = self.rooms.store.message(row.tenant, id).await.map_err(not_ready)?;
        let Some(MessageRow { alias, from, to, body, class, expires_at, asked, .. }) = message else {
            return Err(Fate::Never("gone".to_owned()));
        };
        let now = self.rooms.store.now();
        let body = body.filter(|_| expires_at > now);
        let Some(body) = body else { return Err(Fate::Never("expired".to_owned())) };
        let keys = self.rooms.keyring.tenant(row.tenant).await;
        let keys = keys.map_err(|error| later("keys_not_ready", &error, row.attempts))?;
        let text = keys.open_text(BODY, &ids::bytes(&id), &body).map_err(|_| Fate::Never("unreadable".to_owned()))?;
        let to = match (to, alias) {
            (Recipient::Person(record), _) => To::Person(record),
            // Without an alias the number is sealed for the message itself.
            (Recipient::Stranger(sealed), alias) => {
                To::Stranger(alias.unwrap_or(ids::from_bytes(ids::bytes(&id))), sealed)
            }
        };
        let from = match from {
            Shown::Number(number) => From::Pool(number),
            Shown::House => From::House,
            Shown::Sender(sender) => From::Sender(sender),
        };
        let registration = asked.and_then(|asked| asked.registration);
        Ok(Letter { to, from, text, class, life: now.until(expires_at), registration })
    }
}

fn fate(error: DispatchError, attempts: u32) -> Fate {
    let wait = wait(attempts);
    match error {
        DispatchError::Throttled { retry_after } => {
            Fate::Later { reason: "throttled", wait: wait.max(retry_after.min(LONGEST_WAIT)) }
        }
        // Nothing was tried, and claims wait for a link by themselves: once there is one, all go at once.
        DispatchError::Unavailable => Fate::Later { reason: "unavailable", wait: wait.min(SHORT_WAIT) },
        DispatchError::Unconfirmed => Fate::Later { reason: "unconfirmed", wait },
        DispatchError::NotReady(fault) => later("not_ready", &fault, attempts),
        DispatchError::Refused { reason } => Fate::Never(reason),
        DispatchError::NoRoute => Fate::Never("unroutable".to_owned()),
        DispatchError::Gone => Fate::Never("gone".to_owned()),
    }
}

fn later(reason: &'static str, fault: &dyn std::fmt::Display, attempts: u32) -> Fate {
    tracing::warn!(reason, %fault, "will be tried again");
    Fate::Later { reason, wait: wait(attempts) }
}

fn wait(attempts: u32) -> Duration {
    let [spread] = crate::crypto::random();
    backoff::wait(attempts, spread)
}

const fn reason(denied: &Denied) -> &'static str {
    match denied {
        Denied::Frozen => "frozen",
        Denied::Suppressed => "suppressed",
        _ => "not_permitted",
    }
}

/// The deliveries under way, by lane.
#[derive(Default)]
struct UnderWay {
    tasks: JoinSet<()>,
    lanes: HashMap<tokio::task::Id, Lane>,
}

impl UnderWay {
    /// What else may begin.
    fn room(&self) -> Room {
        self.lanes.values().fold(WIDTH, |room, lane| room.less(*lane, 1))
    }

    fn add(&mut self, lane: Lane, delivery: impl Future<Output = ()> + Send + 'static) {
        let id = self.tasks.spawn(delivery).id();
        self.lanes.insert(id, lane);
    }

    /// Resolves when one is over; none if none is under way.
    async fn next(&mut self) -> Option<()> {
        let done = self.tasks.join_next_with_id().await?;
        self.over(done);
        Some(())
    }

    /// Takes note of all that are over by now.
    fn settle(&mut self) {
        while let Some(done) = self.tasks.try_join_next_with_id() {
            self.over(done);
        }
    }

    fn over(&mut self, done: Result<(tokio::task::Id, ()), tokio::task::JoinError>) {
        let id = match &done {
            Ok((id, ())) => *id,
            Err(error) => error.id(),
        };
        self.lanes.remove(&id);
        if let Err(error) = done {
            tracing::error!(%error, "a delivery broke off; its row is left to the lease");
        }
    }
}

/// Deliveries under way: so many in all, so many that are no codes, so many of marketing. A campaign that a slow carrier
/// holds up leaves places for what a person waits for, and both leave places for codes.
const WIDTH: Room = Room::bounded(144, 128, 64);
/// How long a claimed row is this worker's: longer than a carrier may take.
const LEASE: Duration = Duration::from_secs(60);
/// How long what is under way may take to finish at the end.
const DRAIN: Duration = Duration::from_secs(10);
/// The longest wait without looking.
const IDLE: Duration = Duration::from_secs(1);
/// How often it is asked whether a carrier is up again.
const DOWN: Duration = Duration::from_millis(100);
/// The shortest.
const BREATH: Duration = Duration::from_millis(5);
/// The longest wait of what no carrier was tried with.
const SHORT_WAIT: Duration = Duration::from_secs(2);
/// No carrier puts a message off for longer.
const LONGEST_WAIT: Duration = Duration::from_secs(300);
