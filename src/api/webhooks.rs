//! `/v1/webhooks`: where the tenant is told of events. A secret is in one answer, once.

use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use zeroize::Zeroizing;

use super::answer::{Answer, Pending};
use super::body::{self, Body};
use super::code::Code;
use super::extract::Call;
use super::fields;
use super::idempotency::once;
use super::list::{self, List};
use super::problem::Problem;
use crate::access::{Action, Bound, Endpoints, Permit, Ruling};
use crate::clock::Timestamp;
use crate::ids::{ApprovalId, EventId, WebhookId};
use crate::store::NoticeState;
use crate::webhook::{Change, Created, DeliveryView, EndpointView, NewEndpoint, Requeued, Wanted};

/// An endpoint to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateWebhook {
    /// Where it is called: `https`, of the public internet.
    #[schema(example = "https://shop.example/hooks/bauta")]
    url: String,
    /// What it is told of: names of events, `alias.*` for a family, `*` for all. 1 to 32.
    #[schema(example = json!(["verification.approved", "alias.*"]), min_items = 1, max_items = 32)]
    events: Vec<String>,
    /// In whose tokens, and of whose aliases; the caller's own if not said.
    audience: Option<String>,
    /// Once a second person approved what the same request without this asked for.
    #[schema(example = "apr_01k8q3v6r5e9x8wz7m4n2b1c0d")]
    approval: Option<String>,
}

/// What is to change.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeWebhook {
    /// Where it is called.
    url: Option<String>,
    /// What it is told of.
    events: Option<Vec<String>>,
    /// `enabled` to be called (again), `disabled` not to be.
    status: Option<WebhookStatus>,
    /// Once a second person approved what the same request without this asked for.
    #[schema(example = "apr_01k8q3v6r5e9x8wz7m4n2b1c0d")]
    approval: Option<String>,
}

/// How the secret is to be replaced.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateWebhook {
    /// How long the old secret signs too, in seconds: at most 7 days, 24 hours if not said.
    #[schema(maximum = 604_800)]
    overlap_s: Option<u64>,
    /// Once a second person approved what the same request without this asked for.
    #[schema(example = "apr_01k8q3v6r5e9x8wz7m4n2b1c0d")]
    approval: Option<String>,
}

/// What is to be sent again: one delivery, or all since a moment.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Redeliver {
    /// `evt_…`: this one.
    #[schema(example = "evt_4g2v7m1c0d9x8wz7m4n2b1c0d9")]
    delivery: Option<String>,
    /// All that happened from here on, up to 1,000.
    #[schema(format = DateTime)]
    since: Option<String>,
    /// With `since`: behind this one, `next` of the answer before.
    after: Option<String>,
}

/// Whether an endpoint is called.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum WebhookStatus {
    /// It is called.
    Enabled,
    /// It is not, and nothing is kept for it.
    Disabled,
}

