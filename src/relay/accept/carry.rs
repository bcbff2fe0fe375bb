//! What becomes of a message whose leg is known: the one change that carries it on, or that tells A why not.

use std::time::Duration;

use tokio::sync::MutexGuard;
use zeroize::Zeroizing;

use super::passage::Passage;
use super::{Envelope, Halt, Refusal, senders};
use crate::alias::PeopleError;
use crate::carrier::Accepted;
use crate::event::{Event, What};
use crate::ids::{self, RecordId, SubjectId};
use crate::relay::answer::{self, Answer, Help};
use crate::relay::{BODY, Relay, echo};
use crate::store::{
    BlindIndex, Change, Class, DeliveryStatus, LegKey, LegTarget, MessageRow, OutboxRow, Progress, Recipient,
    SenderRow, Shown, Task, Write,
};

/// A decision, ready to be committed.
pub(super) struct Decision<'a> {
    pub(super) change: Change,
    pub(super) accepted: Accepted,
    /// Counted against loops once it is durable.
    pub(super) print: Option<echo::Print>,
    /// Nobody else gives out a tag of this alias until the commit.
    pub(super) _tags: Option<MutexGuard<'a, ()>>,
}

/// A message to be put into the outbox.
struct Outgoing {
    to: Recipient,
    /// Whom it reaches, as conversations and events know them.
    index: BlindIndex,
    subject: SubjectId,
    sender: &'static str,
    text: Zeroizing<String>,
    parts: u32,
}

