//! The inbox: finds the leg that a message takes, and makes what has to be carried durable before it is acknowledged.
//!
//! One message is one commit: sealed body, outbox row and event. A part of a longer message is a commit of its own
//! until the last one, which carries the whole. Whatever is not carried leaves `message.dropped` with its reason.
//! Messages of one writer to one X take turns, so that they stay in the order in which the carrier brought them.

mod carry;
mod parts;
mod passage;
mod senders;
mod turns;
mod writer;

use async_trait::async_trait;
use zeroize::Zeroizing;

pub(super) use turns::Turns;
use writer::Writer;

use super::Relay;
use crate::carrier::{Accepted, Inbox, InboxError, Incoming, LinkChange, Receipt};
use crate::event::{Actor, Event, Mode, What};
use crate::ids::{AliasId, TenantId};
use crate::keyring::KeyError;
use crate::message::Encoded;
use crate::phone::VirtualNumber;
use crate::store::{Change, Conflict, StoreError, Write};

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
}

/// Why a message was not carried.
enum Halt {
    /// A rule said no.
    Refused(Refusal),
    /// Somebody else assembled it, or took the sender's tag: look again.
    Taken,
    /// It could not be made durable.
    Failed(String),
}

/// A rule's no, as the event tells it.
struct Refusal {
    reason: &'static str,
    tenant: Option<TenantId>,
    alias: Option<AliasId>,
}

#[async_trait]
impl Inbox for Relay {
    async fn message(&self, incoming: Incoming) -> Result<Accepted, InboxError> {
        let Incoming { carrier, id: _, from, to, body, part, only } = incoming;
        let pool = self.pools.of(to).await.map_err(not_durable)?.filter(|pool| pool.carrier == carrier);
        let Some(pool) = pool else {
            let refusal = Refusal { reason: "not_ours", tenant: only, alias: None };
            return self.refuse(&carrier, to, refusal, Vec::new()).await.map_err(Halt::into_inbox);
        };
        let writer = Writer::new(from, pool.id, &carrier, &self.keyring.system());
        let envelope = Envelope { carrier, to, writer, only, owner: pool.tenant, mode: pool.mode };
        let _turn = self.order.take(&envelope.writer.index).await;
        let done = match part {
            None => self.settle_whole(&envelope, &body).await,
            Some(part) => self.gather(&envelope, part, body).await,
        };
        done.map_err(Halt::into_inbox)
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
    /// What takes its parts out of the store.
    writes: Vec<Write>,
}

impl Content {
    fn whole(body: &Encoded) -> Self {
        Self { text: body.to_text().ok(), parts: 1, writes: Vec::new() }
    }
}

impl Relay {
    /// Carries a message that came in one. Another process may give out the same tag of an alias: then once more.
    async fn settle_whole(&self, envelope: &Envelope, body: &Encoded) -> Result<Accepted, Halt> {
        for _ in 0..MAX_TRIES {
            match self.settle(envelope, Content::whole(body)).await {
                Err(Halt::Taken) => {}
                settled => return settled,
            }
        }
        Err(Halt::Taken)
    }

    /// Carries a whole message or records why not: one commit either way.
    async fn settle(&self, envelope: &Envelope, content: Content) -> Result<Accepted, Halt> {
        let Content { text, parts, writes } = content;
        let crossing = match self.decide(envelope, text, parts).await {
            Ok(crossing) => crossing,
            Err(Halt::Refused(refusal)) => return self.refuse(&envelope.carrier, envelope.to, refusal, writes).await,
            Err(halt) => return Err(halt),
        };
        let mut change = crossing.change;
        change.writes.splice(0..0, writes);
        self.store.commit(change).await?;
        if let Some(print) = crossing.print {
            self.echoes.carried(print, self.store.now());
        }
        Ok(crossing.accepted)
    }

    /// Records that a message was not carried; `writes` take its parts out of the store.
    async fn refuse(
        &self,
        carrier: &str,
        number: VirtualNumber,
        refusal: Refusal,
        writes: Vec<Write>,
    ) -> Result<Accepted, Halt> {
        let what = What::MessageDropped { number, alias: refusal.alias, reason: refusal.reason.to_owned() };
        let mut change = Change::telling(self.told_by(carrier, refusal.tenant, None, what));
        change.writes = writes;
        self.store.commit(change).await?;
        Ok(Accepted::Dropped)
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

fn not_durable(error: StoreError) -> InboxError {
    InboxError(error.to_string())
}

impl Halt {
    fn refused(reason: &'static str, tenant: Option<TenantId>, alias: Option<AliasId>) -> Self {
        Self::Refused(Refusal { reason, tenant, alias })
    }

    /// What the carrier learns: that it has to keep the message. Refusals were recorded before they get here.
    fn into_inbox(self) -> InboxError {
        match self {
            Self::Failed(fault) => InboxError(fault),
            Self::Taken => InboxError("somebody else is at it".to_owned()),
            Self::Refused(refusal) => InboxError(refusal.reason.to_owned()),
        }
    }
}

impl From<StoreError> for Halt {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict(Conflict::Taken) => Self::Taken,
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