/// An endpoint. Its secret is not among what is shown.
#[derive(Clone, Serialize, ToSchema)]
pub struct WebhookAnswer {
    #[schema(value_type = String, example = "whk_01k8q3v6r5e9x8wz7m4n2b1c0d")]
    id: WebhookId,
    url: String,
    events: Vec<String>,
    audience: Option<String>,
    status: WebhookStatus,
    /// Why it is disabled: `switched_off`, `gone` (it answered 410), `exhausted` (one event failed ten times) or
    /// `failing` (no call succeeded for five days).
    disabled_reason: Option<String>,
    /// Since when every call failed.
    #[schema(value_type = Option<String>, format = DateTime)]
    failing_since: Option<Timestamp>,
    /// Until when the secret before signs too.
    #[schema(value_type = Option<String>, format = DateTime)]
    old_secret_until: Option<Timestamp>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

/// An endpoint with a new secret.
#[derive(Serialize, ToSchema)]
pub struct WebhookSecretAnswer {
    /// What its calls are signed with (Standard Webhooks). Not shown again.
    #[serde(serialize_with = "fields::shown")]
    #[schema(value_type = String, example = "whsec_…")]
    secret: Zeroizing<String>,
    #[serde(flatten)]
    webhook: WebhookAnswer,
}

/// One event on its way to an endpoint, or there. Without its body.
#[derive(Serialize, ToSchema)]
pub struct DeliveryAnswer {
    /// As in `webhook-id`: the same over all calls.
    #[schema(value_type = String, example = "evt_4g2v7m1c0d9x8wz7m4n2b1c0d9")]
    id: EventId,
    #[serde(rename = "type")]
    #[schema(example = "message.received")]
    kind: String,
    /// `waiting`, `delivered`, or `dropped` where nothing was left to tell.
    #[schema(example = "waiting")]
    status: &'static str,
    /// Calls so far.
    attempts: u32,
    /// What the endpoint answered last.
    #[schema(example = 503)]
    last_status: Option<u16>,
    /// Why the last call had no answer: `unresolved`, `address_refused`, `unreachable`, `tls`, `timeout`, `broken`,
    /// `url_refused`.
    last_fault: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    last_attempt_at: Option<Timestamp>,
    /// When it is sent next; not before what stands before it.
    #[schema(value_type = Option<String>, format = DateTime)]
    next_attempt_at: Option<Timestamp>,
    #[schema(value_type = String, format = DateTime)]
    occurred_at: Timestamp,
}

/// What waits again.
#[derive(Serialize, ToSchema)]
pub struct RedeliverAnswer {
    /// So many events.
    queued: u32,
    /// What to pass as `after` for those behind them; null if there are none.
    #[schema(value_type = Option<String>)]
    next: Option<EventId>,
}

/// An event that says nothing.
#[derive(Serialize, ToSchema)]
pub struct PingAnswer {
    #[schema(value_type = String, example = "evt_4g2v7m1c0d9x8wz7m4n2b1c0d9")]
    id: EventId,
}

/// Which page.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WebhooksQuery {
    /// Items of a page, 1 to 100.
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<String>,
}

impl From<EndpointView> for WebhookAnswer {
    fn from(view: EndpointView) -> Self {
        Self {
            id: view.id,
            url: view.url,
            events: view.events,
            audience: view.audience,
            status: if view.disabled.is_some() { WebhookStatus::Disabled } else { WebhookStatus::Enabled },
            disabled_reason: view.disabled,
            failing_since: view.failing_since,
            old_secret_until: view.old_secret_until,
            created_at: view.created_at,
        }
    }
}

impl From<DeliveryView> for DeliveryAnswer {
    fn from(view: DeliveryView) -> Self {
        let next_attempt_at = view.next();
        let row = view.row;
        Self {
            id: view.id,
            kind: if row.action == crate::event::told::PINGED { "ping".to_owned() } else { row.action },
            status: match row.state {
                NoticeState::Waiting => "waiting",
                NoticeState::Delivered => "delivered",
                NoticeState::Dropped => "dropped",
            },
            attempts: row.attempts,
            last_status: row.code,
            last_fault: row.fault,
            last_attempt_at: row.tried_at,
            next_attempt_at,
            occurred_at: row.at,
        }
    }
}

impl From<Requeued> for RedeliverAnswer {
    fn from(again: Requeued) -> Self {
        Self { queued: again.count, next: again.next }
    }
}

/// Make a webhook
///
/// The answer holds the secret that its calls are signed with, once. A repetition under the same `Idempotency-Key`
/// answers without it.
#[utoipa::path(post, path = "/v1/webhooks", tag = "Webhooks", request_body = CreateWebhook,
    responses((status = 201, description = "Made.", body = WebhookSecretAnswer),
        (status = 202, description = "A second person has to approve first.", body = Pending)))]
pub async fn create(call: Call, body: Body) -> Result<Answer, Problem> {
    once(call, body, async |call: &Call, body: &Body| {
        let wish: CreateWebhook = body.read()?;
        fields::optional_text("audience", wish.audience.as_deref())?;
        let audience = wish.audience.or_else(|| call.caller.audience.clone());
        let summary = json!({"do": "create", "url": wish.url, "events": wish.events, "audience": audience});
        let asked = bound(summary, fields::approval(wish.approval.as_deref())?);
        match call.rule(Action::WebhookManage, Endpoints { audience }, asked).await? {
            Ruling::Permitted(permit) => {
                let new = NewEndpoint { url: wish.url, events: wish.events };
                let (answer, without) = secret(call.api.webhooks.create(&permit, new).await?);
                Answer::created(&answer)?.secret(&without)
            }
            Ruling::Pending(view) => Answer::pending(&view),
        }
    })
    .await
}

