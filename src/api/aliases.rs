//! `/v1/aliases`: bind people to a virtual number, look, extend, release, and the history without content.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::answer::Answer;
use super::bind::{self, BindAlias};
use super::body::{self, Body};
use super::code::Code;
use super::extract::Call;
use super::fields::{self, Typed};
use super::idempotency::once;
use super::list::{self, List};
use super::problem::Problem;
use crate::access::{Action, AliasList, AliasRef, Permit};
use crate::alias::{Addressee, AliasQuery, AliasView, Alter, LegView, MessageView, Posted, leg};
use crate::clock::Timestamp;
use crate::ids::{AliasId, MessageId};
use crate::phone::VirtualNumber;
use crate::store::{AliasMode, AliasStatus, DeliveryStatus, Disclose, Unknown};
use crate::token::Token;

/// What is to change.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeAlias {
    /// Life in seconds from now, at least 60; null: until released.
    #[serde(default, deserialize_with = "fields::given")]
    #[schema(value_type = Option<u64>, minimum = 60)]
    ttl_s: Option<Option<u64>>,
    /// Another first person. Not in `ax` and `axn`: strangers go on writing to the one who had the number.
    #[schema(value_type = Option<String>)]
    a: Option<Typed>,
    /// Another second person; null: nobody, where the mode can do without.
    #[serde(default, deserialize_with = "fields::given")]
    #[schema(value_type = Option<String>)]
    b: Option<Option<Typed>>,
    /// Another team, 1 to 50 people.
    #[schema(value_type = Option<Vec<String>>, max_items = 50)]
    members: Option<Vec<Typed>>,
    /// What the tenant learns of messages: `none`, `masked_code`, `code` or `text`.
    #[schema(value_type = Option<String>)]
    disclose: Option<Disclose>,
    /// What becomes of messages from those who have no leg: `drop`, `reply` or `webhook`.
    #[schema(value_type = Option<String>)]
    unknown: Option<Unknown>,
}

impl ChangeAlias {
    async fn wish(self, call: &Call, permit: &Permit<AliasRef>) -> Result<Alter, Problem> {
        let members = match self.members {
            Some(tokens) if tokens.len() > leg::MAX_MEMBERS => return Err(Problem::at(Code::InvalidField, "members")),
            Some(tokens) => {
                let mut members = Vec::with_capacity(tokens.len());
                for token in &tokens {
                    members.push(bind::person(call, permit, token).await?);
                }
                Some(members)
            }
            None => None,
        };
        Ok(Alter {
            ttl: self.ttl_s.map(|ttl| ttl.map(Duration::from_secs)),
            a: match &self.a {
                Some(token) => Some(bind::person(call, permit, token).await?),
                None => None,
            },
            b: match &self.b {
                Some(Some(token)) => Some(Some(bind::person(call, permit, token).await?)),
                Some(None) => Some(None),
                None => None,
            },
            members,
            disclose: self.disclose,
            unknown: self.unknown,
        })
    }
}

/// Which aliases.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AliasesQuery {
    /// Only `active`, `released` or `expired` ones.
    #[param(value_type = Option<String>)]
    status: Option<AliasStatus>,
    /// Only on this number.
    number: Option<String>,
    /// Items of a page, 1 to 100.
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<String>,
}

/// Which page.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct MessagesQuery {
    /// Items of a page, 1 to 100.
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<String>,
}

/// A message to somebody of an alias.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PostMessage {
    /// `a`, `b`, or the token of somebody who is in it.
    #[schema(value_type = String, example = "a")]
    to: Typed,
    /// At most ten parts, no phone number in it.
    #[schema(value_type = String, example = "Your courier is on the way.")]
    text: Typed,
}

/// A message that was accepted.
#[derive(Serialize, ToSchema)]
pub struct PostedAnswer {
    #[schema(value_type = String, example = "msg_01k8q3v6r5e9x8wz7m4n2b1c0d")]
    id: MessageId,
    #[schema(value_type = String, example = "queued")]
    status: DeliveryStatus,
}

