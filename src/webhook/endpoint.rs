//! The life of endpoints: made, changed, given another secret, switched off and on, deleted, asked again.

use std::time::Duration;

use zeroize::Zeroizing;

use super::line::Fault;
use super::place::{Flaw, Place};
use super::{WebhookError, Webhooks, signature};
use crate::access::{Endpoints, Permit};
use crate::clock::Timestamp;
use crate::crypto;
use crate::event::{What, told};
use crate::ids::{self, EventId, WebhookId};
use crate::store::{Again, Conflict, NoticeRow, NoticeState, StoreError, WebhookFilter, WebhookRow, Write};

/// An endpoint to be made.
pub struct NewEndpoint {
    /// Where it is called.
    pub url: String,
    /// What it is told of.
    pub events: Vec<String>,
}

/// What is to change of an endpoint.
#[derive(Default)]
pub struct Change {
    /// Where it is called.
    pub url: Option<String>,
    /// What it is told of.
    pub events: Option<Vec<String>>,
    /// Whether it is called at all.
    pub enabled: Option<bool>,
}

/// An endpoint as its owner sees it, without its secret.
#[derive(Clone, Debug)]
pub struct EndpointView {
    /// `whk_…`.
    pub id: WebhookId,
    /// Where it is called.
    pub url: String,
    /// What it is told of.
    pub events: Vec<String>,
    /// In whose tokens; none is the tenant's own.
    pub audience: Option<String>,
    /// Why it is not called, if it is not.
    pub disabled: Option<String>,
    /// Since when every call failed.
    pub failing_since: Option<Timestamp>,
    /// Until when the secret before signs too.
    pub old_secret_until: Option<Timestamp>,
    /// Since when it is there.
    pub created_at: Timestamp,
}

/// An endpoint with a secret that nobody has seen yet.
pub struct Created {
    /// The endpoint.
    pub endpoint: EndpointView,
    /// `whsec_…`
    pub secret: Zeroizing<String>,
}

/// One event on its way to an endpoint, or there.
#[derive(Clone, Debug)]
pub struct DeliveryView {
    /// `evt_…`, as in `webhook-id`.
    pub id: EventId,
    /// How far it got.
    pub row: NoticeRow,
}

/// What is to be sent again.
pub enum Wanted {
    /// One event.
    One(EventId),
    /// What happened since a moment, behind an event.
    Since(Timestamp, Option<EventId>),
}

/// How many events wait again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Requeued {
    /// So many.
    pub count: u32,
    /// The last of them, if there may be more behind it.
    pub next: Option<EventId>,
}

impl Webhooks {
    /// Makes an endpoint in the audience of the permit's resource.
    ///
    /// # Errors
    /// [`WebhookError::UrlRefused`], [`WebhookError::NumberInUrl`], [`WebhookError::EventUnknown`],
    /// [`WebhookError::EventsInvalid`], [`WebhookError::TooMany`].
    pub async fn create(&self, permit: &Permit<Endpoints>, new: NewEndpoint) -> Result<Created, WebhookError> {
        let url = self.place(&new.url).await?;
        let events = patterns(new.events)?;
        let (now, audience) = (self.store.now(), permit.resource().audience.clone());
        let row = WebhookRow {
            id: ids::fresh(),
            tenant: permit.tenant(),
            url,
            events: events.clone(),
            audience: audience.clone(),
            salt: crypto::random(),
            old: None,
            disabled: None,
            failing_since: None,
            created_at: now,
        };
        let keys = self.keyring.tenant(permit.tenant()).await?;
        let secret = signature::shown(&keys.webhook_secret(row.id, &row.salt));
        let told = What::WebhookCreated { webhook: row.id, audience, events };
        let change = permit.change(now, told).with(Write::Webhook(Box::new(row.clone())));
        self.store.commit(change).await?;
        Ok(Created { endpoint: view(row, now), secret })
    }

