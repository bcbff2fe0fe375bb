//! What becomes of a stranger's message once the tenant was asked: it is carried on, answered, or dropped.

use zeroize::Zeroizing;

use super::{BODY, Relay};
use crate::access::{Delivery, Permit};
use crate::alias::leg;
use crate::event::What;
use crate::guard::suppression::stops;
use crate::ids;
use crate::message::{Alphabet, code, segments};
use crate::store::{
    AliasRow, AliasStatus, Change, Class, CrossingWrite, DeliveryStatus, Lane, MessageRow, OutboxRow, Recipient,
    StoreError, Task, Write,
};

/// The tenant's word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The stranger hears nothing.
    Drop,
    /// The stranger gets this text, from the number written to.
    Reply(String),
    /// The message goes to the alias's person.
    Relay,
}

impl Relay {
    /// Does what the tenant said of a parked message, in one commit with the end of the question. What the tenant may not
    /// ask for (an alias that is over, a person who said STOP, a text that is too long) is a drop.
    ///
    /// # Errors
    /// If it could not be made durable: the question comes again.
    pub async fn settle_parked(
        &self,
        permit: &Permit<Delivery>,
        row: &OutboxRow,
        message: MessageRow,
        alias: &AliasRow,
        verdict: Verdict,
    ) -> Result<(), StoreError> {
        let change = match verdict {
            Verdict::Relay => self.carrying_parked(permit, &message, alias).await?,
            Verdict::Reply(text) => self.answering_parked(permit, &message, alias, text).await?,
            Verdict::Drop => None,
        };
        let change = change.unwrap_or_else(|| self.dropping_parked(permit, &message, alias));
        self.store.commit(change.with(Write::Dequeue(row.id))).await.map(|_| ())
    }

    fn dropping_parked(&self, permit: &Permit<Delivery>, message: &MessageRow, alias: &AliasRow) -> Change {
        let number = message.from.number().unwrap_or(alias.number);
        let what = What::MessageDropped { number, alias: Some(alias.id), reason: "unknown_sender".to_owned() };
        let (tenant, task, status) = (message.tenant, Task::Message(message.id), DeliveryStatus::Rejected);
        Change::telling(permit.event(self.store.now(), what)).with(Write::SetDelivery { tenant, task, status })
    }

    /// To A, from the number that A sees on this alias.
    async fn carrying_parked(
        &self,
        permit: &Permit<Delivery>,
        message: &MessageRow,
        alias: &AliasRow,
    ) -> Result<Option<Change>, StoreError> {
        let now = self.store.now();
        let is_over = alias.status != AliasStatus::Active || alias.expires_at.is_some_and(|end| end <= now);
        let (Some(body), false) = (&message.body, is_over) else { return Ok(None) };
        let (Ok(person), Ok(keys)) =
            (self.people.known(alias.tenant, alias.a.record).await, self.keyring.tenant(alias.tenant).await)
        else {
            return Ok(None);
        };
        let shown = leg::number_of(alias, &alias.a);
        if stops(&self.store.suppressed(alias.tenant, person.index).await?, Class::Relay, Some(shown)) {
            return Ok(None);
        }
        let Ok(text) = keys.open_text(BODY, &ids::bytes(&message.id), body) else { return Ok(None) };
        let what = What::MessageReceived {
            message: message.id,
            alias: alias.id,
            subject: person.subject,
            sender: message.sender.clone(),
            parts: message.parts.into(),
        };
        let lane = if code::find(&text).is_some() { Lane::Code } else { Lane::Notice };
        let (tenant, id, to) = (alias.tenant, message.id, Recipient::Person(alias.a.record));
        let conversation = self.conversation(shown.digits(), &alias.a.index);
        let next = outbox(permit, message.id, lane, conversation, now);
        Ok(Some(
            Change::telling(permit.event(now, what))
                .with(Write::Crossing(CrossingWrite::Redirect { tenant, id, to, shown }))
                .with(Write::Enqueue(next)),
        ))
    }

    /// To the stranger, whose message ends here.
    async fn answering_parked(
        &self,
        permit: &Permit<Delivery>,
        message: &MessageRow,
        alias: &AliasRow,
        text: String,
    ) -> Result<Option<Change>, StoreError> {
        let (text, now, id) = (Zeroizing::new(text), self.store.now(), ids::fresh());
        let Recipient::Stranger(sealed) = &message.to else { return Ok(None) };
        if text.trim().is_empty() || segments(&text, Alphabet::Gsm7, 0).is_err() {
            return Ok(None);
        }
        let Ok(keys) = self.keyring.tenant(alias.tenant).await else { return Ok(None) };
        let Ok(number) = keys.open_stranger(&ids::bytes(&alias.id), sealed) else { return Ok(None) };
        let person = keys.index(&number);
        let shown = message.from.number().unwrap_or(alias.number);
        if stops(&self.store.suppressed(alias.tenant, person).await?, Class::Relay, Some(shown)) {
            return Ok(None);
        }
        let index = self.keyring.system().pool_index(alias.pool, &number);
        let answer = MessageRow {
            id,
            sender: "tenant".to_owned(),
            body: Some(keys.seal_text(BODY, &ids::bytes(&id), &text)),
            disclosed: None,
            parts: 1,
            created_at: now,
            expires_at: now.plus(super::accept::BODY_LIFE),
            ..message.clone()
        };
        let change = self.dropping_parked(permit, message, alias);
        let next = outbox(permit, id, Lane::Notice, self.conversation(shown.digits(), &index), now);
        Ok(Some(change.with(Write::Message(Box::new(answer))).with(Write::Enqueue(next))))
    }
}

fn outbox(
    permit: &Permit<Delivery>,
    message: ids::MessageId,
    lane: Lane,
    conversation: crate::store::BlindIndex,
    due: crate::clock::Timestamp,
) -> OutboxRow {
    OutboxRow {
        id: ids::fresh(),
        tenant: permit.tenant(),
        task: Task::Message(message),
        lane,
        conversation,
        credential: None,
        policy: permit.policy().to_owned(),
        due,
        attempts: 0,
    }
}
