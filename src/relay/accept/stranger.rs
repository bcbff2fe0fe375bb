//! Messages from those who have no leg: dropped, answered once a day, or put to the tenant, as the alias says.
//!
//! What is put to the tenant is parked as a sealed message, and asked about by `worker::ask` after the carrier was
//! acknowledged; [`Relay::relay_parked`] carries it on if the tenant says so.

use zeroize::Zeroizing;

use super::outgoing::BODY_LIFE;
use super::passage::Passage;
use super::{Decision, Envelope, Halt, Refusal};
use crate::carrier::Accepted;
use crate::event::What;
use crate::ids;
use crate::relay::phrases::Say;
use crate::relay::{BODY, Relay};
use crate::store::{
    AliasRow, AliasStatus, Change, Class, DISCLOSED, DeliveryStatus, Lane, LegKey, LegRow, LegTarget, MessageRow,
    OutboxRow, Progress, Recipient, Sealed, Shown, Task, Unknown, Write,
};

impl Relay {
    /// Decides about a message that has no leg. `alias` is the one that is alone on X, or was last.
    pub(super) async fn unknown(
        &self,
        envelope: &Envelope,
        alias: Option<AliasRow>,
        text: Option<Zeroizing<String>>,
        parts: u32,
    ) -> Result<Decision<'_>, Halt> {
        let refusal = self.unknown_refusal(envelope, alias.as_ref());
        let Some(alias) = alias.filter(|alias| !self.is_over(alias)) else {
            return self.refusing(envelope, refusal).await;
        };
        match (alias.unknown, text) {
            (Unknown::Webhook, Some(text)) => self.parking(envelope, alias, text, parts).await,
            _ => {
                let mut decision = self.refusing(envelope, refusal).await?;
                decision.change = decision.change.and_telling(self.unknown_sender(envelope, &alias, None).await?);
                Ok(decision)
            }
        }
    }

    /// Why a message without a leg is not carried, and what its writer is told.
    pub(super) fn unknown_refusal(&self, envelope: &Envelope, alias: Option<&AliasRow>) -> Refusal {
        let tenant = alias.map_or(envelope.only.unwrap_or(envelope.owner), |alias| alias.tenant);
        let is_over = alias.is_some_and(|alias| self.is_over(alias));
        let reason = if is_over { "alias_expired" } else { "unknown_sender" };
        let is_silent = alias.is_some_and(|alias| alias.unknown == Unknown::Drop);
        let say = (!is_silent).then_some(Say::NotConnected);
        Refusal { reason, tenant: Some(tenant), alias: alias.map(|alias| alias.id), say }
    }

    pub(super) fn is_over(&self, alias: &AliasRow) -> bool {
        alias.status != AliasStatus::Active || alias.expires_at.is_some_and(|end| end <= self.store.now())
    }

    async fn unknown_sender(
        &self,
        envelope: &Envelope,
        alias: &AliasRow,
        message: Option<ids::MessageId>,
    ) -> Result<crate::event::Event, Halt> {
        let keys = self.keyring.tenant(alias.tenant).await?;
        let subject = envelope.writer.number().map(|number| keys.subject(keys.index(number)));
        let sender = envelope.writer.kind().to_owned();
        let what = What::UnknownSender { alias: alias.id, sender, subject, message };
        Ok(self.told_by(&envelope.carrier, Some(alias.tenant), None, what))
    }

    /// Keeps the message until the tenant was asked what to do with it.
    async fn parking(
        &self,
        envelope: &Envelope,
        alias: AliasRow,
        text: Zeroizing<String>,
        parts: u32,
    ) -> Result<Decision<'_>, Halt> {
        let passage = self.invited(envelope, alias)?;
        self.check_content(envelope, &passage, &text)?;
        let (id, now, alias) = (ids::fresh(), self.store.now(), &passage.alias);
        let code = crate::message::code::find(&text);
        let disclosed = self.disclosed(&passage, &text, code.as_ref()).await?;
        let keys = self.keyring.tenant(alias.tenant).await?;
        let number = envelope.writer.number().map(|number| self.seal_for(&keys, number, Some(alias.id), id));
        let message = MessageRow {
            id,
            tenant: alias.tenant,
            alias: Some(alias.id),
            sender: envelope.writer.kind().to_owned(),
            from: Shown::Number(envelope.to),
            class: Class::Relay,
            to: Recipient::Stranger(number.unwrap_or(Sealed(Vec::new()))),
            body: Some(keys.seal_text(BODY, &ids::bytes(&id), &text)),
            disclosed: disclosed.map(|json| keys.seal_text(DISCLOSED, &ids::bytes(&id), &json)),
            status: DeliveryStatus::Queued,
            parts,
            created_at: now,
            asked: None,
            progress: Progress::default(),
            expires_at: now.plus(BODY_LIFE),
        };
        let row = OutboxRow {
            id: ids::fresh(),
            tenant: alias.tenant,
            task: Task::Ask(id),
            lane: Lane::Notice,
            // One question at a time about one writer.
            conversation: self.keyring.system().conversation(&[
                b"ask",
                &ids::bytes(&alias.id),
                &envelope.writer.index.0,
            ]),
            credential: None,
            policy: passage.permit.policy().to_owned(),
            due: now,
            attempts: 0,
        };
        let event = self.unknown_sender(envelope, alias, Some(id)).await?;
        let change = Change::telling(event).with(Write::Message(Box::new(message))).with(Write::Enqueue(row));
        Ok(Decision { change, accepted: Accepted::Carried, print: None, _tags: None })
    }

    /// The way that a stranger's message takes if the tenant lets it pass: to A, from the number written to.
    fn invited(&self, envelope: &Envelope, alias: AliasRow) -> Result<Passage, Halt> {
        let leg = LegRow {
            number: envelope.to,
            from: LegKey::Anyone,
            shown: envelope.to,
            alias: alias.id,
            tenant: alias.tenant,
            to: LegTarget::Person(alias.a.record),
            expires_at: alias.expires_at,
        };
        self.permitted((leg, alias), Vec::new())
    }
}
