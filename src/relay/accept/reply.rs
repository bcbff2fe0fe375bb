//! What the house itself answers to a writer: politely, once a day, and never so that it could be used against somebody.
//!
//! Only numbers that may be mobile are answered. What is said once a day is marked in the store, so that no restart and
//! no other process says it again; beside that a writer gets a bounded number of such texts a day, whatever the reason,
//! since the sender of a message can be forged.

use std::time::Duration;

use super::outgoing::BODY_LIFE;
use super::{Decision, Envelope, Halt, Refusal};
use crate::carrier::Accepted;
use crate::ids::{self, AliasId, MessageId, TenantId};
use crate::phone::PhoneNumber;
use crate::relay::phrases::{self, Say};
use crate::relay::{BODY, Relay, lately};
use crate::store::{
    Change, Class, CrossingWrite, DeliveryStatus, Lane, Mark, MessageRow, OutboxRow, Progress, Recipient, Sealed,
    Shown, Task, Write,
};

/// In whose name the house speaks.
pub(super) type Speaker = (TenantId, Option<AliasId>);

impl Relay {
    /// The decision not to carry a message, with what its writer is told.
    pub(super) async fn refusing(&self, envelope: &Envelope, refusal: Refusal) -> Result<Decision<'_>, Halt> {
        let change = Change::telling(self.dropped(&envelope.carrier, envelope.to, &refusal));
        let speaker = (refusal.tenant.unwrap_or(envelope.owner), refusal.alias);
        let change = match refusal.say {
            Some(say) => self.saying_once(change, envelope, speaker, say).await?,
            None => change,
        };
        Ok(Decision { change, accepted: Accepted::Dropped, print: None, _tags: None })
    }

    /// Adds a text that this writer gets from this number once a day.
    async fn saying_once(
        &self,
        change: Change,
        envelope: &Envelope,
        speaker: Speaker,
        say: Say,
    ) -> Result<Change, Halt> {
        let (tenant, x) = (ids::bytes(&speaker.0), envelope.to.digits().to_be_bytes());
        let key: [&[u8]; 5] = [b"told", &[say as u8], &tenant, &x, &envelope.writer.index.0];
        let mark = Mark(self.keyring.system().conversation(&key));
        if !envelope.writer.may_be_mobile() || self.store.is_marked(mark).await? {
            return Ok(change);
        }
        let until = self.store.now().plus(ONCE);
        let change = self.saying(change, envelope, speaker, say).await?;
        Ok(change.with(Write::Crossing(CrossingWrite::Tell { mark, until })))
    }

    /// Adds a text in the language of the writer, unless the writer had too many today.
    pub(super) async fn saying(
        &self,
        change: Change,
        envelope: &Envelope,
        speaker: Speaker,
        say: Say,
    ) -> Result<Change, Halt> {
        let print = self.reply_print(envelope, speaker.0);
        let now = self.store.now();
        if !envelope.writer.may_be_mobile() || self.replies.is_full(&print, now) {
            return Ok(change);
        }
        self.replies.happened(print, now);
        self.replying(change, envelope, speaker, phrases::text(say, &envelope.writer.country())).await
    }

    fn reply_print(&self, envelope: &Envelope, tenant: TenantId) -> lately::Print {
        self.keyring.system().fingerprint(&[b"reply", &ids::bytes(&tenant), &envelope.writer.index.0])
    }

    /// Adds a text of the house to whoever wrote, from the number that was written to.
    pub(super) async fn replying(
        &self,
        change: Change,
        envelope: &Envelope,
        (tenant, alias): Speaker,
        text: &str,
    ) -> Result<Change, Halt> {
        let Some(number) = envelope.writer.number() else { return Ok(change) };
        let (id, now) = (ids::fresh(), self.store.now());
        // Politeness keeps no message unacknowledged.
        let Ok(keys) = self.keyring.tenant(tenant).await else { return Ok(change) };
        let message = MessageRow {
            id,
            tenant,
            alias,
            sender: "service".to_owned(),
            from: Shown::Number(envelope.to),
            class: Class::Relay,
            to: Recipient::Stranger(self.seal_for(&keys, number, alias, id)),
            body: Some(keys.seal_text(BODY, &ids::bytes(&id), text)),
            disclosed: None,
            status: DeliveryStatus::Queued,
            parts: 1,
            created_at: now,
            asked: None,
            progress: Progress::default(),
            expires_at: now.plus(BODY_LIFE),
        };
        let row = OutboxRow {
            id: ids::fresh(),
            tenant,
            task: Task::Message(id),
            lane: Lane::Notice,
            conversation: self.conversation(envelope.to.digits(), &envelope.writer.index),
            credential: None,
            policy: self.access.upkeep(tenant).policy().to_owned(),
            due: now,
            attempts: 0,
        };
        Ok(change.with(Write::Message(Box::new(message))).with(Write::Enqueue(row)))
    }

    /// A writer's number, sealed for its alias; for the message itself where no alias is known.
    pub(super) fn seal_for(
        &self,
        keys: &crate::keyring::TenantKeys,
        number: &PhoneNumber,
        alias: Option<AliasId>,
        message: MessageId,
    ) -> Sealed {
        match alias {
            Some(alias) => keys.seal_stranger(&ids::bytes(&alias), number),
            None => keys.seal_stranger(&ids::bytes(&message), number),
        }
    }
}

/// What is said once is said again after so long.
const ONCE: Duration = Duration::from_secs(24 * 3_600);
