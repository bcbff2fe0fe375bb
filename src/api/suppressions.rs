//! `/v1/suppressions` and `/v1/complaints`: people who asked to be spared messages, and people who complained.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::answer::Answer;
use super::batch::ItemRefusal;
use super::body::{self, Body};
use super::code::Code;
use super::extract::Call;
use super::fields::{self, Object, Typed};
use super::idempotency::once;
use super::list::{self, List};
use super::messages::only_of_item;
use super::problem::Problem;
use crate::access::{Action, Complaints, Permit, Suppressions};
use crate::clock::Timestamp;
use crate::ids::{ComplaintId, MessageId, SubjectId, SuppressionId};
use crate::outreach::{Complaint, Of, SpareWish, SparedPerson, scope_name};
use crate::store::Scope;
use crate::token::Token;
use crate::vault::MAX_BATCH;

/// Somebody to be spared something.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Suppress {
    /// The person.
    #[schema(value_type = String, example = "tok_04c1k8q3v6r5e9x8wz7m4n2b1c0d9f8a")]
    token: Typed,
    /// `marketing`, `notice`, `all`, or a pool's number: what comes from it. Codes that the person asks for are never
    /// stopped.
    #[schema(example = "marketing")]
    scope: String,
}

/// People to be spared something.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SuppressMany {
    /// At most 10,000.
    #[schema(value_type = Vec<Suppress>, max_items = 10_000)]
    items: Vec<Object<Suppress>>,
}

/// Somebody who is spared something.
#[derive(Serialize, ToSchema)]
pub struct SuppressionAnswer {
    /// In lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "sup_01k8q3v6r5e9x8wz7m4n2b1c0d")]
    id: Option<SuppressionId>,
    /// The person, as the log names them.
    #[schema(value_type = String, example = "sub_01k8q3v6r5e9x8wz7m4n2b1c0d")]
    subject: SubjectId,
    /// The person's token; null once there is none.
    #[schema(value_type = Option<String>)]
    token: Option<Token>,
    /// `marketing`, `notice`, `all`, or a pool's number.
    scope: String,
    /// How it came about: `api`, `stop` (the person wrote so), `complaint`.
    source: String,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
}

impl From<SparedPerson> for SuppressionAnswer {
    fn from(person: SparedPerson) -> Self {
        let SparedPerson { id, subject, token, scope, source, at } = person;
        Self { id, subject, token, scope: scope_name(scope), source, at }
    }
}

/// One answer for each item, in order.
#[derive(Serialize, ToSchema)]
pub struct SuppressedItems {
    items: Vec<SuppressedItem>,
}

/// Somebody who is spared something, or why not.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub enum SuppressedItem {
    /// Spared.
    Added(Box<SuppressionAnswer>),
    /// The refusal.
    Refused {
        /// Why.
        error: ItemRefusal,
    },
}

/// From what one person is spared.
#[derive(Serialize, ToSchema)]
pub struct SparedAnswer {
    /// `marketing`, `notice`, `all`, pools' numbers; empty if nothing.
    scopes: Vec<String>,
}

/// Which page.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SuppressionsQuery {
    /// Items of a page, 1 to 100.
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<String>,
}

/// What to take back.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LiftQuery {
    /// Only this; everything if left out.
    scope: Option<String>,
}

/// What is complained of.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Complain {
    /// One message; or name a person.
    #[schema(example = "msg_01k8q3v6r5e9x8wz7m4n2b1c0d")]
    message: Option<String>,
    /// A person; or name a message.
    #[schema(value_type = Option<String>)]
    token: Option<Typed>,
}

/// A complaint that was filed.
#[derive(Serialize, ToSchema)]
pub struct ComplaintAnswer {
    #[schema(value_type = String, example = "cmp_01k8q3v6r5e9x8wz7m4n2b1c0d")]
    id: ComplaintId,
    /// The message, if one was named or can be told.
    #[schema(value_type = Option<String>)]
    message: Option<MessageId>,
    /// The person, as the log names them.
    #[schema(value_type = String)]
    subject: SubjectId,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
}

/// Spare a person messages
///
/// Enforced when a message is accepted and again when it is handed over. It outlives the person's tokens, as a keyed
/// index, so that erasing somebody does not begin the messages again.
#[utoipa::path(post, path = "/v1/suppressions", tag = "Messages", request_body = Suppress,
    responses((status = 201, description = "Spared.", body = SuppressionAnswer)))]
pub async fn create(call: Call, body: Body) -> Result<Answer, Problem> {
    once(call, body, async |call: &Call, body: &Body| {
        let wish = body.read::<Suppress>()?.read()?;
        let permit = one(call, Action::SuppressionManage).await?;
        let spared = call.api.outreach.spare(&permit, wish).await?;
        in_force(call).await;
        Answer::created(&SuppressionAnswer::from(spared))
    })
    .await
}

/// Spare many people messages
///
/// At most 10,000, in one commit; each item has its own answer, in order.
#[utoipa::path(post, path = "/v1/suppressions/batch", tag = "Messages", request_body = SuppressMany,
    responses((status = 200, description = "One answer for each item.", body = SuppressedItems)))]
pub async fn create_batch(call: Call, body: Body) -> Result<Answer, Problem> {
    once(call, body, created_batch).await
}

