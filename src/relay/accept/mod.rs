//! The inbox: finds the way that a message takes, and makes what has to be carried durable before it is acknowledged.
//!
//! One message is one commit: sealed body, outbox row and event. A part of a longer message is a commit of its own
//! until the last one, which carries the whole. Whatever is not carried leaves `message.dropped` with its reason, and
//! its writer is told where that is polite. Messages of one writer to one X take turns, so that they stay in the order in
//! which the carrier brought them; one that its carrier names by an id of its own is taken once.

mod call;
mod carry;
mod content;
mod dial;
mod outgoing;
mod parts;
mod passage;
mod reply;
mod senders;
mod spend;
mod stop;
mod stranger;
mod turns;
mod writer;

use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::MutexGuard;
use zeroize::Zeroizing;

pub(super) use outgoing::BODY_LIFE;
pub(super) use turns::Turns;
use writer::Writer;

use super::phrases::Say;
use super::{Relay, lately};
use crate::carrier::{
    Accepted, CallPlan, CallProgress, Inbox, InboxError, Incoming, IncomingCall, LinkChange, Receipt,
};
use crate::event::{Actor, Event, Mode, What};
use crate::ids::{AliasId, TenantId};
use crate::keyring::KeyError;
use crate::message::Encoded;
use crate::phone::VirtualNumber;
use crate::store::{Change, Conflict, CrossingWrite, Mark, PoolRow, StoreError, Write};
use crate::telemetry;

/// Who wrote to which X, by which carrier.
struct Envelope {
    carrier: String,
    to: VirtualNumber,
    writer: Writer,
    /// Only legs of this tenant count.
    only: Option<TenantId>,
    /// Whose pool X is in.
    owner: TenantId,
    /// Live or test, as that pool.
    mode: Mode,
    /// The carrier's own name of it, keyed.
    heard: Option<Mark>,
}

/// Why a message was not carried.
enum Halt {
    /// A rule said no.
    Refused(Refusal),
    /// Somebody else assembled it, or took the sender's tag: look again.
    Taken,
    /// The carrier brought it before.
    Heard,
    /// It could not be made durable.
    Failed(String),
}

/// A rule's no, as the event tells it.
struct Refusal {
    reason: &'static str,
    tenant: Option<TenantId>,
    alias: Option<AliasId>,
    /// What the writer is told, once a day.
    say: Option<Say>,
}

/// A decision, ready to be committed.
struct Decision<'a> {
    change: Change,
    accepted: Accepted,
    /// Counted against loops once it is durable.
    print: Option<lately::Print>,
    /// Nobody else gives out a tag of this alias until the commit.
    _tags: Option<MutexGuard<'a, ()>>,
}

#[async_trait]
impl Inbox for Relay {
    async fn message(&self, incoming: Incoming) -> Result<Accepted, InboxError> {
        let Incoming { carrier, id, from, to, body, part, only } = incoming;
        let Some(pool) = self.pools.of(to, &carrier).await.map_err(not_durable)? else {
            return self.refuse_foreign(&carrier, to, only).await.map_err(Halt::into_inbox);
        };
        let envelope = self.envelope(carrier, to, from, &pool, (only, id.as_deref()));
        let _turn = self.order.take(&envelope.writer.index).await;
        let done = match part {
            None => self.settle_whole(&envelope, &body).await,
            Some(part) => self.gather(&envelope, part, body).await,
        };
        match done {
            Err(Halt::Heard) => self.refuse_repeated(&envelope).await,
            done => done,
        }
        .map_err(Halt::into_inbox)
    }

    async fn receipt(&self, receipt: Receipt) -> Result<(), InboxError> {
        self.record_receipt(receipt).await.map_err(not_durable)
    }