    /// The endpoints that the caller may see, newest first.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn list(
        &self,
        permit: &Permit<Endpoints>,
        after: Option<WebhookId>,
        limit: u32,
    ) -> Result<Vec<EndpointView>, WebhookError> {
        let audience = if permit.sees_all() { None } else { Some(permit.audience().unwrap_or_default().to_owned()) };
        let rows = self.store.webhooks(permit.tenant(), &WebhookFilter { audience, after, limit }).await?;
        let now = self.store.now();
        Ok(rows.into_iter().map(|row| view(row, now)).collect())
    }

    /// One endpoint.
    ///
    /// # Errors
    /// [`WebhookError::NotFound`].
    pub async fn read(&self, permit: &Permit<Endpoints>, id: WebhookId) -> Result<EndpointView, WebhookError> {
        Ok(view(self.seen(permit, id).await?, self.store.now()))
    }

    /// Changes an endpoint. What waits for one that is switched on again is sent at once.
    ///
    /// # Errors
    /// As [`Self::create`]; [`WebhookError::NotFound`].
    pub async fn change(
        &self,
        permit: &Permit<Endpoints>,
        id: WebhookId,
        wish: Change,
    ) -> Result<EndpointView, WebhookError> {
        let row = self.seen(permit, id).await?;
        let (tenant, now) = (permit.tenant(), self.store.now());
        let url = match wish.url {
            Some(url) => Some(self.place(&url).await?),
            None => None,
        };
        let events = wish.events.map(patterns).transpose()?;
        let mut told = Vec::new();
        if url.is_some() || events.is_some() {
            told.push((What::WebhookChanged { webhook: id }, Write::ChangeWebhook { tenant, id, url, events }));
        }
        match wish.enabled {
            Some(true) if row.disabled.is_some() => {
                told.push((What::WebhookEnabled { webhook: id }, Write::SwitchWebhook { tenant, id, disabled: None }));
            }
            Some(false) if row.disabled.is_none() => {
                let reason = "switched_off".to_owned();
                let what = What::WebhookDisabled { webhook: id, reason: reason.clone() };
                told.push((what, Write::SwitchWebhook { tenant, id, disabled: Some(reason) }));
            }
            _ => {}
        }
        let mut told = told.into_iter();
        if let Some((what, write)) = told.next() {
            let change = permit.change(now, what).with(write);
            let all = told.fold(change, |all, (what, write)| all.and_telling(permit.event(now, what)).with(write));
            match self.store.commit(all).await {
                // Somebody else switched it the same way.
                Ok(_) | Err(StoreError::Conflict(Conflict::Taken)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.read(permit, id).await
    }

    /// Another secret; the one before signs too for `overlap`.
    ///
    /// # Errors
    /// [`WebhookError::NotFound`].
    pub async fn rotate(
        &self,
        permit: &Permit<Endpoints>,
        id: WebhookId,
        overlap: Option<Duration>,
    ) -> Result<Created, WebhookError> {
        self.seen(permit, id).await?;
        let (salt, now) = (crypto::random(), self.store.now());
        let keys = self.keyring.tenant(permit.tenant()).await?;
        let secret = signature::shown(&keys.webhook_secret(id, &salt));
        let until = now.plus(overlap.unwrap_or(OVERLAP));
        let change = permit.change(now, What::WebhookRotated { webhook: id });
        self.store.commit(change.with(Write::RotateWebhook { tenant: permit.tenant(), id, salt, until })).await?;
        Ok(Created { endpoint: self.read(permit, id).await?, secret })
    }

    /// Forgets an endpoint, and all that waits for it.
    ///
    /// # Errors
    /// [`WebhookError::NotFound`].
    pub async fn delete(&self, permit: &Permit<Endpoints>, id: WebhookId) -> Result<(), WebhookError> {
        self.seen(permit, id).await?;
        let change = permit.change(self.store.now(), What::WebhookDeleted { webhook: id });
        self.store.commit(change.with(Write::DeleteWebhook { tenant: permit.tenant(), id })).await?;
        Ok(())
    }

    /// What was or is to be sent to an endpoint, newest first.
    ///
    /// # Errors
    /// [`WebhookError::NotFound`].
    pub async fn deliveries(
        &self,
        permit: &Permit<Endpoints>,
        id: WebhookId,
        after: Option<EventId>,
        limit: u32,
    ) -> Result<Vec<DeliveryView>, WebhookError> {
        self.seen(permit, id).await?;
        let keys = self.keyring.tenant(permit.tenant()).await?;
        let before = after.map(|event| keys.event_place(event).ok_or(WebhookError::NotFound)).transpose()?;
        let rows = self.store.notices(permit.tenant(), id, before, limit).await?;
        Ok(rows.into_iter().map(|row| DeliveryView { id: keys.event_id(row.index), row }).collect())
    }

    /// Puts events before an endpoint once more. They are sent in the order in which they happened, before what waits
    /// already; at most [`REDELIVERED`] at once.
    ///
    /// # Errors
    /// [`WebhookError::NotFound`], [`WebhookError::Disabled`].
    pub async fn redeliver(
        &self,
        permit: &Permit<Endpoints>,
        id: WebhookId,
        wanted: Wanted,
    ) -> Result<Requeued, WebhookError> {
        self.called(permit, id).await?;
        let keys = self.keyring.tenant(permit.tenant()).await?;
        let place = |event| keys.event_place(event).ok_or(WebhookError::NotFound);
        let which = match wanted {
            Wanted::One(event) => Again::One(place(event)?),
            Wanted::Since(at, behind) => Again::Since(at, behind.map(place).transpose()?, REDELIVERED),
        };
        let change = permit.change(self.store.now(), What::WebhookRedelivered { webhook: id });
        let again =
            self.store.commit(change.with(Write::NotifyAgain { tenant: permit.tenant(), id, which })).await?.again;
        let count = u32::try_from(again.len()).unwrap_or(u32::MAX);
        let next = if count >= REDELIVERED { again.last().map(|place| keys.event_id(*place)) } else { None };
        Ok(Requeued { count, next })
    }

    /// Sends an endpoint an event that says nothing. Gives its name.
    ///
    /// # Errors
    /// [`WebhookError::NotFound`], [`WebhookError::Disabled`].
    pub async fn ping(&self, permit: &Permit<Endpoints>, id: WebhookId) -> Result<EventId, WebhookError> {
        self.called(permit, id).await?;
        let change = permit.change(self.store.now(), What::WebhookPinged { webhook: id });
        let place = self.store.commit(change).await?.index;
        Ok(self.keyring.tenant(permit.tenant()).await?.event_id(place))
    }

    /// An endpoint that the caller may see: of the tenant, and for partners of their audience.
    async fn seen(&self, permit: &Permit<Endpoints>, id: WebhookId) -> Result<WebhookRow, WebhookError> {
        let row = self.store.webhook(permit.tenant(), id).await?.ok_or(WebhookError::NotFound)?;
        let is_own = row.audience.is_some() && row.audience.as_deref() == permit.audience();
        if permit.sees_all() || is_own { Ok(row) } else { Err(WebhookError::NotFound) }
    }

    /// The same, of those that are called.
    async fn called(&self, permit: &Permit<Endpoints>, id: WebhookId) -> Result<WebhookRow, WebhookError> {
        let row = self.seen(permit, id).await?;
        if row.disabled.is_some() { Err(WebhookError::Disabled) } else { Ok(row) }
    }

    /// Reads a URL, and refuses one whose address is known to be refused later.
    async fn place(&self, url: &str) -> Result<String, WebhookError> {
        let place = Place::parse(url).map_err(|flaw| match flaw {
            Flaw::Number => WebhookError::NumberInUrl,
            Flaw::Form | Flaw::Scheme | Flaw::Port => WebhookError::UrlRefused,
        })?;
        if !place.secure && !self.exchange.has_open_networks() {
            return Err(WebhookError::UrlRefused);
        }
        // A name that has no address yet may get one; each call asks anew.
        match tokio::time::timeout(LOOK, self.exchange.addresses(&place)).await {
            Ok(Err(Fault::Barred)) => Err(WebhookError::UrlRefused),
            _ => Ok(place.text),
        }
    }
}

/// Each name once, in the order given.
fn patterns(events: Vec<String>) -> Result<Vec<String>, WebhookError> {
    if events.is_empty() || events.len() > KINDS {
        return Err(WebhookError::EventsInvalid);
    }
    let mut patterns = Vec::with_capacity(events.len());
    for (place, pattern) in events.into_iter().enumerate() {
        if !told::is_pattern(&pattern) || pattern.len() > LONGEST_KIND {
            return Err(WebhookError::EventUnknown(place));
        }
        if !patterns.contains(&pattern) {
            patterns.push(pattern);
        }
    }
    Ok(patterns)
}

fn view(row: WebhookRow, now: Timestamp) -> EndpointView {
    EndpointView {
        id: row.id,
        url: row.url,
        events: row.events,
        audience: row.audience,
        disabled: row.disabled,
        failing_since: row.failing_since,
        old_secret_until: row.old.map(|(_, until)| until).filter(|until| *until > now),
        created_at: row.created_at,
    }
}

impl DeliveryView {
    /// When it is sent next; none if it is not to be.
    pub fn next(&self) -> Option<Timestamp> {
        (self.row.state == NoticeState::Waiting).then_some(self.row.due)
    }
}

/// How long an old secret signs too, unless the caller says.
const OVERLAP: Duration = Duration::from_secs(24 * 3_600);
/// Kinds of events of one endpoint.
const KINDS: usize = 32;
/// Letters of a kind.
const LONGEST_KIND: usize = 64;
/// Events put before an endpoint again at once: few enough for one transaction that holds nobody up.
pub const REDELIVERED: u32 = 1_000;
/// How long a URL's address is looked for when the URL is given.
const LOOK: Duration = Duration::from_secs(2);
