//! Records of webhooks: where tenants are told of events, and how far each event got with each endpoint.

use async_trait::async_trait;

use super::change::StoreError;
use crate::clock::Timestamp;
use crate::ids::{RecordId, TenantId, WebhookId};

/// Where a tenant is told of events. The secret itself is not kept: it is derived from `salt`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookRow {
    /// Its id.
    pub id: WebhookId,
    /// Whose.
    pub tenant: TenantId,
    /// Where it is called, as checked when it was given.
    pub url: String,
    /// What it wants to be told of: names, `family.*`, `*`.
    pub events: Vec<String>,
    /// Whose tokens it is told in, and whose aliases it is told of; none is the tenant's own.
    pub audience: Option<String>,
    /// From which its secret is derived.
    pub salt: [u8; 16],
    /// The salt before, and until when its secret signs too.
    pub old: Option<([u8; 16], Timestamp)>,
    /// Why it is not called, if it is not.
    pub disabled: Option<String>,
    /// Since when every call failed.
    pub failing_since: Option<Timestamp>,
    /// Since when it is there.
    pub created_at: Timestamp,
}

/// How far one event got with one endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeState {
    /// To be sent, for the first time or again.
    Waiting,
    /// The endpoint answered 2xx.
    Delivered,
    /// What it would tell of is not kept any more.
    Dropped,
}

/// One event for one endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoticeRow {
    /// For which endpoint.
    pub webhook: WebhookId,
    /// Whose.
    pub tenant: TenantId,
    /// The event's place in the log, which is the order of delivery.
    pub index: u64,
    /// What happened, by the log's name.
    pub action: String,
    /// When it happened.
    pub at: Timestamp,
    /// The record of a token that is erased.
    pub record: Option<RecordId>,
    /// How far it got.
    pub state: NoticeState,
    /// Calls so far.
    pub attempts: u32,
    /// Not before.
    pub due: Timestamp,
    /// What the endpoint answered last, if it answered.
    pub code: Option<u16>,
    /// Why the last call failed, by a short name.
    pub fault: Option<String>,
    /// When it was last called.
    pub tried_at: Option<Timestamp>,
}

/// The first event that waits for an endpoint, with all that its body is made of.
#[derive(Clone, Debug)]
pub struct Notice {
    /// The endpoint.
    pub endpoint: WebhookRow,
    /// The event on its way.
    pub row: NoticeRow,
    /// The event's entry in the log; none if retention took its text away.
    pub entry: Option<String>,
}

/// What became of one call.
#[derive(Clone, Debug)]
pub struct Called {
    /// Which endpoint.
    pub webhook: WebhookId,
    /// Which event.
    pub index: u64,
    /// When.
    pub at: Timestamp,
    /// What the endpoint answered, if it did.
    pub code: Option<u16>,
    /// Why it failed, if it did.
    pub fault: Option<String>,
    /// What comes of it.
    pub then: Then,
}

/// What comes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// Done.
    Delivered,
    /// Again, not before this moment.
    Again(Timestamp),
    /// Nothing is left to tell. Not counted as a call.
    Dropped,
}

/// An endpoint that something waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Which.
    pub webhook: WebhookId,
    /// Whose.
    pub tenant: TenantId,
    /// When the first that waits happened.
    pub since: Timestamp,
    /// When it may be sent.
    pub due: Timestamp,
}

/// Which events an endpoint is to be told of again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// The one at this place in the log.
    One(u64),
    /// Those since a moment, behind a place in the log, at most so many.
    Since(Timestamp, Option<u64>, u32),
}

/// A filter over endpoints.
#[derive(Clone, Debug, Default)]
pub struct WebhookFilter {
    /// Only of this audience.
    pub audience: Option<String>,
    /// Older than this one.
    pub after: Option<WebhookId>,
    /// At most so many.
    pub limit: u32,
}

/// The most endpoints of one tenant.
pub const MAX_WEBHOOKS: u32 = 100;

/// The part of the durable port that webhooks are kept by. An adapter that keeps none has it as it stands.
#[async_trait]
pub trait Notices: Send + Sync {
    /// One endpoint.
    async fn webhook(&self, _tenant: TenantId, _id: WebhookId) -> Result<Option<WebhookRow>, StoreError> {
        Ok(None)
    }
    /// A tenant's endpoints, newest first.
    async fn webhooks(&self, _tenant: TenantId, _filter: &WebhookFilter) -> Result<Vec<WebhookRow>, StoreError> {
        Ok(Vec::new())
    }
    /// What was or is to be sent to an endpoint, newest first, before a place in the log.
    async fn notices(
        &self,
        _tenant: TenantId,
        _of: WebhookId,
        _before: Option<u64>,
        _limit: u32,
    ) -> Result<Vec<NoticeRow>, StoreError> {
        Ok(Vec::new())
    }
    /// The first event that waits for an endpoint, due or not; none if nothing does, or it is not called at all.
    async fn next_notice(&self, _of: WebhookId) -> Result<Option<Notice>, StoreError> {
        Ok(None)
    }
    /// The endpoints that are called and that something waits for.
    async fn waiting_notices(&self) -> Result<Vec<Waiting>, StoreError> {
        Ok(Vec::new())
    }
    /// Records what became of a call. The event it was about has its entry in the log; this adds none.
    async fn called(&self, _called: Called) -> Result<(), StoreError> {
        Err(StoreError::Unavailable("no webhooks are kept here".into()))
    }
    /// Resolves once a commit of this process has put something before an endpoint since the last call, and says before
    /// which; for one waiter. An adapter that cannot tell never resolves, and its worker looks every few seconds.
    async fn notified(&self) -> Vec<(TenantId, WebhookId)> {
        std::future::pending().await
    }
}