/// List webhooks
#[utoipa::path(get, path = "/v1/webhooks", tag = "Webhooks", params(WebhooksQuery),
    responses((status = 200, description = "Newest first.", body = List<WebhookAnswer>)))]
pub async fn list(call: Call) -> Result<Answer, Problem> {
    let query: WebhooksQuery = body::query(call.request())?;
    let limit = list::limit(query.limit)?;
    let after = fields::after(query.after.as_deref())?;
    let permit = reading(&call).await?;
    let found = call.api.webhooks.list(&permit, after, limit + 1).await?;
    Answer::ok(&List::cut(found.into_iter().map(WebhookAnswer::from).collect(), limit, |w| w.id.to_string()))
}

/// Look at a webhook
#[utoipa::path(get, path = "/v1/webhooks/{id}", tag = "Webhooks",
    params(("id" = String, Path, description = "`whk_…`")),
    responses((status = 200, description = "The webhook, without its secret.", body = WebhookAnswer)))]
pub async fn read(call: Call) -> Result<Answer, Problem> {
    body::no_query(call.request())?;
    let permit = reading(&call).await?;
    Answer::ok(&WebhookAnswer::from(call.api.webhooks.read(&permit, call.id()?).await?))
}

/// Change a webhook
///
/// One that is enabled again is sent at once what waited for it when it was disabled; of what happened in between
/// nothing was kept.
#[utoipa::path(patch, path = "/v1/webhooks/{id}", tag = "Webhooks", request_body = ChangeWebhook,
    params(("id" = String, Path, description = "`whk_…`")),
    responses((status = 200, description = "Changed.", body = WebhookAnswer),
        (status = 202, description = "A second person has to approve first.", body = Pending)))]
pub async fn change(call: Call, body: Body) -> Result<Answer, Problem> {
    body::no_query(call.request())?;
    let wish: ChangeWebhook = body.read()?;
    let id: WebhookId = call.id()?;
    let enabled = wish.status.map(|status| status == WebhookStatus::Enabled);
    let summary = json!({"do": "change", "webhook": id, "url": wish.url, "events": wish.events, "enabled": enabled});
    let asked = bound(summary, fields::approval(wish.approval.as_deref())?);
    match managing(&call, asked).await? {
        Ruling::Permitted(permit) => {
            let change = Change { url: wish.url, events: wish.events, enabled };
            Answer::ok(&WebhookAnswer::from(call.api.webhooks.change(&permit, id, change).await?))
        }
        Ruling::Pending(view) => Answer::pending(&view),
    }
}

/// Delete a webhook
///
/// At once, and with it all that waits for it.
#[utoipa::path(delete, path = "/v1/webhooks/{id}", tag = "Webhooks",
    params(("id" = String, Path, description = "`whk_…`")),
    responses((status = 204, description = "Deleted.")))]
pub async fn delete(call: Call) -> Result<Answer, Problem> {
    body::no_query(call.request())?;
    let id: WebhookId = call.id()?;
    let permit = tending(&call).await?;
    call.api.webhooks.delete(&permit, id).await?;
    Ok(Answer::nothing())
}

/// Replace a webhook's secret
///
/// For the overlap its calls carry the signatures of both secrets.
#[utoipa::path(post, path = "/v1/webhooks/{id}/rotate", tag = "Webhooks", request_body = Option<RotateWebhook>,
    params(("id" = String, Path, description = "`whk_…`")),
    responses((status = 200, description = "The new secret.", body = WebhookSecretAnswer),
        (status = 202, description = "A second person has to approve first.", body = Pending)))]
pub async fn rotate(call: Call, body: Body) -> Result<Answer, Problem> {
    once(call, body, async |call: &Call, body: &Body| {
        let wish: RotateWebhook = body.read_or_nothing()?;
        let overlap = fields::seconds("overlap_s", wish.overlap_s, 0..=7 * 24 * 60 * 60)?;
        let id: WebhookId = call.id()?;
        let summary = json!({"do": "rotate", "webhook": id, "overlap_s": wish.overlap_s});
        match managing(call, bound(summary, fields::approval(wish.approval.as_deref())?)).await? {
            Ruling::Permitted(permit) => {
                let (answer, without) = secret(call.api.webhooks.rotate(&permit, id, overlap).await?);
                Answer::ok(&answer)?.secret(&without)
            }
            Ruling::Pending(view) => Answer::pending(&view),
        }
    })
    .await
}