impl Relay {
    /// Decides about a whole message.
    pub(super) async fn decide(
        &self,
        envelope: &Envelope,
        text: Option<Zeroizing<String>>,
        parts: u32,
    ) -> Result<Decision<'_>, Halt> {
        let passage = self.passage(envelope).await?;
        let text = text.ok_or_else(|| passage.refused("unreadable"))?;
        let print = self.print(envelope, &text);
        if self.echoes.is_loop(&print, self.store.now()) {
            return Err(passage.refused("loop"));
        }
        let mut decision = match passage.leg.to {
            LegTarget::Person(record) => self.towards_person(envelope, &passage, record, text, parts).await?,
            LegTarget::Senders => self.towards_sender(envelope, &passage, &text, parts).await?,
            LegTarget::LastSender | LegTarget::Members => return Err(passage.refused("unknown_sender")),
        };
        decision.print = Some(print);
        Ok(decision)
    }

    /// To the person that the leg names; in `ax`, with a seat for a sender who can be answered.
    async fn towards_person(
        &self,
        envelope: &Envelope,
        passage: &Passage,
        record: RecordId,
        text: Zeroizing<String>,
        parts: u32,
    ) -> Result<Decision<'_>, Halt> {
        let (mut text, mut writes, mut tags) = (text, Vec::new(), None);
        if passage.leg.from == LegKey::Anyone {
            let seat;
            (seat, tags) = self.seat(envelope, passage).await?;
            if let Some(seat) = seat {
                text = answer::tagged(seat.tag, seat.live, text);
                writes = seat.writes;
            }
        }
        let outgoing = self.to_person(passage, record, passage.sender(envelope), text, parts).await?;
        let event = self.received(envelope, passage, &outgoing);
        let mut change = self.sending(Change::telling(event.0), passage, outgoing, event.1).await?;
        change.writes.extend(writes);
        Ok(Decision { change, accepted: Accepted::Carried, print: None, _tags: tags })
    }

    /// A seat for a sender who can be answered. The lock on the alias's tags is held only for a new one.
    async fn seat(
        &self,
        envelope: &Envelope,
        passage: &Passage,
    ) -> Result<(Option<senders::Seat>, Option<MutexGuard<'_, ()>>), Halt> {
        let Some(number) = envelope.writer.number() else { return Ok((None, None)) };
        let keys = self.keyring.tenant(passage.alias.tenant).await?;
        let mut lock = None;
        let now = self.store.now();
        let mut known = self.store.senders(passage.alias.id).await?;
        if !senders::is_seated(&known, &envelope.writer, now) {
            let alias = self.keyring.system().conversation(&[b"tags".as_slice(), &ids::bytes(&passage.alias.id)]);
            lock = self.tags.take(&alias).await;
            known = self.store.senders(passage.alias.id).await?;
        }
        let seat = senders::seat(passage, &known, &envelope.writer, number, &keys, now);
        Ok((Some(seat), lock))
    }

    /// A's answer, to the one sender it is for; else a help text to A.
    async fn towards_sender(
        &self,
        envelope: &Envelope,
        passage: &Passage,
        text: &str,
        parts: u32,
    ) -> Result<Decision<'_>, Halt> {
        let live = self.live(passage).await?;
        let tags: Vec<u32> = live.iter().map(|sender| sender.tag).collect();
        let (sender, text) = match answer::address(&tags, text) {
            Answer::To { tag, text } => (live.iter().find(|sender| sender.tag == tag), text),
            Answer::Nobody(help) => return self.helping(envelope, passage, help, &tags).await,
        };
        let Some(sender) = sender else { return self.helping(envelope, passage, Help::Gone, &tags).await };
        let outgoing = self.to_stranger(passage, sender, Zeroizing::new(text.to_owned()), parts).await?;
        let event = self.received(envelope, passage, &outgoing);
        let change = self.sending(Change::telling(event.0), passage, outgoing, event.1).await?;
        let change = change.with(senders::renewed(sender, self.store.now()));
        Ok(Decision { change, accepted: Accepted::Carried, print: None, _tags: None })
    }

    /// A's text is not carried, and A is told why from X.
    async fn helping(
        &self,
        envelope: &Envelope,
        passage: &Passage,
        help: Help,
        tags: &[u32],
    ) -> Result<Decision<'_>, Halt> {
        let alias = &passage.alias;
        let reason = help.reason().to_owned();
        let what = What::MessageDropped { number: alias.number, alias: Some(alias.id), reason };
        let event = self.told(envelope, passage, what);
        let text = Zeroizing::new(help.text(tags));
        let outgoing = self.to_person(passage, alias.a.record, "service", text, 1).await?;
        let change = self.sending(Change::telling(event), passage, outgoing, ids::fresh()).await?;
        Ok(Decision { change, accepted: Accepted::Dropped, print: None, _tags: None })
    }

    async fn to_person(
        &self,
        passage: &Passage,
        record: RecordId,
        sender: &'static str,
        text: Zeroizing<String>,
        parts: u32,
    ) -> Result<Outgoing, Halt> {
        let subject = match self.people.subject(passage.alias.tenant, record).await {
            Ok(subject) => subject,
            Err(PeopleError::Missing) => return Err(passage.refused("recipient_gone")),
            Err(PeopleError::Store(error)) => return Err(error.into()),
            Err(PeopleError::Key(error)) => return Err(error.into()),
        };
        let index = passage.index_of(record);
        Ok(Outgoing { to: Recipient::Person(record), index, subject, sender, text, parts })
    }

    async fn to_stranger(
        &self,
        passage: &Passage,
        sender: &SenderRow,
        text: Zeroizing<String>,
        parts: u32,
    ) -> Result<Outgoing, Halt> {
        let keys = self.keyring.tenant(passage.alias.tenant).await?;
        let number = keys.open_stranger(&ids::bytes(&passage.alias.id), &sender.number)?;
        let subject = keys.subject(keys.index(&number));
        let to = Recipient::Stranger(sender.number.clone());
        Ok(Outgoing { to, index: sender.index, subject, sender: "a", text, parts })
    }

    /// The senders who can be answered now.
    async fn live(&self, passage: &Passage) -> Result<Vec<SenderRow>, Halt> {
        let now = self.store.now();
        let mut senders = self.store.senders(passage.alias.id).await?;
        senders.retain(|sender| senders::is_live(sender, now));
        Ok(senders)
    }

    fn received(&self, envelope: &Envelope, passage: &Passage, out: &Outgoing) -> (Event, ids::MessageId) {
        let (message, alias, subject) = (ids::fresh(), passage.alias.id, out.subject);
        let (sender, parts) = (out.sender.to_owned(), u64::from(out.parts));
        let what = What::MessageReceived { message, alias, subject, sender, parts };
        (self.told(envelope, passage, what), message)
    }

    fn told(&self, envelope: &Envelope, passage: &Passage, what: What) -> Event {
        let policy = Some(passage.permit.policy().to_owned());
        self.told_by(&envelope.carrier, Some(passage.alias.tenant), policy, what)
    }

    /// Adds the message with its sealed body and its place in the outbox.
    async fn sending(
        &self,
        change: Change,
        passage: &Passage,
        out: Outgoing,
        id: ids::MessageId,
    ) -> Result<Change, Halt> {
        let (now, alias) = (self.store.now(), &passage.alias);
        let keys = self.keyring.tenant(alias.tenant).await?;
        let message = MessageRow {
            id,
            tenant: alias.tenant,
            alias: Some(alias.id),
            sender: out.sender.to_owned(),
            from: Shown::Number(passage.leg.shown),
            class: Class::Relay,
            to: out.to,
            body: Some(keys.seal_text(BODY, &ids::bytes(&id), &out.text)),
            disclosed: None,
            status: DeliveryStatus::Queued,
            parts: out.parts,
            created_at: now,
            expires_at: now.plus(BODY_LIFE),
            asked: None,
            progress: Progress::default(),
        };
        let row = OutboxRow {
            id: ids::fresh(),
            tenant: alias.tenant,
            task: Task::Message(id),
            lane: Class::Relay.lane(),
            conversation: self
                .keyring
                .system()
                .conversation(&[alias.number.digits().to_be_bytes().as_slice(), &out.index.0]),
            credential: None,
            policy: passage.permit.policy().to_owned(),
            due: now,
            attempts: 0,
        };
        Ok(change.with(Write::Message(Box::new(message))).with(Write::Enqueue(row)))
    }

    fn print(&self, envelope: &Envelope, text: &str) -> echo::Print {
        let number = envelope.to.digits().to_be_bytes();
        self.keyring.system().fingerprint(&[b"echo".as_slice(), &number, &envelope.writer.index.0, text.as_bytes()])
    }
}

impl Passage {
    fn refused(&self, reason: &'static str) -> Halt {
        Halt::Refused(self.refusal(reason))
    }

    pub(super) const fn refusal(&self, reason: &'static str) -> Refusal {
        Refusal { reason, tenant: Some(self.alias.tenant), alias: Some(self.alias.id) }
    }

    /// Who wrote, as events and history say.
    fn sender(&self, envelope: &Envelope) -> &'static str {
        match self.leg.from.person() {
            Some(from) if from == self.alias.a.index => "a",
            Some(from) if self.alias.b.is_some_and(|b| b.index == from) => "b",
            _ => envelope.writer.kind(),
        }
    }

    /// The index of the party behind `record`.
    fn index_of(&self, record: RecordId) -> BlindIndex {
        let people = self.alias.people();
        people.iter().find(|party| party.record == record).map_or(self.alias.a.index, |party| party.index)
    }
}

/// How long a body is kept at the most.
const BODY_LIFE: Duration = Duration::from_secs(24 * 3600);