async fn created_batch(call: &Call, body: &Body) -> Result<Answer, Problem> {
    let batch: SuppressMany = body.read()?;
    if batch.items.len() > MAX_BATCH {
        return Err(Problem::new(Code::BatchTooLarge));
    }
    let read = |Object(item): Object<Suppress>| match item.read() {
        Ok(wish) => Ok(Ok(wish)),
        Err(problem) => only_of_item(problem).map(Err),
    };
    let items = batch.items.into_iter().map(read).collect::<Result<Vec<_>, Problem>>()?;
    let permit = one(call, Action::SuppressionManage).await?;
    let answers = call.api.outreach.spare_many(&permit, items).await?;
    in_force(call).await;
    let answer = |answer| match answer {
        Ok(person) => SuppressedItem::Added(Box::new(SuppressionAnswer::from(person))),
        Err(Ok(refusal)) => SuppressedItem::Refused { error: ItemRefusal::of(Problem::from(refusal).code) },
        Err(Err(code)) => SuppressedItem::Refused { error: ItemRefusal::of(code) },
    };
    Answer::items(answers.into_iter().map(answer).collect())
}

/// List who is spared messages
///
/// Without numbers: tokens, and the ids by which the log names people.
#[utoipa::path(get, path = "/v1/suppressions", tag = "Messages", params(SuppressionsQuery),
    responses((status = 200, description = "Newest first.", body = List<SuppressionAnswer>)))]
pub async fn list(call: Call) -> Result<Answer, Problem> {
    let query: SuppressionsQuery = body::query(call.request())?;
    let limit = list::limit(query.limit)?;
    let permit = one(&call, Action::SuppressionRead).await?;
    let after = fields::after(query.after.as_deref())?;
    let people = call.api.outreach.all_spared(&permit, after, limit + 1).await?;
    let answers = people.into_iter().map(SuppressionAnswer::from).collect();
    let name = |answer: &SuppressionAnswer| answer.id.map(|id| id.to_string()).unwrap_or_default();
    Answer::ok(&List::cut(answers, limit, name))
}

/// Look at what a person is spared
#[utoipa::path(get, path = "/v1/suppressions/{token}", tag = "Messages",
    params(("token" = String, Path, description = "`tok_…`")),
    responses((status = 200, description = "From what.", body = SparedAnswer)))]
pub async fn read(call: Call) -> Result<Answer, Problem> {
    body::no_query(call.request())?;
    let token = fields::token(call.part("token"))?;
    let permit = one(&call, Action::SuppressionRead).await?;
    let scopes = call.api.outreach.spared(&permit, &token).await?;
    Answer::ok(&SparedAnswer { scopes: scopes.into_iter().map(scope_name).collect() })
}

/// Take back what a person is spared
///
/// Everything, or one scope. The log says who did it.
#[utoipa::path(delete, path = "/v1/suppressions/{token}", tag = "Messages",
    params(("token" = String, Path, description = "`tok_…`"), LiftQuery),
    responses((status = 204, description = "Taken back.")))]
pub async fn delete(call: Call) -> Result<Answer, Problem> {
    let query: LiftQuery = body::query(call.request())?;
    let token = fields::token(call.part("token"))?;
    let wanted = query.scope.as_deref().map(|text| scope(&fields::plus(text))).transpose()?;
    let permit = one(&call, Action::SuppressionManage).await?;
    call.api.outreach.lift(&permit, &token, wanted).await?;
    Ok(Answer::nothing())
}

/// File a complaint
///
/// Counts against the way by which the message came, and spares the person marketing from now on.
#[utoipa::path(post, path = "/v1/complaints", tag = "Messages", request_body = Complain,
    responses((status = 201, description = "Filed.", body = ComplaintAnswer)))]
pub async fn complain(call: Call, body: Body) -> Result<Answer, Problem> {
    once(call, body, async |call: &Call, body: &Body| {
        let Complain { message, token } = body.read()?;
        let of = match (message, token) {
            (Some(message), None) => Of::Message(fields::id(&message)?),
            (None, Some(token)) => Of::Person(fields::token(token.as_str())?),
            (None, None) => return Err(Problem::at(Code::MissingField, "message")),
            (Some(_), Some(_)) => return Err(Problem::at(Code::InvalidField, "token")),
        };
        let permit = call.permit(Action::ComplaintFile, Complaints {}).await?;
        let Complaint { id, message, subject, at } = call.api.outreach.complain(&permit, of).await?;
        in_force(call).await;
        Answer::created(&ComplaintAnswer { id, message, subject, at })
    })
    .await
}

/// Lets this process's deliveries look from now on, where it is the tenant's first. The others follow within a second,
/// and so does this one if the store cannot be read now.
async fn in_force(call: &Call) {
    if let Err(error) = call.api.access.refresh().await {
        tracing::warn!(%error, "a first suppression is seen by deliveries a moment later");
    }
}

impl Suppress {
    fn read(self) -> Result<SpareWish, Problem> {
        Ok(SpareWish { token: fields::token(self.token.as_str())?, scope: scope(&self.scope)? })
    }
}

fn scope(text: &str) -> Result<Scope, Problem> {
    match text {
        "marketing" => Ok(Scope::Marketing),
        "notice" => Ok(Scope::Notice),
        "all" => Ok(Scope::All),
        number => fields::virtual_number("scope", number).map(Scope::Number),
    }
}

async fn one(call: &Call, action: Action) -> Result<Permit<Suppressions>, Problem> {
    call.permit(action, Suppressions {}).await
}