/// List the deliveries of a webhook
///
/// Of about the last week, as retention says.
#[utoipa::path(get, path = "/v1/webhooks/{id}/deliveries", tag = "Webhooks",
    params(("id" = String, Path, description = "`whk_…`"), WebhooksQuery),
    responses((status = 200, description = "Newest first, without bodies.", body = List<DeliveryAnswer>)))]
pub async fn deliveries(call: Call) -> Result<Answer, Problem> {
    let query: WebhooksQuery = body::query(call.request())?;
    let limit = list::limit(query.limit)?;
    let after = fields::after(query.after.as_deref())?;
    let permit = reading(&call).await?;
    let found = call.api.webhooks.deliveries(&permit, call.id()?, after, limit + 1).await?;
    Answer::ok(&List::cut(found.into_iter().map(DeliveryAnswer::from).collect(), limit, |d| d.id.to_string()))
}

/// Deliver again
///
/// One event, or all since a moment: delivered ones too, in the order in which they happened, under the same
/// `webhook-id`.
#[utoipa::path(post, path = "/v1/webhooks/{id}/redeliver", tag = "Webhooks", request_body = Redeliver,
    params(("id" = String, Path, description = "`whk_…`")),
    responses((status = 200, description = "They wait again.", body = RedeliverAnswer)))]
pub async fn redeliver(call: Call, body: Body) -> Result<Answer, Problem> {
    once(call, body, async |call: &Call, body: &Body| {
        let wanted = body.read::<Redeliver>()?.wanted()?;
        let permit = tending(call).await?;
        Answer::ok(&RedeliverAnswer::from(call.api.webhooks.redeliver(&permit, call.id()?, wanted).await?))
    })
    .await
}

/// Try a webhook
///
/// Sends it an event of type `ping`, in its turn.
#[utoipa::path(post, path = "/v1/webhooks/{id}/ping", tag = "Webhooks",
    params(("id" = String, Path, description = "`whk_…`")),
    responses((status = 200, description = "On its way; the deliveries tell what came of it.", body = PingAnswer)))]
pub async fn ping(call: Call, body: Body) -> Result<Answer, Problem> {
    once(call, body, async |call: &Call, body: &Body| {
        body.nothing()?;
        let permit = tending(call).await?;
        Answer::ok(&PingAnswer { id: call.api.webhooks.ping(&permit, call.id()?).await? })
    })
    .await
}

async fn reading(call: &Call) -> Result<Permit<Endpoints>, Problem> {
    call.permit(Action::WebhookRead, of(call)).await
}

async fn tending(call: &Call) -> Result<Permit<Endpoints>, Problem> {
    call.permit(Action::WebhookTend, of(call)).await
}

async fn managing(call: &Call, bound: Bound) -> Result<Ruling<Endpoints>, Problem> {
    call.rule(Action::WebhookManage, of(call), bound).await
}

/// The endpoints that a caller may name: a partner's are its audience's.
fn of(call: &Call) -> Endpoints {
    Endpoints { audience: call.caller.audience.clone() }
}

fn bound(summary: serde_json::Value, approval: Option<ApprovalId>) -> Bound {
    let digest = Bound::digest([b"webhook".as_slice(), summary.to_string().as_bytes()]);
    Bound { digest, summary, reference: None, approval }
}

/// The answer with the secret, and what a repetition gets instead.
fn secret(created: Created) -> (WebhookSecretAnswer, WebhookAnswer) {
    let webhook = WebhookAnswer::from(created.endpoint);
    (WebhookSecretAnswer { secret: created.secret, webhook: webhook.clone() }, webhook)
}

impl Redeliver {
    fn wanted(self) -> Result<Wanted, Problem> {
        match (self.delivery, self.since, self.after) {
            (Some(delivery), None, None) => Ok(Wanted::One(fields::id(&delivery)?)),
            (None, Some(since), after) => {
                let since = Timestamp::parse(&since).ok_or_else(|| Problem::at(Code::InvalidField, "since"))?;
                Ok(Wanted::Since(since, fields::after(after.as_deref())?))
            }
            (None, None, None) => Err(Problem::at(Code::MissingField, "delivery")),
            (None, None, Some(_)) | (Some(_), None, Some(_)) => Err(Problem::at(Code::InvalidField, "after")),
            (Some(_), Some(_), _) => Err(Problem::at(Code::InvalidField, "since")),
        }
    }
}
