//! Accepting messages: one, or many in one commit.

use std::time::Duration;

use super::view::Accepted;
use super::wish::{Letter, NewMessage, Shelf};
use super::{BODY, Outreach, OutreachError};
use crate::access::{NewMessage as NewMessagePermit, Permit};
use crate::clock::Timestamp;
use crate::event::{Event, What};
use crate::guard::{spend, suppression};
use crate::ids::{self, CredentialId, MessageId, SubjectId};
use crate::store::{
    Asked, Change, Class, Committed, Conflict, DeliveryStatus, MessageRow, OutboxRow, Payer, Progress, Recipient,
    Shown, StoreError, Task, Write,
};
use crate::telemetry;
use crate::vault::{MAX_BATCH, until_midnight};

/// A message that may be written.
struct Ready {
    message: MessageRow,
    outbox: OutboxRow,
    subject: SubjectId,
    template: Option<ids::TemplateId>,
    parts: u64,
    price: u64,
}

/// What a batch gives for each item: accepted, refused before, or refused here.
pub type Answers<E> = Vec<Result<Accepted, Result<OutreachError, E>>>;

impl Outreach {
    /// Accepts a message: sealed text, place in the outbox, spend and event in one commit.
    ///
    /// # Errors
    /// [`OutreachError`] by what would have to be otherwise. What a rule refused is in the log.
    pub async fn send(&self, permit: &Permit<NewMessagePermit>, new: NewMessage) -> Result<Accepted, OutreachError> {
        let (subject, class) = (new.to.subject, new.class);
        let ready = match self.ready(permit, &mut Shelf::default(), new).await {
            Ok(ready) => ready,
            Err(refusal) => {
                counted(&refusal);
                self.tell_refusal(permit, subject, class, &refusal).await;
                return Err(refusal);
            }
        };
        let accepted = ready.accepted();
        let told = permit.event(ready.message.created_at, ready.told());
        let writes = spending(permit, std::slice::from_ref(&ready));
        let change = ready.written(with_all(Change::telling(told), writes));
        self.commit(permit, change).await?;
        Ok(accepted)
    }

    /// Accepts many in one commit. Items that came refused stay so, those that a rule refuses are answered so, the others
    /// are accepted together, in order; a cap that all of them together would pass refuses the whole.
    ///
    /// # Errors
    /// [`OutreachError::TooMany`], [`OutreachError::CapReached`]; [`OutreachError::Store`] if none could be written.
    pub async fn send_many<E>(
        &self,
        permit: &Permit<NewMessagePermit>,
        items: Vec<Result<NewMessage, E>>,
    ) -> Result<Answers<E>, OutreachError> {
        if items.len() > MAX_BATCH {
            return Err(OutreachError::TooMany);
        }
        let (mut shelf, mut ready, mut answers) = (Shelf::default(), Vec::new(), Vec::with_capacity(items.len()));
        for item in items {
            answers.push(match item {
                Err(refusal) => Err(Err(refusal)),
                Ok(new) => match self.ready(permit, &mut shelf, new).await {
                    Ok(one) => {
                        let accepted = one.accepted();
                        ready.push(one);
                        Ok(accepted)
                    }
                    // What keeps one from being looked at keeps all.
                    Err(OutreachError::Store(error)) => return Err(OutreachError::Store(error)),
                    Err(OutreachError::Key(error)) => return Err(OutreachError::Key(error)),
                    Err(refusal) => {
                        counted(&refusal);
                        Err(Ok(refusal))
                    }
                },
            });
            if answers.len().is_multiple_of(BREATH) {
                tokio::task::yield_now().await;
            }
        }
        let refused = (answers.len() - ready.len()) as u64;
        let writes = spending(permit, &ready);
        let mut change = with_all(told(permit, self.store.now(), &ready, refused), writes);
        for one in ready {
            change = one.written(change);
        }
        self.commit(permit, change).await?;
        Ok(answers)
    }

    /// Looks at a wish with every rule there is.
    async fn ready(
        &self,
        permit: &Permit<NewMessagePermit>,
        shelf: &mut Shelf,
        new: NewMessage,
    ) -> Result<Ready, OutreachError> {
        let credential = permit.credential().ok_or(OutreachError::NotFound)?;
        let letter = self.letter(permit, shelf, &new).await?;
        let scopes = self.store.suppressed(permit.tenant(), new.to.index).await?;
        if suppression::stops(&scopes, letter.class, letter.shown.number()) {
            return Err(OutreachError::Suppressed);
        }
        self.check_content(permit, new.to.index, &letter.text)?;
        let price = permit.terms().prices.part(&new.bearing, letter.class);
        self.sealed(permit, credential, &new, letter, price).await
    }

    async fn sealed(
        &self,
        permit: &Permit<NewMessagePermit>,
        credential: CredentialId,
        new: &NewMessage,
        letter: Letter,
        price: u64,
    ) -> Result<Ready, OutreachError> {
        let (id, tenant, now): (MessageId, _, _) = (ids::fresh(), permit.tenant(), self.store.now());
        let keys = self.keyring.tenant(tenant).await?;
        let (party, life) = (new.to.index, new.life.unwrap_or(LIFE));
        let Letter { text, class, template, parts, shown, registration, due } = letter;
        let audience = permit.audience().map(str::to_owned);
        let message = MessageRow {
            id,
            tenant,
            alias: None,
            sender: "tenant".to_owned(),
            from: shown,
            class,
            to: Recipient::Person(new.to.record),
            body: Some(keys.seal_text(BODY, &ids::bytes(&id), &text)),
            disclosed: None,
            status: DeliveryStatus::Queued,
            parts: u32::try_from(parts).unwrap_or(u32::MAX),
            created_at: now,
            expires_at: due.plus(life),
            asked: Some(Asked { credential, audience, party, registration }),
            progress: Progress::default(),
        };
        let outbox = OutboxRow {
            id: ids::fresh(),
            tenant,
            task: Task::Message(id),
            lane: class.lane(),
            conversation: self.keyring.system().conversation_with(tenant, party, class),
            credential: Some(credential),
            policy: permit.policy().to_owned(),
            due,
            attempts: 0,
        };
        Ok(Ready { message, outbox, subject: new.to.subject, template, parts, price })
    }