    async fn link(&self, carrier: &str, link: &str, change: LinkChange) {
        let (carrier_name, link) = (carrier.to_owned(), link.to_owned());
        let what = match change {
            LinkChange::Up => What::CarrierUp { carrier: carrier_name, link },
            LinkChange::Down(reason) => What::CarrierDown { carrier: carrier_name, link, reason },
        };
        let event = self.told_by(carrier, None, None, what);
        if let Err(error) = self.store.commit(Change::telling(event)).await {
            tracing::warn!(%error, "a link's change could not be recorded");
        }
    }

    async fn call(&self, call: IncomingCall) -> Result<CallPlan, InboxError> {
        self.answer_call(call).await
    }

    async fn call_progress(&self, progress: CallProgress) -> Result<(), InboxError> {
        self.note_progress(progress).await.map_err(not_durable)
    }

    async fn malformed(&self, carrier: &str, fault: &str) {
        let told = self.malformed.count(carrier, fault, self.store.now());
        self.tell_malformed(told).await;
    }
}

/// A whole message, ready to be carried.
struct Content {
    /// None if its octets spell no text.
    text: Option<Zeroizing<String>>,
    /// Parts it came in.
    parts: u32,
    /// What takes its parts out of the store, and notes that it came.
    writes: Vec<Write>,
}

impl Content {
    fn whole(body: &Encoded, heard: Option<Write>) -> Self {
        Self { text: body.to_text().ok(), parts: 1, writes: heard.into_iter().collect() }
    }
}

impl Relay {
    fn envelope(
        &self,
        carrier: String,
        to: VirtualNumber,
        from: crate::carrier::Origin,
        pool: &PoolRow,
        (only, id): (Option<TenantId>, Option<&str>),
    ) -> Envelope {
        let keys = self.keyring.system();
        let heard = id.map(|id| Mark(keys.conversation(&[b"heard", carrier.as_bytes(), b"\n", id.as_bytes()])));
        let writer = Writer::new(from, pool.id, &carrier, &keys);
        Envelope { carrier, to, writer, only, owner: pool.tenant, mode: pool.mode, heard }
    }

    /// Carries a message that came in one. Another process may give out the same tag of an alias: then once more.
    async fn settle_whole(&self, envelope: &Envelope, body: &Encoded) -> Result<Accepted, Halt> {
        for _ in 0..MAX_TRIES {
            let content = Content::whole(body, self.hearing(envelope));
            match self.settle(envelope, content).await {
                Err(Halt::Taken) => {}
                settled => return settled,
            }
        }
        Err(Halt::Taken)
    }

    /// Carries a whole message or records why not: one commit either way.
    async fn settle(&self, envelope: &Envelope, content: Content) -> Result<Accepted, Halt> {
        let Content { text, parts, writes } = content;
        let decision = match self.decide(envelope, text, parts).await {
            Err(Halt::Refused(refusal)) => self.refusing(envelope, refusal).await?,
            decided => decided?,
        };
        self.perform(envelope, decision, writes).await
    }

    /// Records that a part is not kept.
    async fn refuse_part(&self, envelope: &Envelope, refusal: Refusal) -> Result<Accepted, Halt> {
        let decision = self.refusing(envelope, refusal).await?;
        let writes = self.hearing(envelope).into_iter().collect();
        self.perform(envelope, decision, writes).await
    }

    /// Makes a decision durable.
    async fn perform(&self, envelope: &Envelope, decision: Decision<'_>, writes: Vec<Write>) -> Result<Accepted, Halt> {
        let mut change = decision.change;
        change.writes.splice(0..0, writes);
        let why = change.events.iter().find_map(reason);
        let tenant = change.events.first().and_then(|event| event.tenant);
        let near = self.store.commit(change).await?.near;
        self.tell_near(&envelope.carrier, tenant, near).await;
        if let Some(why) = why {
            telemetry::metrics().messages_dropped.with_label_values(&[&why]).inc();
        }
        if let Some(print) = decision.print {
            self.echoes.happened(print, self.store.now());
        }
        Ok(decision.accepted)
    }