/// An alias.
#[derive(Serialize, ToSchema)]
pub struct AliasAnswer {
    #[schema(value_type = String, example = "als_01k8q3v6r5e9x8wz7m4n2b1c0d")]
    id: AliasId,
    #[schema(value_type = String, example = "ax")]
    mode: AliasMode,
    /// X.
    #[schema(value_type = String, example = "+12025550143")]
    number: VirtualNumber,
    /// Y, in `axyb`: the number that A writes to and sees.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    number_y: Option<VirtualNumber>,
    /// The digits that name it on X, in `axe`: texts begin with them and a colon.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "402817")]
    extension: Option<String>,
    /// The first person, in the caller's audience.
    #[schema(value_type = String)]
    a: Token,
    /// The second person, in the caller's audience.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    b: Option<Token>,
    /// The team, in the caller's audience.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Option<Vec<String>>)]
    members: Vec<Token>,
    legs: Vec<Leg>,
    /// What it carries: `sms`, `voice`.
    #[schema(example = json!(["sms"]))]
    capabilities: Vec<String>,
    #[schema(value_type = String, example = "none")]
    disclose: Disclose,
    #[schema(value_type = String, example = "reply")]
    unknown: Unknown,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<String>,
    #[schema(value_type = String, example = "active")]
    status: AliasStatus,
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    metadata: Option<serde_json::Value>,
}

/// One person's side of an alias.
#[derive(Serialize, ToSchema)]
pub struct Leg {
    /// `a`, `b` or `member`.
    #[schema(example = "a")]
    party: &'static str,
    /// The number that this person writes to and is written from.
    #[schema(value_type = String, example = "+12025550143")]
    number: VirtualNumber,
}

/// A message that went through an alias, without content.
#[derive(Serialize, ToSchema)]
pub struct MessageAnswer {
    #[schema(value_type = String, example = "msg_01k8q3v6r5e9x8wz7m4n2b1c0d")]
    id: MessageId,
    /// Who wrote: `a`, `b`, `number`, `short_code`, `name`, `service`.
    #[schema(example = "short_code")]
    from: String,
    #[schema(value_type = String, example = "delivered")]
    status: DeliveryStatus,
    /// Parts it came in.
    parts: u32,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<AliasView> for AliasAnswer {
    fn from(view: AliasView) -> Self {
        let leg = |LegView { party, number }| Leg { party, number };
        Self {
            id: view.id,
            mode: view.mode,
            number: view.number,
            number_y: view.number_y,
            extension: view.extension,
            a: view.a,
            b: view.b,
            members: view.members,
            legs: view.legs.into_iter().map(leg).collect(),
            capabilities: view.capabilities,
            disclose: view.disclose,
            unknown: view.unknown,
            content: view.content,
            status: view.status,
            expires_at: view.expires_at,
            created_at: view.created_at,
            metadata: view.metadata,
        }
    }
}

impl From<MessageView> for MessageAnswer {
    fn from(view: MessageView) -> Self {
        let MessageView { id, from, status, parts, created_at } = view;
        Self { id, from, status, parts, created_at }
    }
}

/// Bind an alias
///
/// Whoever writes to the number reaches the person, who is not told to anyone.
#[utoipa::path(post, path = "/v1/aliases", tag = "Aliases", request_body = BindAlias,
    responses((status = 201, description = "Bound.", body = AliasAnswer)))]
pub async fn create(call: Call, body: Body) -> Result<Answer, Problem> {
    once(call, body, async |call: &Call, body: &Body| {
        Answer::created(&AliasAnswer::from(body.read::<BindAlias>()?.bind(call).await?))
    })
    .await
}

/// List aliases
#[utoipa::path(get, path = "/v1/aliases", tag = "Aliases", params(AliasesQuery),
    responses((status = 200, description = "Newest first.", body = List<AliasAnswer>)))]
pub async fn list(call: Call) -> Result<Answer, Problem> {
    let query: AliasesQuery = body::query(call.request())?;
    let limit = list::limit(query.limit)?;
    let wanted = AliasQuery {
        status: query.status,
        number: query.number.map(|text| fields::virtual_number("number", &text)).transpose()?,
        after: fields::after(query.after.as_deref())?,
        limit: limit + 1,
    };
    let permit = call.permit(Action::AliasRead, AliasList {}).await?;
    let found = call.api.alias.list(&permit, wanted).await?;
    Answer::ok(&List::cut(found.into_iter().map(AliasAnswer::from).collect(), limit, |alias| alias.id.to_string()))
}