    /// Commits what may spend, and tells of caps that it brought near their end.
    async fn commit(&self, permit: &Permit<NewMessagePermit>, change: Change) -> Result<(), OutreachError> {
        let Committed { near, .. } = match self.store.commit(change).await {
            Err(StoreError::Conflict(Conflict::CapReached)) => return Err(self.cap_reached(permit).await),
            done => done?,
        };
        for near in near {
            let told = permit.event(self.store.now(), spend::alert(near));
            if let Err(error) = self.store.commit(Change::telling(told)).await {
                tracing::warn!(%error, "a cap that is nearly spent was not told of");
            }
        }
        Ok(())
    }

    async fn cap_reached(&self, permit: &Permit<NewMessagePermit>) -> OutreachError {
        let now = self.store.now();
        telemetry::metrics().message_refusals.with_label_values(&["spend_cap_reached"]).inc();
        let told = spend::refused(permit.tenant(), Payer::Tenant, |what| permit.event(now, what));
        match self.store.commit(told).await {
            // Told before, today.
            Ok(_) | Err(StoreError::Conflict(Conflict::Taken)) => {}
            Err(error) => tracing::warn!(%error, "a cap that is reached was not told of"),
        }
        OutreachError::CapReached { retry_after: until_midnight(now) }
    }

    /// What a rule refused is told, with the person; a mistake in the request is not.
    async fn tell_refusal(
        &self,
        permit: &Permit<NewMessagePermit>,
        subject: SubjectId,
        class: Option<Class>,
        refusal: &OutreachError,
    ) {
        if !matches!(refusal, OutreachError::Suppressed | OutreachError::Content(_)) {
            return;
        }
        let class = class.map_or("template", Class::as_str).to_owned();
        let what = What::MessageRefused { subject, class, reason: refusal.reason().to_owned() };
        if let Err(error) = self.store.commit(Change::telling(permit.event(self.store.now(), what))).await {
            tracing::warn!(%error, "a refusal is not in the log");
        }
    }
}

impl Ready {
    fn accepted(&self) -> Accepted {
        Accepted {
            id: self.message.id,
            status: self.message.status,
            class: self.message.class,
            parts: self.message.parts,
            from: self.message.from.clone(),
            created_at: self.message.created_at,
            due_at: self.outbox.due,
            expires_at: self.message.expires_at,
        }
    }

    fn told(&self) -> What {
        let sender = match &self.message.from {
            Shown::Number(number) => Some(number.to_string()),
            Shown::Sender(name) => Some(name.clone()),
            Shown::House => None,
        };
        What::MessageAccepted {
            message: self.message.id,
            subject: self.subject,
            class: self.message.class.as_str().to_owned(),
            parts: self.parts,
            sender,
            template: self.template,
        }
    }

    fn written(self, change: Change) -> Change {
        change.with(Write::Message(Box::new(self.message))).with(Write::Enqueue(self.outbox))
    }
}

fn counted(refusal: &OutreachError) {
    telemetry::metrics().message_refusals.with_label_values(&[refusal.reason()]).inc();
}

fn with_all(mut change: Change, writes: Vec<Write>) -> Change {
    change.writes.extend(writes);
    change
}

/// What these messages spend together.
fn spending(permit: &Permit<NewMessagePermit>, ready: &[Ready]) -> Vec<Write> {
    let caps = &permit.terms().caps;
    if ready.is_empty() || !caps.concern(permit.tenant()) {
        return Vec::new();
    }
    let parts = ready.iter().map(|one| one.parts).sum();
    let cost = ready.iter().map(|one| one.parts.saturating_mul(one.price)).fold(0, u64::saturating_add);
    caps.spending(permit.tenant(), spend::Account::default(), parts, cost)
}

/// The entries of a batch: as many as their lists need to stay within what one may hold.
fn told(permit: &Permit<NewMessagePermit>, at: Timestamp, ready: &[Ready], refused: u64) -> Change {
    let (count, parts) = (ready.len() as u64, ready.len().div_ceil(LISTED).max(1) as u64);
    let chunks: Vec<&[Ready]> = if ready.is_empty() { vec![&[]] } else { ready.chunks(LISTED).collect() };
    let event = |(chunk, part): (&[Ready], u64)| -> Event {
        let messages = chunk.iter().map(|one| one.message.id).collect();
        let subjects = chunk.iter().map(|one| one.subject).collect();
        permit.event(at, What::MessagesAccepted { part, parts, count, refused, messages, subjects })
    };
    Change { events: chunks.into_iter().zip(1..).map(event).collect(), writes: Vec::new() }
}

/// How long a message waits to be delivered, unless it says.
const LIFE: Duration = Duration::from_secs(24 * 3_600);
/// Items between two breaths.
const BREATH: usize = 64;
/// Messages that one entry names: with their people below 60,000 bytes.
const LISTED: usize = 800;