    /// Notes a carrier's id of a message, in the commit that makes the message durable.
    fn hearing(&self, envelope: &Envelope) -> Option<Write> {
        let until = self.store.now().plus(HEARD);
        envelope.heard.map(|mark| Write::Crossing(CrossingWrite::Hear { mark, until }))
    }

    /// The carrier brought a message again under the same id: it is not carried again.
    async fn refuse_repeated(&self, envelope: &Envelope) -> Result<Accepted, Halt> {
        let refusal = Refusal { reason: "repeated", tenant: envelope.only, alias: None, say: None };
        let event = self.dropped(&envelope.carrier, envelope.to, &refusal);
        self.store.commit(Change::telling(event)).await?;
        Ok(Accepted::Dropped)
    }

    /// X is in no pool whose numbers this carrier brings messages for.
    async fn refuse_foreign(&self, carrier: &str, to: VirtualNumber, only: Option<TenantId>) -> Result<Accepted, Halt> {
        let refusal = Refusal { reason: "not_ours", tenant: only, alias: None, say: None };
        self.store.commit(Change::telling(self.dropped(carrier, to, &refusal))).await?;
        Ok(Accepted::Dropped)
    }

    fn dropped(&self, carrier: &str, number: VirtualNumber, refusal: &Refusal) -> Event {
        let what = What::MessageDropped { number, alias: refusal.alias, reason: refusal.reason.to_owned() };
        self.told_by(carrier, refusal.tenant, None, what)
    }

    /// Tells the sums of malformed traffic of seconds that are over. For `worker::expire`.
    pub async fn settle_malformed(&self) {
        let told = self.malformed.settle(self.store.now());
        self.tell_malformed(told).await;
    }

    async fn tell_malformed(&self, told: Vec<super::tally::Told>) {
        for told in told {
            let what = What::CarrierMalformed { carrier: told.carrier.clone(), fault: told.fault };
            let event = self.told_by(&told.carrier, None, None, what);
            if let Err(error) = self.store.commit(Change::telling(event)).await {
                tracing::warn!(%error, "malformed traffic could not be recorded");
            }
        }
    }

    /// An event that a carrier's message brought about.
    fn told_by(&self, carrier: &str, tenant: Option<TenantId>, policy: Option<String>, what: What) -> Event {
        Event { at: self.store.now(), tenant, actor: Actor::Carrier { name: carrier.to_owned() }, policy, what }
    }
}

/// Why a message is not carried, if the event tells of that.
fn reason(event: &Event) -> Option<String> {
    match &event.what {
        What::MessageDropped { reason, .. } => Some(reason.clone()),
        _ => None,
    }
}

fn not_durable(error: StoreError) -> InboxError {
    InboxError(error.to_string())
}

impl Refusal {
    /// The same, and the writer is told.
    const fn saying(mut self, say: Say) -> Self {
        self.say = Some(say);
        self
    }
}

impl Halt {
    fn refused(reason: &'static str, tenant: Option<TenantId>, alias: Option<AliasId>) -> Self {
        Self::Refused(Refusal { reason, tenant, alias, say: None })
    }

    /// What the carrier learns: that it has to keep the message. Refusals were recorded before they get here.
    fn into_inbox(self) -> InboxError {
        match self {
            Self::Failed(fault) => InboxError(fault),
            Self::Taken | Self::Heard => InboxError("somebody else is at it".to_owned()),
            Self::Refused(refusal) => InboxError(refusal.reason.to_owned()),
        }
    }
}

impl From<StoreError> for Halt {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict(Conflict::Taken) => Self::Taken,
            StoreError::Conflict(Conflict::Heard) => Self::Heard,
            error => Self::Failed(error.to_string()),
        }
    }
}

impl From<KeyError> for Halt {
    fn from(error: KeyError) -> Self {
        Self::Failed(error.to_string())
    }
}

/// How often a message is decided about anew when another process was faster.
const MAX_TRIES: usize = 4;
/// How long a carrier's id of a message is remembered.
const HEARD: Duration = Duration::from_secs(24 * 3_600);