/// Look at an alias
#[utoipa::path(get, path = "/v1/aliases/{id}", tag = "Aliases",
    params(("id" = String, Path, description = "`als_…`")),
    responses((status = 200, description = "The alias.", body = AliasAnswer)))]
pub async fn read(call: Call) -> Result<Answer, Problem> {
    body::no_query(call.request())?;
    let permit = one(&call, Action::AliasRead).await?;
    Answer::ok(&AliasAnswer::from(call.api.alias.get(&permit).await?))
}

/// Change an alias
///
/// How long it lasts, what the tenant learns, who is in it: all or nothing. Whoever stays is told from the number that
/// they see when somebody else is in it.
#[utoipa::path(patch, path = "/v1/aliases/{id}", tag = "Aliases", request_body = ChangeAlias,
    params(("id" = String, Path, description = "`als_…`")),
    responses((status = 200, description = "As it is now.", body = AliasAnswer)))]
pub async fn change(call: Call, body: Body) -> Result<Answer, Problem> {
    body::no_query(call.request())?;
    let change: ChangeAlias = body.read()?;
    let permit = one(&call, Action::AliasChange).await?;
    let wish = change.wish(&call, &permit).await?;
    Answer::ok(&AliasAnswer::from(call.api.alias.change(&permit, wish).await?))
}

/// Release an alias
///
/// It takes no message from now on; what it took before is still delivered. Its number rests before another owner has it.
#[utoipa::path(delete, path = "/v1/aliases/{id}", tag = "Aliases",
    params(("id" = String, Path, description = "`als_…`")),
    responses((status = 204, description = "Released.")))]
pub async fn release(call: Call) -> Result<Answer, Problem> {
    body::no_query(call.request())?;
    let permit = one(&call, Action::AliasRelease).await?;
    call.api.alias.release(&permit).await?;
    Ok(Answer::nothing())
}

/// What went through an alias
///
/// Without content.
#[utoipa::path(get, path = "/v1/aliases/{id}/messages", tag = "Aliases",
    params(("id" = String, Path, description = "`als_…`"), MessagesQuery),
    responses((status = 200, description = "Newest first.", body = List<MessageAnswer>)))]
pub async fn messages(call: Call) -> Result<Answer, Problem> {
    let query: MessagesQuery = body::query(call.request())?;
    let limit = list::limit(query.limit)?;
    let after = fields::after(query.after.as_deref())?;
    let permit = one(&call, Action::AliasRead).await?;
    let found = call.api.alias.history(&permit, after, limit + 1).await?;
    Answer::ok(&List::cut(found.into_iter().map(MessageAnswer::from).collect(), limit, |m| m.id.to_string()))
}

/// Write to somebody of an alias
///
/// From the number that the person sees there, in the tenant's name. The text names no number.
#[utoipa::path(post, path = "/v1/aliases/{id}/messages", tag = "Aliases", request_body = PostMessage,
    params(("id" = String, Path, description = "`als_…`")),
    responses((status = 201, description = "Accepted.", body = PostedAnswer)))]
pub async fn post(call: Call, body: Body) -> Result<Answer, Problem> {
    once(call, body, async |call: &Call, body: &Body| {
        let wish: PostMessage = body.read()?;
        let permit = one(call, Action::MessageSend).await?;
        let to = match wish.to.as_str() {
            "a" => Addressee::A,
            "b" => Addressee::B,
            _ => Addressee::Person(bind::person(call, &permit, &wish.to).await?),
        };
        let Posted { id, status } = call.api.alias.post(&permit, to, wish.text.into_text()).await?;
        Answer::created(&PostedAnswer { id, status })
    })
    .await
}

/// Leave to do `action` to the alias that the path names.
async fn one(call: &Call, action: Action) -> Result<Permit<AliasRef>, Problem> {
    call.permit(action, AliasRef { id: call.id()? }).await
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_life_that_is_null_is_told_from_one_that_is_absent() {
        let change = |text: &str| body::read::<ChangeAlias>(text.as_bytes()).unwrap();
        assert_eq!(change("{}").ttl_s, None);
        assert_eq!(change(r#"{"ttl_s":null}"#).ttl_s, Some(None));
        assert_eq!(change(r#"{"ttl_s":60}"#).ttl_s, Some(Some(60)));
        assert!(change("{}").b.is_none() && change(r#"{"b":null}"#).b.is_some_and(|b| b.is_none()));
    }
}
